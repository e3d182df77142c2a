"""pi_upper's interface: mirror symmetry, bounded view of the command, baseline IK, errors."""

import pytest
import torch

from core.backends.mujoco import default_initial_state
from core.control import upper
from core.control.arm_chain import forward_kinematics, gravity_torque, split_arms
from core.control.ik_arms import IkArmController
from core.control.upper import UpperController, arms_of, hand_rows, hand_sides, near_command
from core.rl.checkpoint import CheckpointError, save_checkpoint
from core.rl.networks import Actor
from core.rl.ppo_config import ActorCriticConfig
from core.t1.kinematics import frames_w
from core.t1.model import ARMS, DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.types import WorldState, gripper_open

HIDDEN = (16,)


def _state(joint_pos: torch.Tensor, base_quat: torch.Tensor | None = None) -> WorldState:
    n = len(joint_pos)
    start = default_initial_state(Scene("s"), n)
    quat = start.base_quat_w if base_quat is None else base_quat
    frames = frames_w(start.base_pos_w, quat, joint_pos)
    zero = torch.zeros(n, 2, 3)
    return WorldState(
        time_s=torch.zeros(n), base_pos_w=start.base_pos_w, base_quat_w=quat, base_lin_vel_b=torch.zeros(n, 3),
        base_ang_vel_b=torch.zeros(n, 3), joint_pos=joint_pos, joint_vel=torch.zeros(n, 29),
        joint_torque=torch.zeros(n, 29), gripper_opening=gripper_open(n), hand_pos_w=frames.hand_pos,
        hand_quat_w=frames.hand_quat, foot_pos_w=frames.foot_pos, foot_quat_w=frames.foot_quat,
        foot_force_w=zero, hand_force_w=zero.clone(),
    )  # fmt: skip


def _actor(seed: int = 0) -> Actor:
    torch.manual_seed(seed)
    actor = Actor(upper.LAYOUT.obs_size, upper.LAYOUT.action_size, ActorCriticConfig(HIDDEN, HIDDEN))
    torch.nn.init.normal_(actor.body[-1].weight, std=0.3)  # type: ignore[arg-type]
    return actor


def _default(n: int) -> torch.Tensor:
    return torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32).repeat(n, 1)


def test_that_the_observation_has_the_size_of_its_layout():
    arms = arms_of(_state(_default(3)))
    obs = upper.observation(arms, arms.hand_pos_b, arms.hand_quat_b, torch.zeros(6, 7))
    assert obs.shape == (6, upper.LAYOUT.obs_size)
    torch.testing.assert_close(obs[:, -6:], torch.zeros(6, 6), atol=1e-5, rtol=0)  # no tracking error


def test_that_arms_see_the_same_in_a_mirrored_world():
    joint_pos = _default(1)
    joint_pos[:, ARMS] += 0.2 * torch.randn(1, 14, generator=torch.Generator().manual_seed(1))
    roll = torch.tensor([[0.995, 0.0998, 0.0, 0.0]])
    left, right = split_arms(joint_pos[:, ARMS])
    mirrored = joint_pos.clone()
    mirrored[:, ARMS] = upper.join_arms(torch.stack((right, left)))
    arms, swapped = arms_of(_state(joint_pos, roll)), arms_of(_state(mirrored, roll * torch.tensor([1.0, -1, 1, -1])))
    for name in ("gravity_b", "joint_pos", "hand_pos_b"):
        torch.testing.assert_close(getattr(arms, name), getattr(swapped, name).flip(0), atol=1e-5, rtol=0)
    assert bool(((arms.hand_quat_b * swapped.hand_quat_b.flip(0)).sum(-1).abs() > 1 - 1e-5).all())


def test_that_symmetric_commands_give_symmetric_targets():
    controller = UpperController(_actor())
    state = _state(_default(4))
    pos = torch.tensor([[0.36, 0.24, 0.05], [0.36, -0.24, 0.05]]).repeat(4, 1, 1)
    quat = torch.tensor([1.0, 0, 0, 0]).repeat(4, 2, 1)
    left, right = split_arms(controller.act(state, pos, quat)).reshape(4, 2, 7).unbind(1)
    torch.testing.assert_close(left, right, atol=1e-5, rtol=0)
    assert float((left - upper.DEFAULT_ARM_POS).abs().max()) > 1e-3


