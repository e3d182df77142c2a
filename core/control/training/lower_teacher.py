"""The teacher of pi_lower: a residual on the reference gait that also sees the reference; never deployed on a robot."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from core.control import lower
from core.control.footstep_config import FootstepConfig
from core.control.footsteps import FootstepCommand, feet_planar, relative_planar, rotate_xy
from core.control.mirror import Mirror, Part
from core.control.training.gait import Reference, ReferenceGait
from core.control.training.lower_config import GaitConfig
from core.rigid import yaw_of
from core.rl.checkpoint import Layout, load_checkpoint
from core.rl.networks import Actor
from core.rl.ppo_config import ActorCriticConfig
from core.types import WorldState

PARTS = (
    *lower.PARTS,
    Part("swing_in_stance", 4, "pose"),
    Part("base_in_stance", 4, "pose"),
    Part("base_error", 2, "plane"),
    Part("com_offset", 2, "plane"),
    Part("reference_joints", 12, "legs"),
    Part("last_residual", 12, "legs"),
)
LAYOUT = Layout(
    "lower_teacher",
    1,
    tuple((part.name, part.size) for part in PARTS),
    tuple(f"residual_{n}" for n in lower.ACTION_NAMES),
)
RESIDUAL_SCALE = 0.5 * lower.TORQUE_SCALE
"""(12,) rad per unit of the teacher's action: half the torque limit."""

_mirror = Mirror(PARTS)


def stance_planar(state: WorldState, command: FootstepCommand) -> Float[Tensor, "N 3"]:
    """World x, y, yaw of the standing sole (the right one while both stand)."""
    return feet_planar(state)[torch.arange(state.num_worlds), 1 - command.swing.clamp_min(0)]


def swing_in_stance(state: WorldState, command: FootstepCommand) -> Float[Tensor, "N 4"]:
    """x, y, z, yaw of the swing sole in the stance sole's yaw frame (left in right while standing)."""
    rows, side = torch.arange(state.num_worlds), command.swing.clamp_min(0)
    feet = feet_planar(state)
    relative = relative_planar(feet[rows, 1 - side], feet[rows, side])
    rise = state.foot_pos_w[rows, side, 2] - state.foot_pos_w[rows, 1 - side, 2]
    return torch.stack((relative[:, 0], relative[:, 1], rise, relative[:, 2]), dim=-1)


def placement_error(state: WorldState, command: FootstepCommand) -> Float[Tensor, "N"]:
    """Horizontal distance of the swing sole from its commanded placement, m: meaningful at touch-down."""
    return (swing_in_stance(state, command)[:, :2] - command.target_stance[:, :2]).norm(dim=-1)


def parts(
    state: WorldState,
    command: FootstepCommand,
    reference: Reference,
    com_offset_b: Float[Tensor, "N 3"],
    last_offset: Float[Tensor, "N 12"],
    last_residual: Float[Tensor, "N 12"],
    swing_s: float,
) -> Float[Tensor, "N D"]:
    """Observation in the order of `PARTS`, not mirrored."""
    base = torch.cat((state.base_pos_w[:, :2], yaw_of(state.base_quat_w)[:, None]), dim=-1)
    base_in_stance = relative_planar(stance_planar(state, command), base)
    stance_z = state.foot_pos_w[torch.arange(state.num_worlds), 1 - command.swing.clamp_min(0), 2]
    height = state.base_pos_w[:, 2] - stance_z
    own = (
        *lower.parts(state, command, last_offset, swing_s),
        swing_in_stance(state, command),
        torch.stack((base_in_stance[:, 0], base_in_stance[:, 1], height, base_in_stance[:, 2]), dim=-1),
        rotate_xy(-base[:, 2], reference.base_pos_w[:, :2] - base[:, :2]),
        com_offset_b[:, :2],
        reference.joint_pos - lower.LEGS_DEFAULT,
        last_residual,
    )
    return torch.cat(own, dim=-1)


def mirror(observation: Float[Tensor, "N D"], command: FootstepCommand) -> Float[Tensor, "N D"]:
    """The swing leg on the left."""
    return _mirror(observation, lower.mirrored(command))


def residual_targets(reference: Reference, residual: Float[Tensor, "N 12"]) -> Float[Tensor, "N 12"]:
    """Leg targets: reference, feed-forward of the ground reaction, residual (robot order)."""
    return lower.clamp_targets(reference.joint_pos + reference.feed_forward + RESIDUAL_SCALE * residual)


class TeacherController:
    """The teacher with a reference of its own, for evaluation."""

    name = "teacher"

    def __init__(
        self, actor: Actor, num_worlds: int, gait: GaitConfig | None = None, footsteps: FootstepConfig | None = None
    ) -> None:
        self.actor = actor.eval()
        self.footsteps = footsteps or FootstepConfig()
        self.gait = ReferenceGait(num_worlds, gait, self.footsteps)
        self._last_offset = torch.zeros(num_worlds, 12)
        self._last_residual = torch.zeros(num_worlds, 12)
        self._fresh = torch.ones(num_worlds, dtype=torch.bool)

    @classmethod
    def load(cls, path: Path, num_worlds: int) -> "TeacherController":
        """From a checkpoint. Raises CheckpointError when the file does not fit."""
        tensors, metadata = load_checkpoint(path, LAYOUT)
        hidden = tuple(metadata["actor_hidden"])
        actor = Actor(LAYOUT.obs_size, LAYOUT.action_size, ActorCriticConfig(actor_hidden=hidden))
        actor.load_state_dict(tensors)
        return cls(actor, num_worlds)

    def reset(self, worlds: Tensor) -> None:
        """Begin anew in the chosen worlds (M,)."""
        self._fresh[worlds] = True

    @torch.no_grad()
    def act(self, state: WorldState, command: FootstepCommand) -> Float[Tensor, "N 12"]:
        """Leg joint targets (N, 12) rad, order core.t1.model.LEGS."""
        self._start(state)
        reference = self.gait.update(state, command)
        rows = (self._last_offset, self._last_residual)
        own = parts(state, command, reference, self.gait.com_offset_b, *rows, self.footsteps.swing_s)
        self._last_residual = lower.unmirror_action(self.actor(mirror(own, command)), command)
        targets = residual_targets(reference, self._last_residual)
        self._last_offset = lower.action_of(targets)
        return targets

    def _start(self, state: WorldState) -> None:
        worlds = self._fresh.nonzero().squeeze(-1)
        if len(worlds):
            self.gait.reset(worlds, state)
            self._last_offset[worlds] = lower.action_of(state.joint_pos[worlds][:, lower.LEGS])
            self._last_residual[worlds] = 0.0
            self._fresh[:] = False
