"""pi_upper (paper B9, B15): hand poses in, arm joint targets out, one mirrored network for both arms.

Observation per arm is Table I's manipulation column; the action is an offset to the default pose (B10). The right arm
is mirrored into the left frame ("left-canonical"), so N worlds are 2N rows: world 0 left, world 0 right, world 1 left.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from core.control.arm_chain import (
    ARM_JOINTS,
    LOWER,
    QUAT_MIRROR,
    UPPER,
    VECTOR_MIRROR,
    join_arms,
    mirror_sides,
    split_arms,
)
from core.rigid import (
    quat_from_rotvec,
    quat_inv,
    quat_mul,
    quat_normalize,
    quat_rotate_inv,
    rotation_6d,
    rotation_error,
)
from core.rl.checkpoint import Layout, load_checkpoint
from core.rl.networks import Actor
from core.rl.ppo_config import ActorCriticConfig
from core.t1.model import ARMS, DEFAULT_JOINT_POS, LEFT_ARM
from core.types import WorldState

OBSERVATION = (
    ("projected_gravity", 3),
    ("joint_pos", 7),
    ("joint_vel", 7),
    ("last_action", 7),
    ("hand_command", 9),
    ("hand_pose", 9),
    ("position_error", 3),
    ("rotation_error", 3),
)
LAYOUT = Layout("upper_controller", 2, OBSERVATION, tuple(joint.name.removeprefix("Left_") for joint in ARM_JOINTS))

DEFAULT_ARM_POS = torch.tensor(DEFAULT_JOINT_POS[LEFT_ARM], dtype=torch.float32)
"""(7,) rad, q_def of the left arm; the right one is its mirror image."""

MAX_POSITION_ERROR_M = 0.15
MAX_ROTATION_ERROR_RAD = 1.0
"""The policy sees the command no further than this from the hand: nothing it was not trained on, whatever is asked.
(A tighter clip, 0.04 m and 0.35 rad, made learning three times slower: 6.6 against 2.4 cm after 1.2 CPU-minutes.)"""

ACTION_LIMIT_RAD = 4.0
"""Offsets beyond this are cut off: no target within the margin of the joint limits needs them."""
SMOOTHING = 0.4
"""Share of the new action in the low-pass between policy and joints (time constant 0.04 s): part of the controller, in
training as in use. Without it arms and base of a standing robot excite each other at 25 Hz."""
TARGET_MARGIN_RAD = 0.3
"""Joint targets may lie this far outside the limits: the PD spring needs the distance to push against a load."""


@dataclass
class Arms:
    """What the policy needs to know of 2N left-canonical arms."""

    gravity_b: Float[Tensor, "M 3"]
    "unit vector along gravity, base axes"
    joint_pos: Float[Tensor, "M 7"]
    joint_vel: Float[Tensor, "M 7"]
    hand_pos_b: Float[Tensor, "M 3"]
    hand_quat_b: Float[Tensor, "M 4"]


def hand_rows(
    pos_b: Float[Tensor, "N 2 3"], quat_b: Float[Tensor, "N 2 4"]
) -> tuple[Float[Tensor, "2*N 3"], Float[Tensor, "2*N 4"]]:
    """Poses of both hands as left-canonical rows."""
    return mirror_sides(pos_b, VECTOR_MIRROR).reshape(-1, 3), mirror_sides(quat_b, QUAT_MIRROR).reshape(-1, 4)


def hand_sides(
    pos: Float[Tensor, "M 3"], quat: Float[Tensor, "M 4"]
) -> tuple[Float[Tensor, "M//2 2 3"], Float[Tensor, "M//2 2 4"]]:
    """Inverse of `hand_rows`."""
    return mirror_sides(pos.reshape(-1, 2, 3), VECTOR_MIRROR), mirror_sides(quat.reshape(-1, 2, 4), QUAT_MIRROR)


def arms_of(state: WorldState, gravity_b: Float[Tensor, "N 3"] | None = None) -> Arms:
    """Arms of every world. `gravity_b` replaces the direction that follows from the base's orientation."""
    down = state.base_quat_w.new_tensor([0.0, 0.0, -1.0]).expand(state.num_worlds, 3)
    gravity = quat_rotate_inv(state.base_quat_w, down) if gravity_b is None else gravity_b
    base_quat = state.base_quat_w[:, None].expand(-1, 2, -1)
    pos_b = quat_rotate_inv(base_quat, state.hand_pos_w - state.base_pos_w[:, None])
    quat_b = quat_normalize(quat_mul(quat_inv(base_quat), state.hand_quat_w))
    pos, quat = hand_rows(pos_b, quat_b)
    both = gravity[:, None].expand(-1, 2, -1)
    return Arms(
        gravity_b=mirror_sides(both, VECTOR_MIRROR).reshape(-1, 3),
        joint_pos=split_arms(state.joint_pos[:, ARMS]),
        joint_vel=split_arms(state.joint_vel[:, ARMS]),
        hand_pos_b=pos,
        hand_quat_b=quat,
    )


