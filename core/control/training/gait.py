"""Reference gait, the motion prior of the lower-body controller (paper B13): footsteps become trajectories of the legs.

The divergent component of motion (DCM, xi = x + v / omega) of a linear inverted pendulum is planned backwards over the
upcoming footsteps (Englsberger et al., 2015) with piecewise-constant zero-moment points; the swing foot follows a
minimum-jerk path; the trunk stays level at a constant height. Each step starts from where the feet really are.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from core.control.footstep_config import FootstepConfig
from core.control.footsteps import LEFT, STAND, FootstepCommand, feet_planar, foot_sign, middle, rotate_xy
from core.control.leg_chain import STIFFNESS, SolePose, join_legs, split_legs, step_towards
from core.control.training.lower_config import GaitConfig
from core.rigid import (
    matrix_from_quat,
    quat_from_rotvec,
    quat_from_yaw,
    quat_mul,
    quat_rotate,
    wrap_angle,
    yaw_of,
)
from core.t1.kinematics import frames_b
from core.t1.model import DEFAULT_JOINT_POS, LEGS, TOTAL_MASS_KG
from core.types import CONTROL_PERIOD_S, WorldState

GRAVITY = 9.81


@dataclass
class Reference:
    """What to imitate in this control period."""

    base_pos_w: Float[Tensor, "N 3"]
    base_yaw: Float[Tensor, "N"]
    base_roll: Float[Tensor, "N"]
    "rad, towards the stance leg"
    base_vel_w: Float[Tensor, "N 2"]
    "m/s, horizontal"
    foot_w: Float[Tensor, "N 2 4"]
    "x, y, z, yaw of the soles"
    joint_pos: Float[Tensor, "N 12"]
    "legs, order core.t1.model.LEGS"
    joint_vel: Float[Tensor, "N 12"]
    feed_forward: Float[Tensor, "N 12"]
    "rad: offset of the PD target that makes the springs carry the ground reaction"
    swing_phase: Float[Tensor, "N"]
    "0 until lift-off, 1 at touch-down"


def min_jerk(s: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Minimum-jerk progress 0 to 1 for s in [0, 1]."""
    s = s.clamp(0.0, 1.0)
    return s**3 * (10.0 - 15.0 * s + 6.0 * s**2)


def swing_height(s: Float[Tensor, "*n"], rise: Float[Tensor, "*n"], apex: float) -> Float[Tensor, "*n"]:
    """Height of the swing sole over its start for s in [0, 1]: smooth at both ends, `apex` above the higher end."""
    s = s.clamp(0.0, 1.0)
    bump = 64.0 * (s * (1.0 - s)) ** 3  # 1 in the middle, zero slope and curvature at the ends
    return rise * min_jerk(s) + (apex + 0.5 * rise.abs()) * bump


