"""pi_lower as deployed (paper B9-B12): footstep commands and Table I's proprioception in, leg joint targets out.

The network only ever steps with the left foot: while the right foot swings, observation and action are mirrored, so
the walk is exactly symmetric.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.control.footstep_config import FootstepConfig
from core.control.footsteps import RIGHT, STAND, FootstepCommand
from core.control.leg_chain import EFFORT, LEG_JOINTS, STIFFNESS, swap_legs
from core.control.mirror import Mirror, Part
from core.rigid import quat_rotate_inv
from core.rl.checkpoint import Layout, load_checkpoint
from core.rl.networks import Actor
from core.rl.ppo_config import ActorCriticConfig
from core.t1.model import DEFAULT_JOINT_POS, LEGS, LOWER_LIMIT, UPPER_LIMIT
from core.types import WorldState

PARTS = (
    Part("projected_gravity", 3, "vector"),
    Part("base_angular_velocity", 3, "axial"),
    Part("joint_pos", 12, "legs"),
    Part("joint_vel", 12, "legs"),
    Part("last_action", 12, "legs"),
    Part("step_clock", 4, "same"),
    Part("target_stance", 4, "pose"),
)
"""Table I, locomotion, actor. step_clock: stepping or not, countdown, and the swing phase that follows from it."""
ACTION_NAMES = tuple(
    f"{side}_{joint.name.removeprefix('Left_')}" for side in ("swing", "stance") for joint in LEG_JOINTS
)
LAYOUT = Layout("lower_controller", 1, tuple((part.name, part.size) for part in PARTS), ACTION_NAMES)

LEGS_DEFAULT = torch.tensor(DEFAULT_JOINT_POS[LEGS], dtype=torch.float32)
"""(12,) rad, q_def of the legs."""
TORQUE_SCALE = (EFFORT / STIFFNESS).repeat(2)
"""(12,) rad of joint error at which the PD law reaches the torque limit."""
ACTION_SCALE = 1.5 * TORQUE_SCALE
"""(12,) rad per unit of network output (B10: the action is an offset to the default pose)."""
LEGS_LOWER = torch.tensor(LOWER_LIMIT[LEGS], dtype=torch.float32)
LEGS_UPPER = torch.tensor(UPPER_LIMIT[LEGS], dtype=torch.float32)
TARGET_MARGIN_RAD = 0.6
"""Joint targets may lie this far outside the limits: a spring needs the distance to push against a load."""

_mirror = Mirror(PARTS)


@dataclass(frozen=True)
class StepTiming:
    """What the policy has to know of the planner's timing: steps must be timed as in training."""

    swing_s: float
    double_support_s: float

    @classmethod
    def of(cls, config: FootstepConfig) -> "StepTiming":
        """Timing of a planner."""
        return cls(config.swing_s, config.double_support_s)


def projected_gravity(state: WorldState) -> Float[Tensor, "N 3"]:
    """Direction of gravity in base axes."""
    down = state.base_quat_w.new_tensor([0.0, 0.0, -1.0]).expand(state.num_worlds, 3)
    return quat_rotate_inv(state.base_quat_w, down)


def step_clock(command: FootstepCommand, swing_s: float) -> Float[Tensor, "N 4"]:
    """Stepping flag, countdown (s), swing phase 0..1, sin(pi phase)."""
    stepping = (command.swing != STAND).float()
    phase = (1.0 - command.countdown_s / swing_s).clamp(0.0, 1.0) * stepping
    return torch.stack((stepping, command.countdown_s, phase, torch.sin(torch.pi * phase)), dim=-1)


def parts(
    state: WorldState, command: FootstepCommand, last_action: Float[Tensor, "N 12"], swing_s: float
) -> tuple[Tensor, ...]:
    """Table I in the order of `PARTS`. `last_action` is in robot order, normalised."""
    return (
        projected_gravity(state),
        state.base_ang_vel_b,
        state.joint_pos[:, LEGS] - LEGS_DEFAULT,
        0.1 * state.joint_vel[:, LEGS],
        last_action,
        step_clock(command, swing_s),
        command.target_stance,
    )


def observation(
    state: WorldState, command: FootstepCommand, last_action: Float[Tensor, "N 12"], swing_s: float
) -> Float[Tensor, "N 50"]:
    """Table I as the network gets it: the swing leg on the left."""
    return _mirror(torch.cat(parts(state, command, last_action, swing_s), dim=-1), mirrored(command))


def mirrored(command: FootstepCommand) -> Bool[Tensor, "N"]:
    """Worlds whose right foot swings."""
    return command.swing == RIGHT


def unmirror_action(action: Float[Tensor, "N 12"], command: FootstepCommand) -> Float[Tensor, "N 12"]:
    """Legs of the robot from an action with the swing leg on the left, and the other way round."""
    return torch.where(mirrored(command)[:, None], swap_legs(action), action)


def leg_targets(action: Float[Tensor, "N 12"]) -> Float[Tensor, "N 12"]:
    """Joint targets q_def + a (B10) from a normalised action in robot order."""
    return clamp_targets(LEGS_DEFAULT + ACTION_SCALE * action)


def clamp_targets(targets: Float[Tensor, "N 12"]) -> Float[Tensor, "N 12"]:
    """Keep joint targets within `TARGET_MARGIN_RAD` of the joint limits."""
    return targets.clamp(LEGS_LOWER - TARGET_MARGIN_RAD, LEGS_UPPER + TARGET_MARGIN_RAD)


def action_of(targets: Float[Tensor, "N 12"]) -> Float[Tensor, "N 12"]:
    """Inverse of `leg_targets`."""
    return (targets - LEGS_DEFAULT) / ACTION_SCALE


class LowerController:
    """The trained pi_lower for N worlds, deterministic."""

    name = "pi_lower"

    def __init__(self, actor: Actor, timing: StepTiming) -> None:
        self.actor = actor.eval()
        self.timing = timing
        self._last_action: Tensor | None = None

    @classmethod
    def load(cls, path: Path) -> "LowerController":
        """From a controller checkpoint. Raises CheckpointError when the file does not fit."""
        tensors, metadata = load_checkpoint(path, LAYOUT)
        hidden = tuple(metadata["actor_hidden"])
        actor = Actor(LAYOUT.obs_size, LAYOUT.action_size, ActorCriticConfig(actor_hidden=hidden))
        actor.load_state_dict(tensors)
        return cls(actor, StepTiming(**metadata["timing"]))

    def reset(self, worlds: Tensor) -> None:
        """Forget the last action in the chosen worlds (M,)."""
        if self._last_action is not None:
            self._last_action[worlds] = 0.0

    @torch.no_grad()
    def act(self, state: WorldState, command: FootstepCommand) -> Float[Tensor, "N 12"]:
        """Leg joint targets (N, 12) rad, order core.t1.model.LEGS."""
        if self._last_action is None or len(self._last_action) != state.num_worlds:
            self._last_action = torch.zeros(state.num_worlds, 12)
        obs = observation(state, command, self._last_action, self.timing.swing_s)
        targets = leg_targets(unmirror_action(self.actor(obs), command))
        self._last_action = action_of(targets)
        return targets