def near_command(
    arms: Arms, pos: Float[Tensor, "M 3"], quat: Float[Tensor, "M 4"]
) -> tuple[Float[Tensor, "M 3"], Float[Tensor, "M 4"]]:
    """The command brought within `MAX_POSITION_ERROR_M` and `MAX_ROTATION_ERROR_RAD` of the hand."""
    offset = _shortened(pos - arms.hand_pos_b, MAX_POSITION_ERROR_M)
    turn = _shortened(rotation_error(arms.hand_quat_b, quat), MAX_ROTATION_ERROR_RAD)
    return arms.hand_pos_b + offset, quat_mul(quat_from_rotvec(turn), arms.hand_quat_b)


def _shortened(v: Tensor, longest: float) -> Tensor:
    return v * (longest / v.norm(dim=-1, keepdim=True).clamp_min(longest))


def observation(
    arms: Arms, pos: Float[Tensor, "M 3"], quat: Float[Tensor, "M 4"], last_sent: Float[Tensor, "M 7"]
) -> Float[Tensor, "M 48"]:
    """Table I, scaled, in the order of `OBSERVATION`. The command must have gone through `near_command`; `last_sent` is
    the last action as sent, which with the new action decides what is sent next."""
    return torch.cat(
        (
            arms.gravity_b,
            arms.joint_pos - DEFAULT_ARM_POS.to(pos),
            0.1 * arms.joint_vel,
            last_sent,
            3.0 * pos,
            rotation_6d(quat),
            3.0 * arms.hand_pos_b,
            rotation_6d(arms.hand_quat_b),
            10.0 * (pos - arms.hand_pos_b),
            3.0 * rotation_error(arms.hand_quat_b, quat),
        ),
        dim=-1,
    )


def action_at_rest(arms: Arms) -> Float[Tensor, "M 7"]:
    """The action whose targets are where the arms are: what counts as sent before the first one."""
    return (arms.joint_pos - DEFAULT_ARM_POS.to(arms.joint_pos)).clamp(-ACTION_LIMIT_RAD, ACTION_LIMIT_RAD)


def sent_action(last_sent: Float[Tensor, "M 7"], action: Float[Tensor, "M 7"]) -> Float[Tensor, "M 7"]:
    """What is sent of a policy's action: limited, then a first-order low-pass from what was sent last."""
    return last_sent + SMOOTHING * (action.clamp(-ACTION_LIMIT_RAD, ACTION_LIMIT_RAD) - last_sent)


def arm_targets(action: Float[Tensor, "M 7"]) -> Float[Tensor, "M//2 14"]:
    """Joint targets q_def + a (B10), order core.t1.model.ARMS."""
    lower, upper = LOWER.to(action) - TARGET_MARGIN_RAD, UPPER.to(action) + TARGET_MARGIN_RAD
    return join_arms((DEFAULT_ARM_POS.to(action) + action).clamp(lower, upper))


@runtime_checkable
class ArmController(Protocol):
    """What turns hand poses in the base frame into arm joint targets."""

    def reset(self, worlds: Tensor) -> None:
        """Forget the past of some worlds."""
        ...

    def act(
        self, state: WorldState, hand_pos_b: Float[Tensor, "N 2 3"], hand_quat_b: Float[Tensor, "N 2 4"]
    ) -> Float[Tensor, "N 14"]:
        """Arm joint targets, rad, order core.t1.model.ARMS."""
        ...


class UpperController:
    """The trained pi_upper for N worlds, deterministic."""

    name = "pi_upper"

    def __init__(self, actor: Actor, halfway: bool = False) -> None:
        """halfway: send the middle between the last two targets, half a control period later. A network that was
        trained with late targets needs it: mixed targets never showed it what alternating ones do (25 Hz)."""
        self.actor = actor.eval()
        self.halfway = halfway
        self._sent: Tensor | None = None
        "(2N, 7) rad, actions as sent; NaN where an episode begins"

    @classmethod
    def load(cls, path: Path, halfway: bool = False) -> "UpperController":
        """From a controller checkpoint. Raises CheckpointError when the file does not fit."""
        tensors, metadata = load_checkpoint(path, LAYOUT)
        hidden = tuple(metadata["actor_hidden"])
        actor = Actor(LAYOUT.obs_size, LAYOUT.action_size, ActorCriticConfig(actor_hidden=hidden))
        actor.load_state_dict(tensors)
        return cls(actor, halfway)

    def reset(self, worlds: Tensor) -> None:
        """Forget the last action of some worlds (index or mask): their arms start from where they then are."""
        if self._sent is not None:
            self._sent.view(-1, 2, LAYOUT.action_size)[worlds] = torch.nan

    @torch.no_grad()
    def act(
        self, state: WorldState, hand_pos_b: Float[Tensor, "N 2 3"], hand_quat_b: Float[Tensor, "N 2 4"]
    ) -> Float[Tensor, "N 14"]:
        """Arm joint targets, rad, order core.t1.model.ARMS, from commanded hand poses in the base frame."""
        arms = arms_of(state)
        last = self._last_sent(arms)
        pos, quat = near_command(arms, *hand_rows(hand_pos_b, hand_quat_b))
        self._sent = sent_action(last, self.actor(observation(arms, pos, quat, last)))
        targets = arm_targets(self._sent)
        return 0.5 * (targets + arm_targets(last)) if self.halfway else targets

    def _last_sent(self, arms: Arms) -> Float[Tensor, "M 7"]:
        rest = action_at_rest(arms)
        if self._sent is None or len(self._sent) != len(rest):
            return rest
        return torch.where(self._sent.isnan(), rest, self._sent)
