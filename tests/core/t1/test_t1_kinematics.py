"""Torch kinematics against MuJoCo, at random configurations."""

import mujoco
import numpy as np
import pytest
import torch

from core.rigid import quat_normalize
from core.t1.kinematics import RobotFrames, frames_b, frames_w
from core.t1.mjcf import load_spec
from core.t1.model import DEFAULT_BASE_HEIGHT_M, DEFAULT_JOINT_POS, JOINT_NAMES, LOWER_LIMIT, UPPER_LIMIT

COUNT = 300


def random_states(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    base_pos = torch.randn(COUNT, 3, generator=generator, dtype=torch.float64)
    base_quat = quat_normalize(torch.randn(COUNT, 4, generator=generator, dtype=torch.float64))
    low, high = torch.from_numpy(LOWER_LIMIT), torch.from_numpy(UPPER_LIMIT)
    joint_pos = low + (high - low) * torch.rand(COUNT, 29, generator=generator, dtype=torch.float64)
    return base_pos.to(dtype), base_quat.to(dtype), joint_pos.to(dtype)


def mujoco_frames(base_pos: torch.Tensor, base_quat: torch.Tensor, joint_pos: torch.Tensor) -> dict[str, np.ndarray]:
    model = load_spec().compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(1)
    rows: dict[str, list[np.ndarray]] = {}
    for pos, quat, joints in zip(base_pos.numpy(), base_quat.numpy(), joint_pos.numpy()):
        data.joint("base_free").qpos[:] = np.concatenate((pos, quat))
        for name, angle in zip(JOINT_NAMES, joints):
            data.joint(name).qpos[0] = angle
        for side in ("left", "right"):
            half = rng.uniform(0.0, 0.0385)  # the opening does not move the centre of mass
            data.joint(f"{side}_finger_1").qpos[0] = data.joint(f"{side}_finger_2").qpos[0] = half
        mujoco.mj_forward(model, data)
        for name in ("hand", "grasp", "foot"):
            sites = [data.site(f"{side}_{name}") for side in ("left", "right")]
            rows.setdefault(f"{name}_pos", []).append(np.array([s.xpos for s in sites]))
            rows.setdefault(f"{name}_mat", []).append(np.array([s.xmat.reshape(3, 3) for s in sites]))
        rows.setdefault("com", []).append(data.subtree_com[model.body("Trunk").id].copy())
    return {name: np.array(values) for name, values in rows.items()}


def matrices(quat: torch.Tensor) -> np.ndarray:
    out = np.zeros((*quat.shape[:-1], 9))
    for index in np.ndindex(*quat.shape[:-1]):
        mujoco.mju_quat2Mat(out[index], quat[index].double().numpy())
    return out.reshape(*quat.shape[:-1], 3, 3)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_that_frames_and_centre_of_mass_agree_with_mujoco(dtype: torch.dtype, tolerance: float) -> None:
    expected = mujoco_frames(*random_states())

    frames = frames_w(*random_states(dtype))

    for name in ("hand_pos", "grasp_pos", "foot_pos", "com"):
        np.testing.assert_allclose(getattr(frames, name).numpy(), expected[name], atol=tolerance, err_msg=name)
    np.testing.assert_allclose(matrices(frames.hand_quat), expected["hand_mat"], atol=tolerance)
    np.testing.assert_allclose(matrices(frames.hand_quat), expected["grasp_mat"], atol=tolerance)
    np.testing.assert_allclose(matrices(frames.foot_quat), expected["foot_mat"], atol=tolerance)


def vendor_stand() -> RobotFrames:
    """The stand of booster_train: knees bent, arms hanging."""
    pose = {"Hip_Pitch": -0.2, "Knee_Pitch": 0.4, "Ankle_Pitch": -0.2, "Shoulder_Pitch": 0.2}
    joints = torch.zeros(1, 29, dtype=torch.float64)
    for side, sign in (("Left", -1.0), ("Right", 1.0)):
        for name, angle in {**pose, "Shoulder_Roll": sign * 1.3, "Elbow_Yaw": sign * 0.5}.items():
            joints[0, JOINT_NAMES.index(f"{side}_{name}")] = angle
    return frames_b(joints)


def test_that_the_vendors_stand_has_the_published_heights() -> None:
    """Heights computed from the vendor's URDF: trunk origin 0.6791 m, centre of mass 0.5907 m above the soles."""
    frames = vendor_stand()

    np.testing.assert_allclose(frames.foot_pos[0, :, 2], -0.6791026, atol=1e-6)
    np.testing.assert_allclose(frames.foot_quat[0], [[1, 0, 0, 0]] * 2, atol=1e-6)
    assert float(frames.com[0, 2]) + 0.6791026 == pytest.approx(0.5907302, abs=1e-6)
    assert float(frames.com[0, 0] - frames.foot_pos[0, 0, 0]) == pytest.approx(0.0221, abs=1e-4)


def test_that_the_default_pose_stands_on_flat_soles() -> None:
    frames = frames_b(torch.from_numpy(DEFAULT_JOINT_POS)[None])

    np.testing.assert_allclose(frames.foot_pos[0, :, 2], -DEFAULT_BASE_HEIGHT_M, atol=1e-4)
    np.testing.assert_allclose(frames.foot_quat[0], [[1, 0, 0, 0]] * 2, atol=1e-6)


def test_that_the_palms_face_each_other_with_forearms_forward() -> None:
    joints = torch.zeros(1, 29, dtype=torch.float64)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        joints[0, JOINT_NAMES.index(f"{side}_Shoulder_Roll")] = -sign * np.pi / 2
        joints[0, JOINT_NAMES.index(f"{side}_Elbow_Yaw")] = -sign * np.pi / 2

    frames = frames_b(joints)

    # upper arms hang, forearms point forward: hand frames are the base frame up to the shoulder's 0.9 mrad
    np.testing.assert_allclose(matrices(frames.hand_quat)[0], [np.eye(3)] * 2, atol=2e-3)
    assert float(frames.hand_pos[0, 0, 1]) > 0 > float(frames.hand_pos[0, 1, 1])