class ReferenceGait:
    """Integrates the reference for N worlds; call `update` after the footstep planner, at 50 Hz."""

    WORLD_FIELDS = ("dcm", "com", "anchor", "anchor_yaw", "base_yaw", "com_offset_b", "joint_pos")
    """Tensors with one row a world: the whole state."""

    def __init__(
        self, num_worlds: int, config: GaitConfig | None = None, footsteps: FootstepConfig | None = None
    ) -> None:
        self.config = config or GaitConfig()
        self.footsteps = footsteps or FootstepConfig()
        self.omega = math.sqrt(GRAVITY / self.config.com_height_m)
        n = num_worlds
        self.dcm = torch.zeros(n, 2)
        "world, m: of the centre of mass"
        self.com = torch.zeros(n, 2)
        self.anchor = torch.zeros(n, 2, 4)
        "x, y, z, yaw of both soles when the step began"
        self.anchor_yaw = torch.zeros(n)
        "heading when the step began"
        self.base_yaw = torch.zeros(n)
        self.com_offset_b = torch.zeros(n, 3)
        "centre of mass relative to the Trunk origin, base axes, legs in the default pose"
        self.joint_pos = torch.zeros(n, 12)
        self._legs_default = torch.tensor(DEFAULT_JOINT_POS[LEGS], dtype=torch.float32)

    def reset(self, worlds: Tensor, state: WorldState) -> None:
        """Start from standing in the chosen worlds: at rest, where the robot is."""
        part = state.select(worlds)
        feet = feet_planar(part)
        ground = part.foot_pos_w[..., 2]
        self.anchor[worlds] = torch.stack((feet[..., 0], feet[..., 1], ground, feet[..., 2]), dim=-1)
        self.com_offset_b[worlds] = self._com_offset(part)
        yaw = yaw_of(part.base_quat_w)
        self.base_yaw[worlds] = yaw
        self.anchor_yaw[worlds] = yaw
        com = part.base_pos_w[:, :2] + rotate_xy(yaw, self.com_offset_b[worlds, :2])
        self.com[worlds] = com
        self.dcm[worlds] = com
        self.joint_pos[worlds] = part.joint_pos[:, LEGS]

    def update(self, state: WorldState, command: FootstepCommand) -> Reference:
        """Advance by one control period: the reference that should be reached at its end."""
        swing = command.swing
        stepping = swing != STAND
        self._take_anchors(state, command)
        share = CONTROL_PERIOD_S / self.config.com_filter_s
        self.com_offset_b = self.com_offset_b + share * (self._com_offset(state) - self.com_offset_b)

        remaining = (command.countdown_s - CONTROL_PERIOD_S).clamp_min(0.0)
        phase = torch.where(stepping, 1.0 - remaining / self.footsteps.swing_s, 0.0).clamp(0.0, 1.0)
        target_w = command.planned_w[:, 0]
        feet_w = self._feet(swing, stepping, phase, target_w)

        zmp = self._zero_moment_point(command, stepping)
        com_before = self.com
        self._integrate(zmp)
        self.base_yaw = self._heading(command, stepping, feet_w)
        roll = self.config.roll_rad * torch.sin(torch.pi * phase) * foot_sign(swing.clamp_min(0))
        attitude = quat_mul(quat_from_yaw(self.base_yaw), quat_from_rotvec(_along_x(roll)))
        base_xy = self.com - quat_rotate(attitude, self.com_offset_b)[:, :2]
        ground = torch.where(
            stepping, self._stance(self.anchor, swing)[:, 2], 0.5 * (self.anchor[:, 0, 2] + self.anchor[:, 1, 2])
        )
        base_pos = torch.cat((base_xy, (ground + self.config.trunk_height_m)[:, None]), dim=-1)
        joint_before = self.joint_pos
        self.joint_pos, feed_forward = self._legs(base_pos, roll, feet_w, zmp, swing, phase)
        return Reference(
            base_pos_w=base_pos,
            base_yaw=self.base_yaw,
            base_roll=roll,
            base_vel_w=(self.com - com_before) / CONTROL_PERIOD_S,
            foot_w=feet_w,
            joint_pos=self.joint_pos,
            joint_vel=(self.joint_pos - joint_before) / CONTROL_PERIOD_S,
            feed_forward=feed_forward,
            swing_phase=phase,
        )

    def _com_offset(self, state: WorldState) -> Tensor:
        joints = state.joint_pos.clone()
        joints[:, LEGS] = self._legs_default.to(joints)
        return frames_b(joints).com

    def _take_anchors(self, state: WorldState, command: FootstepCommand) -> None:
        """A new step starts from where the feet are; the foot that now stands may still be landing: ground height."""
        feet = feet_planar(state)
        rows = torch.arange(len(feet))
        stance = 1 - command.swing.clamp_min(0)
        height = state.foot_pos_w[..., 2].clone()
        height[rows, stance] = command.planned_w[:, 0, 2] - command.target_stance[:, 2]
        standing = (command.swing == STAND)[:, None]
        height = torch.where(standing, command.planned_w[:, :2, 2], height)
        actual = torch.stack((feet[..., 0], feet[..., 1], height, feet[..., 2]), dim=-1)
        self.anchor = torch.where(command.new_step[:, None, None], actual, self.anchor)
        self.anchor_yaw = torch.where(command.new_step, self.base_yaw, self.anchor_yaw)

    @staticmethod
    def _stance(feet: Tensor, swing: Tensor) -> Tensor:
        """Row of the standing foot (the right one while both stand)."""
        return feet[torch.arange(len(swing)), 1 - swing.clamp_min(0)]

    def _feet(self, swing: Tensor, stepping: Tensor, phase: Tensor, target_w: Tensor) -> Tensor:
        rows = torch.arange(len(swing))
        side = swing.clamp_min(0)
        start = self.anchor[rows, side]
        # on the ground a little before the countdown ends: position errors shrink while the foot still moves freely
        progress = min_jerk(phase / 0.94)
        delta = torch.cat((target_w[:, :3] - start[:, :3], wrap_angle(target_w[:, 3:] - start[:, 3:])), dim=-1)
        moved = start + progress[:, None] * delta
        moved[:, 2] = start[:, 2] + swing_height(phase, delta[:, 2], self.config.apex_m)
        feet = self.anchor.clone()
        feet[rows, side] = torch.where(stepping[:, None], moved, start)
        return feet

    def _zero_moment_point(self, command: FootstepCommand, stepping: Tensor) -> Tensor:
        """World ZMP of this period that steers the DCM to the plan, kept inside the feet."""
        swing = command.swing
        omega, config = self.omega, self.footsteps
        stance = self._stance(self.anchor, swing)
        feet_xy = self._with_ankle_centre(self.anchor)
        centre = feet_xy.mean(dim=1)
        goal = self._dcm_at_touch_down(command)
        until_touch_down = command.countdown_s.clamp_min(CONTROL_PERIOD_S)
        until_lift_off = (command.countdown_s - config.swing_s).clamp_min(0.0)
        in_double = stepping & (until_lift_off > 1e-4)
        stance_xy = self._stance(feet_xy, swing)
        # single support: reach the goal at touch-down; double support: reach what single support needs at lift-off
        at_lift_off = stance_xy + math.exp(-omega * config.swing_s) * (goal - stance_xy)
        goal = torch.where(in_double[:, None], at_lift_off, goal)
        horizon = torch.where(in_double, until_lift_off.clamp_min(CONTROL_PERIOD_S), until_touch_down)
        growth = torch.exp(omega * horizon)[:, None]
        steer = (goal - growth * self.dcm) / (1.0 - growth)
        stand = self.dcm + self.config.stand_rate_hz / omega * (self.dcm - centre)
        wanted = torch.where(stepping[:, None], steer, stand)
        both = in_double | ~stepping
        single_zmp = self._clip_to_foot(wanted, stance_xy, stance[:, 3])
        return torch.where(both[:, None], self._clip_between_feet(wanted, feet_xy), single_zmp)

    @staticmethod
    def _with_ankle_centre(feet: Tensor) -> Tensor:
        """Middle of each sole, world x, y: it lies 1 cm in front of the ankle axis."""
        forward = torch.tensor([0.01, 0.0]).expand(*feet.shape[:-1], 2)
        return feet[..., :2] + rotate_xy(feet[..., 3], forward)

    def _dcm_at_touch_down(self, command: FootstepCommand) -> Tensor:
        """Backward recursion over the planned steps."""
        omega, config = self.omega, self.footsteps
        planned = self._with_ankle_centre(command.planned_w)  # (N, P, 2)
        dcm = 0.5 * (planned[:, -1] + planned[:, -2])
        for k in range(planned.shape[1] - 2, -1, -1):
            stance = planned[:, k]  # stands during step k + 1
            before = planned[:, k - 1] if k > 0 else self._stance(self._with_ankle_centre(self.anchor), command.swing)
            lift_off = stance + math.exp(-omega * config.swing_s) * (dcm - stance)
            transfer = 0.5 * (before + stance)
            dcm = transfer + math.exp(-omega * config.double_support_s) * (lift_off - transfer)
        return dcm

    @staticmethod
    def _clip_to_foot(point: Tensor, foot_xy: Tensor, yaw: Tensor) -> Tensor:
        bound = torch.tensor([0.07, 0.025])
        local = rotate_xy(-yaw, point - foot_xy).clamp(-bound, bound)
        return foot_xy + rotate_xy(yaw, local)

    @staticmethod
    def _clip_between_feet(point: Tensor, feet_xy: Tensor) -> Tensor:
        """Near the segment from foot to foot: along it to its ends, across it as far as a sole reaches."""
        right, left = feet_xy[:, 1], feet_xy[:, 0]
        along = left - right
        length = along.norm(dim=-1, keepdim=True).clamp_min(1e-3)
        unit = along / length
        offset = point - right
        t = (offset * unit).sum(-1, keepdim=True)
        across = offset - t * unit
        reach = across.norm(dim=-1, keepdim=True).clamp_min(1e-6)
        return right + t.clamp_min(0.0).minimum(length) * unit + across * (0.07 / reach).clamp_max(1.0)

    def _integrate(self, zmp: Tensor) -> None:
        """Exact motion of the pendulum over one period with a constant ZMP."""
        growth = math.exp(self.omega * CONTROL_PERIOD_S)
        convergent = 2.0 * self.com - self.dcm
        self.dcm = zmp + growth * (self.dcm - zmp)
        convergent = zmp + (convergent - zmp) / growth
        self.com = 0.5 * (self.dcm + convergent)

    def _heading(self, command: FootstepCommand, stepping: Tensor, feet_w: Tensor) -> Tensor:
        """The trunk turns to the middle of the feet that the step ends with."""
        stance_yaw = self._stance(self.anchor, command.swing)[:, 3]
        stepped = stance_yaw + 0.5 * wrap_angle(command.planned_w[:, 0, 3] - stance_yaw)
        standing = middle(self.anchor[..., [0, 1, 3]])[:, 2]
        goal = torch.where(stepping, stepped, standing)
        duration = self.footsteps.step_s
        progress = min_jerk(1.0 - (command.countdown_s - CONTROL_PERIOD_S) / duration)
        stepped_yaw = self.anchor_yaw + progress * wrap_angle(goal - self.anchor_yaw)
        slow = self.base_yaw + 3.0 * CONTROL_PERIOD_S * wrap_angle(goal - self.base_yaw)
        return torch.where(stepping, stepped_yaw, slow)

    def _legs(
        self, base_pos: Tensor, roll: Tensor, feet_w: Tensor, zmp: Tensor, swing: Tensor, phase: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Inverse kinematics of both legs, and the feed-forward of the ground reaction."""
        yaw = self.base_yaw[:, None]
        offset = feet_w[..., :3] - base_pos[:, None]
        local = torch.cat((rotate_xy(-yaw, offset[..., :2]), offset[..., 2:]), dim=-1)  # (N, 2, 3), heading axes
        level = quat_from_rotvec(_along_x(-roll))[:, None]
        local = quat_rotate(level, local)  # base axes
        turn = wrap_angle(feet_w[..., 3] - yaw)
        quat = quat_mul(level.expand(-1, 2, -1), quat_from_yaw(turn))
        mirror = torch.tensor([1.0, -1.0, 1.0])
        pos = torch.cat((local[:, 0], local[:, 1] * mirror))
        matrix = matrix_from_quat(torch.cat((quat[:, 0], quat[:, 1] * torch.tensor([1.0, -1.0, 1.0, -1.0]))))
        rows, sole = step_towards(split_legs(self.joint_pos), pos, matrix)
        load = self._load_share(feet_w, zmp, swing, phase)
        zmp_b = rotate_xy(-self.base_yaw, zmp - base_pos[:, :2])
        return join_legs(rows), join_legs(_feed_forward(sole, zmp_b, load, self.config.hip_roll_torque_nm))

    def _load_share(self, feet_w: Tensor, zmp: Tensor, swing: Tensor, phase: Tensor) -> Tensor:
        """(N, 2) part of the weight on each foot."""
        along = feet_w[:, 0, :2] - feet_w[:, 1, :2]
        left = (((zmp - feet_w[:, 1, :2]) * along).sum(-1) / along.square().sum(-1).clamp_min(1e-4)).clamp(0.0, 1.0)
        flying = (swing != STAND) & (phase > 0)
        left = torch.where(flying, (swing != LEFT).float(), left)
        return torch.stack((left, 1.0 - left), dim=-1)


def _along_x(angle: Tensor) -> Tensor:
    return torch.nn.functional.pad(angle[:, None], (0, 2))


def _feed_forward(sole: SolePose, zmp_b: Tensor, load: Tensor, hip_roll_limit: float) -> Tensor:
    """(2N, 6) rad: J^T f / kp of the vertical ground reaction, which acts at the ZMP inside each sole."""
    mirrored = torch.cat((zmp_b, zmp_b * torch.tensor([1.0, -1.0])))
    reach = torch.tensor([0.08, 0.03])
    local = (mirrored - sole.pos[:, :2]).clamp(-reach, reach)
    point = torch.cat((sole.pos[:, :2] + local, sole.pos[:, 2:]), dim=-1)
    force = TOTAL_MASS_KG * GRAVITY * load.T.reshape(-1)
    torque = -sole.jacobian(point)[:, 2] * force[:, None]
    torque[:, 1] = torque[:, 1].clamp(-hip_roll_limit, hip_roll_limit)
    return torque / STIFFNESS
