"""Hand tracking of a walking and of a standing robot: an arm controller on top of a leg controller."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.control.arm_chain import join_arms
from core.control.evaluation.walking import WalkEvaluation, WalkEvaluationConfig, WalkReport
from core.control.footsteps import STAND, FootstepCommand
from core.control.training.arm_bank import build_bank
from core.control.training.hand_commands import FreeCommands
from core.control.training.motion_configs import CommandConfig
from core.control.upper import ArmController, arms_of, hand_sides
from core.control.whole_body import LegController
from core.rigid import rotation_error
from core.types import CONTROL_PERIOD_S, WorldState

SETTLED_S = 0.6
"""Legs and hand command must have rested this long to count as standing."""


@dataclass(frozen=True)
class HandReport:
    """Median and 95th percentile of hand errors, position in m, rotation in rad."""

    standing_m: tuple[float, float]
    "both feet on the ground, command at rest"
    standing_rad: tuple[float, float]
    walking_m: tuple[float, float]
    "steps under way, whatever the command does"
    walking_rad: tuple[float, float]


class CommandedArms:
    """Arms that follow random hand poses by an arm controller, and the errors they make."""

    def __init__(self, controller: ArmController, num_worlds: int, seed: int) -> None:
        self.controller = controller
        generator = torch.Generator().manual_seed(seed)
        bank = build_bank(1000, seed=seed)
        self.commands = FreeCommands(bank, num_worlds, CommandConfig(hold_s=(1.0, 3.0)), generator)
        self._previous = torch.zeros(2 * num_worlds, 7)
        self._command = torch.zeros(2 * num_worlds, 7)
        self._rest_s = torch.zeros(2 * num_worlds)
        self._stood_s = torch.zeros(num_worlds)
        self._age_s = torch.zeros(num_worlds)
        self.standing: list[Tensor] = []
        self.walking: list[Tensor] = []

    def reset(self, worlds: Tensor) -> Tensor:
        """New commands, starting where the arms then are."""
        start = self.commands.reset(worlds)
        self.controller.reset(worlds)
        self._age_s[worlds] = 0.0
        return join_arms(start.reshape(-1, 7))

    def targets(self, state: WorldState) -> Tensor:
        """What the arm controller sends for the next command."""
        pos, quat = self.commands.advance()
        self._command = torch.cat((pos, quat), dim=-1)
        return self.controller.act(state, *hand_sides(pos, quat))

    def measure(self, state: WorldState, command: FootstepCommand) -> None:
        """Errors of all hands at the end of the control period."""
        arms = arms_of(state)
        position = (self._command[:, :3] - arms.hand_pos_b).norm(dim=-1)
        rotation = rotation_error(arms.hand_quat_b, self._command[:, 3:]).norm(dim=-1)
        unmoved = (self._command - self._previous).abs().amax(dim=-1) < 1e-5
        self._rest_s = torch.where(unmoved, self._rest_s + CONTROL_PERIOD_S, 0.0)
        self._previous = self._command
        stands = command.swing == STAND
        self._stood_s = torch.where(stands, self._stood_s + CONTROL_PERIOD_S, 0.0)
        self._age_s += CONTROL_PERIOD_S
        started = (self._age_s > 1.0).repeat_interleave(2)
        still = (self._stood_s > SETTLED_S).repeat_interleave(2) & (self._rest_s > SETTLED_S) & started
        walks = (~stands).repeat_interleave(2) & started
        errors = torch.stack((position, rotation), dim=-1)
        self.standing.append(errors[still])
        self.walking.append(errors[walks])

    def report(self) -> HandReport:
        """Summary of everything measured."""
        standing, walking = torch.cat(self.standing), torch.cat(self.walking)
        return HandReport(
            _summary(standing[:, 0]), _summary(standing[:, 1]), _summary(walking[:, 0]), _summary(walking[:, 1])
        )


def _summary(values: Tensor) -> tuple[float, float]:
    values = values[:: max(1, len(values) // 1_000_000)]  # torch.quantile refuses more than 16 million values
    return float(values.median()), float(values.quantile(0.95))


def evaluate_hands(
    legs: LegController, arms: ArmController, config: WalkEvaluationConfig, num_threads: int = 1
) -> tuple[HandReport, WalkReport]:
    """Hand errors, and what the legs did meanwhile."""
    driver = CommandedArms(arms, config.num_worlds, config.seed)
    evaluation = WalkEvaluation(config, num_threads, driver)
    walk = evaluation.run(legs)
    evaluation.close()
    return driver.report(), walk
