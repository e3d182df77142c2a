"""A world without dynamics: the base follows its velocity, the hands their poses, the box the palms that press it."""

from dataclasses import dataclass

import pytest
import torch

from core.rigid import quat_from_yaw, quat_mul, quat_rotate, yaw_of
from core.t1.kinematics import frames_b
from core.t1.model import PALM_FACE_OFFSET_M
from core.tasks.box_pickup import BoxPickup
from core.types import BodyState, Command, WorldState

PERIOD_S = 0.1


@dataclass
class KinematicWorld:
    """N box pick-ups. `grip_m`: the box sticks to palms that press deeper than this."""

    task: BoxPickup
    state: WorldState
    grip_m: torch.Tensor

    @classmethod
    def start(cls, task: BoxPickup, seed: int = 0, grip_m: float = 0.02) -> "KinematicWorld":
        n = task.num_worlds
        initial, _, parameters = task.sample_initial(n, torch.Generator().manual_seed(seed))
        task.reset(torch.arange(n), parameters)
        hands = frames_b(initial.joint_pos)
        base_quat = initial.base_quat_w[:, None]
        unit = torch.tensor([1.0, 0.0, 0.0, 0.0])
        state = WorldState(
            time_s=torch.zeros(n),
            base_pos_w=initial.base_pos_w,
            base_quat_w=initial.base_quat_w,
            base_lin_vel_b=torch.zeros(n, 3),
            base_ang_vel_b=torch.zeros(n, 3),
            joint_pos=initial.joint_pos,
            joint_vel=initial.joint_vel,
            joint_torque=torch.zeros(n, 29),
            gripper_opening=initial.gripper_opening,
            hand_pos_w=initial.base_pos_w[:, None] + quat_rotate(base_quat, hands.hand_pos),
            hand_quat_w=quat_mul(base_quat, hands.hand_quat),
            foot_pos_w=torch.zeros(n, 2, 3),
            foot_quat_w=unit.repeat(n, 2, 1),
            foot_force_w=torch.zeros(n, 2, 3),
            hand_force_w=torch.zeros(n, 2, 3),
            objects=initial.objects,
        )
        return cls(task, state, torch.full((n,), grip_m))

    def step(self, command: Command) -> WorldState:
        state = self.state
        yaw = yaw_of(state.base_quat_w)
        turn = quat_from_yaw(yaw)
        flat = torch.cat((command.base_velocity[:, :2], torch.zeros_like(yaw)[:, None]), dim=-1)
        base_pos = state.base_pos_w + PERIOD_S * quat_rotate(turn, flat)
        base_quat = quat_from_yaw(yaw + PERIOD_S * command.base_velocity[:, 2])
        wanted = base_pos[:, None] + quat_rotate(base_quat[:, None], command.hand_pos_b)
        hands, box = self._touch(wanted, state.objects["box"], yaw_of(base_quat))
        self.state = WorldState(
            time_s=state.time_s + PERIOD_S,
            base_pos_w=base_pos,
            base_quat_w=base_quat,
            base_lin_vel_b=torch.cat((command.base_velocity[:, :2], torch.zeros_like(yaw)[:, None]), dim=-1),
            base_ang_vel_b=torch.zeros_like(base_pos),
            joint_pos=state.joint_pos,
            joint_vel=state.joint_vel,
            joint_torque=state.joint_torque,
            gripper_opening=command.gripper_opening,
            hand_pos_w=hands,
            hand_quat_w=quat_mul(base_quat[:, None], command.hand_quat_b),
            foot_pos_w=state.foot_pos_w,
            foot_quat_w=state.foot_quat_w,
            foot_force_w=state.foot_force_w,
            hand_force_w=state.hand_force_w,
            objects={"box": box},
        )
        return self.state

    def _touch(self, wanted: torch.Tensor, box: BodyState, base_yaw: torch.Tensor) -> tuple[torch.Tensor, BodyState]:
        """Palms stop at the faces between them; a box that is pressed goes along, else it lies on the table."""
        size = self.task.parameters["box_size"]
        yaw = yaw_of(box.quat_w)
        yaw = torch.where((yaw - base_yaw).cos() < 0, yaw + torch.pi, yaw)
        to_box = quat_from_yaw(-yaw)[:, None]
        local = quat_rotate(to_box, wanted - box.pos_w[:, None])
        touching = 0.5 * size[:, 1] + PALM_FACE_OFFSET_M
        over = (local[..., [0, 2]].abs() < 0.5 * size[:, None, [0, 2]] + 0.03).all(dim=-1).all(dim=-1)
        depth = touching - 0.5 * (local[:, 0, 1] - local[:, 1, 1])
        blocked = over & (depth > 0)
        local[:, 0, 1] += torch.where(blocked, depth, 0.0)
        local[:, 1, 1] -= torch.where(blocked, depth, 0.0)
        hands = box.pos_w[:, None] + quat_rotate(quat_from_yaw(yaw)[:, None], local)
        held = over & (depth > self.grip_m)
        rest = self.task.parameters["table_top"][:, 0] + 0.5 * size[:, 2]
        pos = box.pos_w.clone()
        pos[:, 2] = rest
        follow = box.pos_w + quat_rotate(quat_from_yaw(yaw), local.mean(dim=1) - self._grip_point)
        follow[:, 2] = torch.maximum(follow[:, 2], rest)
        pos = torch.where((held & self._was_held)[:, None], follow, pos)
        self._grip_point = torch.where((held & self._was_held)[:, None], self._grip_point, local.mean(dim=1))
        self._was_held = held
        return hands, BodyState(pos, box.quat_w, box.lin_vel_w, box.ang_vel_w)

    def __post_init__(self) -> None:
        n = self.task.num_worlds
        self._grip_point = torch.zeros(n, 3)
        self._was_held = torch.zeros(n, dtype=torch.bool)


@pytest.fixture
def kinematic_world():
    return KinematicWorld
