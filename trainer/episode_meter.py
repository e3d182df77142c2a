"""What is measured of an episode while it runs: hands, their commands, and how it ended."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.data.measures import start_variables
from core.planners.base import Source
from core.rigid import quat_inv, quat_mul, quat_to_rotvec
from core.rollout import CommandSent, EpisodeEnd, EpisodeStart, Observer, Rollout
from core.tasks.base import handling_of
from core.tasks.terms import points_in_base, rotations_in_base
from core.types import CONTROL_PERIOD_S, CONTROL_STEPS_PER_COMMAND, Command, WorldState
from trainer.failures import HandlingRecord


@dataclass(frozen=True)
class EpisodeResult:
    """One episode."""

    seed: int
    success: bool
    reason: str
    duration_s: float
    stage: str
    "of the source at the end, '' for a source without stages"
    hand_position_error_m: float
    "mean distance of both hands from where the last command wanted them, base frame"
    hand_orientation_error_rad: float
    "mean angle between both hands and what the last command wanted"
    hand_speed_m_s: float
    "mean speed of both hands in the world"
    hand_jerk_m_s3: float
    "root mean square jerk of both hands in the world, at 50 Hz"
    attempts: int = 0
    "that the source began (squeezes of the heuristic), 0 for a source that does not count"
    failure: str = ""
    "fell, missed, dropped, time or simulation; '' for a success"
    start: tuple[float, ...] = ()
    "where the robot began: distance in m, bearing and heading in rad relative to the object (B101); () without one"


class Meter(Observer):
    """Measures the hands of running episodes and notes how each episode ended."""

    def __init__(self, source: Source, num_worlds: int) -> None:
        self.results: list[EpisodeResult] = []
        self._source = source
        self._sent: Command | None = None
        self._sums = torch.zeros(num_worlds, 5)
        "position error, orientation error, commands; speed, squared jerk"
        self._ticks = torch.zeros(num_worlds, 2)
        "samples of speed and of jerk"
        self._trail = torch.zeros(4, num_worlds, 2, 3)
        "hand positions of the last four control periods"
        self._age = torch.zeros(num_worlds, dtype=torch.long)
        "control periods since the episode began"
        self._episode = [-1] * num_worlds
        self._handling = HandlingRecord(num_worlds)
        self._starts: dict[int, tuple[float, ...]] = {}
        "world -> where the robot began"

    def episode_began(self, start: EpisodeStart) -> None:
        """Note where the robot begins."""
        self._starts[start.world] = start_of(start)

    def command_sent(self, record: CommandSent) -> None:
        """Keep what was asked for; the state that follows is compared with it when the next command is due."""
        self._sent = record.sent.clone()

    def tick(self, rollout: Rollout) -> None:
        """After each control period."""
        for world, episode in enumerate(rollout.episode_index):
            if episode != self._episode[world]:
                self._episode[world] = episode
                self._age[world] = 0
        self._follow(rollout.state, rollout.active)
        if rollout.ticks % CONTROL_STEPS_PER_COMMAND == 0:
            self._compare(rollout.state, rollout.active)
            self._handling.see(handling_of(rollout.task, rollout.state), rollout.active)

    def _follow(self, state: WorldState, active: Tensor) -> None:
        self._trail = torch.cat((self._trail[1:], state.hand_pos_w[None]))
        self._age += 1
        step = self._trail.diff(dim=0) / CONTROL_PERIOD_S  # (3, N, 2, 3)
        speed = step[-1].norm(dim=-1).mean(dim=-1)
        jerk = (step.diff(n=2, dim=0)[0] / CONTROL_PERIOD_S**2).square().sum(dim=-1).mean(dim=-1)
        moving, jerking = active & (self._age >= 2), active & (self._age >= 4)
        self._sums[:, 3] += torch.where(moving, speed, 0.0)
        self._sums[:, 4] += torch.where(jerking, jerk, 0.0)
        self._ticks += torch.stack((moving, jerking), dim=-1)

    def _compare(self, state: WorldState, active: Tensor) -> None:
        """Hands against the command that has been followed for its whole period."""
        assert self._sent is not None
        command = self._sent
        position = (points_in_base(state, state.hand_pos_w) - command.hand_pos_b).norm(dim=-1).mean(dim=-1)
        turn = quat_mul(quat_inv(rotations_in_base(state, state.hand_quat_w)), command.hand_quat_b)
        angle = quat_to_rotvec(turn).norm(dim=-1).mean(dim=-1)
        one = torch.ones_like(angle)
        self._sums[:, :3] += torch.where(active[:, None], torch.stack((position, angle, one), dim=-1), 0.0)

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Close the books of a world."""
        w = end.world
        commands, ticks = self._sums[w, 2].clamp_min(1.0), self._ticks[w].clamp_min(1.0)
        failure = self._handling.close(w, end.reason)
        self.results.append(
            EpisodeResult(
                seed=end.seed,
                success=end.success,
                reason=end.reason,
                duration_s=end.duration_s,
                stage=_stage(self._source, w),
                hand_position_error_m=float(self._sums[w, 0] / commands),
                hand_orientation_error_rad=float(self._sums[w, 1] / commands),
                hand_speed_m_s=float(self._sums[w, 3] / ticks[0]),
                hand_jerk_m_s3=float((self._sums[w, 4] / ticks[1]).sqrt()),
                attempts=_attempts(self._source, w),
                failure="" if end.success else failure,
                start=self._starts.pop(w, ()),
            )
        )
        self._sums[w], self._ticks[w] = 0.0, 0.0


def start_of(start: EpisodeStart) -> tuple[float, ...]:
    """Distance, bearing and heading of the robot relative to the scene's first free object; () without one."""
    initial = start.initial
    thing = next(iter(initial.objects.values()), None)
    if thing is None:
        return ()
    robot, body = (torch.cat(pose, dim=-1).double().numpy() for pose in (
        (initial.base_pos_w, initial.base_quat_w), (thing.pos_w, thing.quat_w)
    ))  # fmt: skip
    return tuple(start_variables(robot, body)[0].tolist())


def _stage(source: Source, world: int) -> str:
    """Name of the stage that a staged source is in."""
    names, stage = getattr(source, "stage_names", None), getattr(source, "stage", None)
    return names[int(stage[world])] if names is not None and stage is not None else ""


def _attempts(source: Source, world: int) -> int:
    """Attempts that a counting source has begun."""
    attempts = getattr(source, "attempts", None)
    return 0 if attempts is None else int(attempts[world])
