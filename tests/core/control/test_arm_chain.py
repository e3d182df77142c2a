"""Laws of the arm chain: mirror symmetry, derivative, inverse kinematics, and the ready pose."""

import mujoco
import numpy as np
import torch

from core.control import arm_chain
from core.control.arm_chain import LOWER, UPPER, forward_kinematics, inverse_kinematics, join_arms, split_arms
from core.rigid import rotation_error
from core.t1.mjcf import load_spec
from core.t1.model import ARMS, DEFAULT_JOINT_POS, JOINT_NAMES, LEFT_ARM, LOWER_LIMIT, UPPER_LIMIT

Q_DEF = torch.tensor(DEFAULT_JOINT_POS[ARMS], dtype=torch.float32)[None]


def _random_arms(n: int, seed: int = 0) -> torch.Tensor:
    u = torch.rand(n, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return LOWER + (UPPER - LOWER) * u


def _model() -> tuple[mujoco.MjModel, mujoco.MjData, np.ndarray]:
    model = load_spec(fixed_base=True, fixed_base_height=0.0).compile()
    return model, mujoco.MjData(model), np.array([model.joint(name).qposadr[0] for name in JOINT_NAMES])


def test_that_both_hands_are_where_mujoco_puts_them():
    model, data, addresses = _model()
    rows = _random_arms(40)
    for i, arms in enumerate(join_arms(rows)):
        data.qpos[addresses[ARMS]] = arms.numpy()
        mujoco.mj_kinematics(model, data)
        pose = forward_kinematics(rows[2 * i : 2 * i + 2])
        for s, side in enumerate(("left", "right")):
            pos = pose.pos[s] * (arm_chain.VECTOR_MIRROR if s else 1.0)
            quat = pose.quat[s] * (arm_chain.QUAT_MIRROR if s else 1.0)
            found = np.zeros(4)
            mujoco.mju_mat2Quat(found, data.site(f"{side}_hand").xmat)
            np.testing.assert_allclose(pos, data.site(f"{side}_hand").xpos, atol=1e-9)
            assert abs(abs(float(quat @ torch.as_tensor(found))) - 1) < 1e-9


def test_that_splitting_and_joining_arms_cancel():
    arms = torch.randn(5, 14, dtype=torch.float64)
    torch.testing.assert_close(join_arms(split_arms(arms)), arms)


def test_that_the_jacobian_is_the_derivative():
    q, h = _random_arms(8), 1e-6
    pose = forward_kinematics(q)
    for j in range(7):
        step = torch.zeros(7, dtype=torch.float64)
        step[j] = h
        after, before = forward_kinematics(q + step), forward_kinematics(q - step)
        torch.testing.assert_close((after.pos - before.pos) / (2 * h), pose.jacobian[:, :3, j], atol=1e-6, rtol=0)
        turn = rotation_error(before.quat, after.quat) / (2 * h)
        torch.testing.assert_close(turn, pose.jacobian[:, 3:, j], atol=1e-5, rtol=0)


def test_that_inverse_kinematics_finds_reachable_poses_inside_limits():
    goal = _random_arms(64, seed=1) * 0.5 + 0.5 * Q_DEF[:, :7]
    target = forward_kinematics(goal)
    start = goal + 0.3 * torch.randn(64, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    q, pos_error, rot_error = inverse_kinematics(
        target.pos, target.quat, start.clamp(LOWER, UPPER), Q_DEF[0, :7].double(), iterations=150, rest_gain=0.0
    )
    assert float(((pos_error < 1e-3) & (rot_error < 1e-2)).float().mean()) > 0.9
    assert ((q >= LOWER) & (q <= UPPER)).all()


def test_that_the_null_space_pull_does_not_move_the_hand():
    q = _random_arms(16, seed=3)
    jacobian = forward_kinematics(q).jacobian
    step = arm_chain.damped_step(jacobian, torch.zeros(16, 6, dtype=torch.float64), 0.1 * torch.ones_like(q), 1e-4)
    assert float((jacobian @ step[..., None]).abs().max()) < 1e-3


def test_that_the_ready_pose_has_palms_facing_each_other_and_room_to_every_limit():
    left, right = split_arms(Q_DEF)
    torch.testing.assert_close(left, right)
    pose = forward_kinematics(left[None])
    torch.testing.assert_close(pose.pos, torch.tensor([[0.32, 0.21, 0.02]]), atol=0.005, rtol=0)
    assert float(rotation_error(pose.quat, torch.tensor([[1.0, 0, 0, 0]])).norm()) < 0.02
    room = np.minimum(DEFAULT_JOINT_POS - LOWER_LIMIT, UPPER_LIMIT - DEFAULT_JOINT_POS)[LEFT_ARM]
    assert room.min() > 0.45


def test_that_the_ready_pose_touches_nothing():
    model, data, addresses = _model()
    data.qpos[addresses] = DEFAULT_JOINT_POS
    mujoco.mj_forward(model, data)
    assert data.ncon == 0


def test_that_the_palms_of_the_ready_pose_face_each_other():
    normal = arm_chain.palm_normal(torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(normal, torch.tensor([[0.0, -1.0, 0.0]]))
    quarter_turn = torch.tensor([[0.5**0.5, 0.0, 0.0, 0.5**0.5]])
    torch.testing.assert_close(arm_chain.palm_normal(quarter_turn), torch.tensor([[1.0, 0.0, 0.0]]))