def test_that_the_policy_sees_a_far_command_near_the_hand():
    arms = arms_of(_state(_default(1)))
    far = arms.hand_pos_b + torch.tensor([3.0, 0.0, 0.0])
    turned = torch.tensor([[0.0, 0.0, 1.0, 0.0]]).repeat(2, 1)
    pos, quat = near_command(arms, far, turned)
    torch.testing.assert_close((pos - arms.hand_pos_b)[:, 0], torch.full((2,), upper.MAX_POSITION_ERROR_M))
    turn = upper.rotation_error(arms.hand_quat_b, quat).norm(dim=-1)
    torch.testing.assert_close(turn, torch.full((2,), upper.MAX_ROTATION_ERROR_RAD))
    near = arms.hand_pos_b + 0.01
    torch.testing.assert_close(near_command(arms, near, arms.hand_quat_b)[0], near)


def test_that_hand_rows_come_back():
    pos, quat = torch.randn(3, 2, 3), torch.randn(3, 2, 4)
    back = hand_sides(*hand_rows(pos, quat))
    torch.testing.assert_close(back, (pos, quat))


def test_that_a_reset_forgets_the_last_action_of_chosen_worlds_only():
    controller = UpperController(_actor())
    state = _state(_default(3))
    pos, quat = hand_sides(*hand_rows(state.hand_pos_w - state.base_pos_w[:, None], state.hand_quat_w))
    first = controller.act(state, pos, quat)
    second = controller.act(state, pos, quat)
    controller.reset(torch.tensor([1]))
    third = controller.act(state, pos, quat)
    torch.testing.assert_close(third[1], first[1])
    assert not torch.allclose(third[0], first[0], atol=1e-4)
    assert not torch.allclose(second[1], first[1], atol=1e-4)


def test_that_a_saved_controller_acts_as_before(tmp_path):
    actor = _actor(3)
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, actor.state_dict(), upper.LAYOUT, {"actor_hidden": list(HIDDEN)})
    state = _state(_default(2))
    quat = torch.tensor([1.0, 0, 0, 0]).repeat(2, 2, 1)
    pos = torch.tensor([[0.35, 0.2, 0.0], [0.35, -0.2, 0.0]]).repeat(2, 1, 1)
    expected = UpperController(actor).act(state, pos, quat)
    torch.testing.assert_close(UpperController.load(path).act(state, pos, quat), expected)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        UpperController.load(tmp_path / "other.safetensors")


def test_that_inverse_kinematics_reaches_a_command_and_starts_again_where_the_arm_is():
    controller = IkArmController()
    goal = upper.DEFAULT_ARM_POS + 0.3 * torch.randn(2, 7, generator=torch.Generator().manual_seed(2))
    pose = forward_kinematics(goal)
    pos, quat = hand_sides(pose.pos, pose.quat)
    joint_pos = _default(1)
    for _ in range(200):
        targets = controller.act(_state(joint_pos), pos, quat)
    reached = forward_kinematics(split_arms(targets))
    torch.testing.assert_close(reached.pos, pose.pos, atol=2e-3, rtol=0)
    controller.reset(torch.tensor([0]))
    again = split_arms(controller.act(_state(joint_pos), pos, quat))
    assert float((again - upper.DEFAULT_ARM_POS).abs().max()) < 0.1 + 1e-6


def test_that_gravity_torque_is_the_slope_of_potential_energy():
    q = (upper.DEFAULT_ARM_POS + 0.3 * torch.randn(5, 7, generator=torch.Generator().manual_seed(0))).double()
    down = torch.tensor([[0.1, -0.2, -0.97]], dtype=torch.float64).repeat(5, 1)
    down /= down.norm(dim=-1, keepdim=True)
    torque = gravity_torque(q, down)
    from core.control.arm_chain import ARM_JOINTS, LINK_BY_NAME

    def energy(q: torch.Tensor) -> torch.Tensor:
        import mujoco
        import numpy as np

        from core.t1.mjcf import load_spec

        model = load_spec(fixed_base=True, fixed_base_height=0.0).compile()
        data = mujoco.MjData(model)
        out = []
        for row in q:
            for joint, value in zip(ARM_JOINTS, row):
                data.qpos[model.joint(joint.name).qposadr[0]] = float(value)
            data.qpos[[model.joint(f"left_finger_{i}").qposadr[0] for i in (1, 2)]] = 0.0385  # the facts' open hand
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            names = [joint.child for joint in ARM_JOINTS] + ["left_finger_1", "left_finger_2"]
            mass = np.array([model.body(name).mass[0] for name in names])
            com = np.array([data.xipos[model.body(name).id] for name in names])
            out.append(float(-9.81 * (mass[:, None] * com).sum(0) @ down[0].numpy()))
        return torch.tensor(out, dtype=torch.float64)

    assert LINK_BY_NAME["left_hand_link"].mass > 0.3
    h = 1e-4
    for j in range(7):
        step = torch.zeros(7, dtype=torch.float64)
        step[j] = h
        slope = (energy(q + step) - energy(q - step)) / (2 * h)
        torch.testing.assert_close(torque[:, j], slope, atol=5e-3, rtol=0)
