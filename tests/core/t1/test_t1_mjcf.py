"""The compiled MuJoCo model against the facts."""

import mujoco
import numpy as np
import pytest

from core.t1 import gripper
from core.t1.build_mjcf import build
from core.t1.facts import JOINTS, LINKS
from core.t1.gripper import MassProperties, combine
from core.t1.mjcf import MJCF_PATH, load_spec
from core.t1.model import DEFAULT_JOINT_POS, HAND_LINKS, JOINT_NAMES, SIDES, TOTAL_MASS_KG

GRAVITY = 9.81
ARM_LINKS = {"AL3", "AL4", "AL6", "left_hand_link", "left_finger_1", "left_finger_2"}
LEFT_LEG_LINKS = {"Hip_Yaw_Left", "Shank_Left", "left_foot_link"}
RIGHT_LEG_LINKS = {"Hip_Yaw_Right", "Shank_Right", "right_foot_link"}


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return load_spec().compile()


def floor_model(**kwargs: object) -> mujoco.MjModel:
    spec = load_spec(**kwargs)
    spec.worldbody.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[5, 5, 0.1])
    return spec.compile()


def put_default(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    for name, angle in zip(JOINT_NAMES, DEFAULT_JOINT_POS):
        data.joint(name).qpos[0] = angle
    data.ctrl[: len(JOINT_NAMES)] = DEFAULT_JOINT_POS


def properties_of(model: mujoco.MjModel, body: str) -> MassProperties:
    b = model.body(body)
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, b.iquat)
    rotation = rotation.reshape(3, 3)
    return MassProperties(b.mass[0], b.ipos.copy(), rotation @ np.diag(b.inertia) @ rotation.T)


def test_that_the_checked_in_mjcf_is_what_the_generator_writes() -> None:
    assert MJCF_PATH.read_text() == build(), "run python -m core.t1.build_mjcf"


def test_that_the_compiled_mass_is_the_vendors(model: mujoco.MjModel) -> None:
    assert model.body_mass.sum() == pytest.approx(TOTAL_MASS_KG, abs=1e-9)
    assert pytest.approx(34.632, abs=1e-3) == TOTAL_MASS_KG


@pytest.mark.parametrize("link", [link for link in LINKS if link.name not in HAND_LINKS], ids=lambda link: link.name)
def test_that_every_link_has_the_vendors_mass_and_inertia(model: mujoco.MjModel, link) -> None:
    compiled, fact = properties_of(model, link.name), MassProperties.of_link(link)

    assert compiled.mass == pytest.approx(fact.mass, abs=1e-9)
    np.testing.assert_allclose(compiled.com, fact.com, atol=1e-9)
    np.testing.assert_allclose(compiled.inertia, fact.inertia, atol=1e-9)


@pytest.mark.parametrize("side", SIDES)
def test_that_palm_and_fingers_together_are_the_vendors_hand(model: mujoco.MjModel, side: str) -> None:
    parts = [properties_of(model, f"{side}_hand_link")]
    for finger in (1, 2):
        own = properties_of(model, f"{side}_finger_{finger}")
        slid = [0.5 * gripper.NOMINAL_OPENING_M * (1 if finger == 1 else -1), 0.0, 0.0]
        offset = model.body(f"{side}_finger_{finger}").pos + slid
        parts.append(MassProperties(own.mass, own.com + offset, own.inertia))

    hand, fact = combine(*parts), MassProperties.of_link(next(x for x in LINKS if x.name == f"{side}_hand_link"))

    assert hand.mass == pytest.approx(fact.mass, abs=1e-9)
    np.testing.assert_allclose(hand.com, fact.com, atol=1e-9)
    np.testing.assert_allclose(hand.inertia, fact.inertia, atol=1e-9)


@pytest.mark.parametrize("joint", JOINTS, ids=lambda joint: joint.name)
def test_that_every_joint_has_its_limits_armature_and_drive(model: mujoco.MjModel, joint) -> None:
    compiled, drive = model.joint(joint.name), model.actuator(joint.name)

    np.testing.assert_allclose(compiled.range, (joint.lower, joint.upper), atol=1e-12)
    assert model.dof_armature[compiled.dofadr[0]] == joint.armature
    assert model.jnt_limited[compiled.id]
    np.testing.assert_allclose(drive.forcerange, (-joint.effort, joint.effort))
    assert drive.trnid[0] == compiled.id
    assert drive.gainprm[0] == joint.kp
    np.testing.assert_allclose(drive.biasprm[:3], (0.0, -joint.kp, -joint.kd))


def test_that_the_drives_are_in_canonical_order_then_grippers(model: mujoco.MjModel) -> None:
    names = [model.actuator(i).name for i in range(model.nu)]
    assert names == [*JOINT_NAMES, "left_gripper", "right_gripper"]


@pytest.mark.parametrize("contacts", ["locomotion", "manipulation"])
def test_that_the_default_stand_touches_the_floor_with_the_soles_only(contacts: str) -> None:
    model = floor_model(contacts=contacts)
    data = mujoco.MjData(model)
    put_default(model, data)
    mujoco.mj_forward(model, data)

    touching = {model.geom(g).name for c in data.contact for g in (c.geom1, c.geom2)}

    assert touching == {"floor", "left_sole_collision", "right_sole_collision"}


@pytest.mark.parametrize("cone", [mujoco.mjtCone.mjCONE_PYRAMIDAL, mujoco.mjtCone.mjCONE_ELLIPTIC])
def test_that_foot_force_sensors_of_a_standing_robot_sum_to_its_weight(cone: mujoco.mjtCone) -> None:
    model = floor_model()
    model.opt.cone = cone
    data = mujoco.MjData(model)
    put_default(model, data)
    # the vendor's ankle gains cannot hold the stand open loop (2 kp < m g h): hold it stiffly
    for name in (n for n in JOINT_NAMES if "Ankle" in n):
        drive = model.actuator(name)
        drive.gainprm[0], drive.biasprm[1:3] = 400.0, (-400.0, -8.0)

    for _ in range(800):
        mujoco.mj_step(model, data)

    force = data.sensor("left_foot_force").data + data.sensor("right_foot_force").data
    assert data.body("Trunk").xpos[2] > 0.66
    np.testing.assert_allclose(force, (0.0, 0.0, TOTAL_MASS_KG * GRAVITY), atol=1.5)
    assert data.sensor("left_foot_force").data[2] == pytest.approx(0.5 * TOTAL_MASS_KG * GRAVITY, rel=0.02)


def test_that_the_hand_force_sensor_reads_the_weight_of_what_lies_on_the_hand() -> None:
    spec = load_spec(fixed_base=True)
    bare = spec.compile()
    data = mujoco.MjData(bare)
    mujoco.mj_forward(bare, data)
    # arms stretched sideways: the back of the hand looks up
    above = data.site("left_hand").xpos + np.array([0.0, -0.05, 0.1])
    box = spec.worldbody.add_body(name="box", pos=above)
    box.add_freejoint()
    box.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.03, 0.03, 0.05], mass=0.5)
    model = spec.compile()
    data = mujoco.MjData(model)
    model.actuator_gainprm[:29, 0], model.actuator_biasprm[:29, 1], model.actuator_biasprm[:29, 2] = 3000, -3000, -50
    model.actuator_forcerange[:29] *= 50

    for _ in range(300):
        mujoco.mj_step(model, data)

    np.testing.assert_allclose(data.sensor("left_hand_force").data, (0, 0, -0.5 * GRAVITY), atol=0.02)
    np.testing.assert_allclose(data.sensor("right_hand_force").data, 0.0)


@pytest.mark.parametrize("opening", [0.0, 0.02, 0.05, 0.077])
def test_that_the_gripper_opening_tracks_its_command(opening: float) -> None:
    model = load_spec(fixed_base=True).compile()
    data = mujoco.MjData(model)
    put_default(model, data)
    data.actuator("left_gripper").ctrl = opening
    data.actuator("right_gripper").ctrl = 0.077 - opening

    for _ in range(400):
        mujoco.mj_step(model, data)

    fingers = [data.joint(f"left_finger_{i}").qpos[0] for i in (1, 2)]
    inner_faces = data.body("left_finger_1").xpos - data.body("left_finger_2").xpos
    assert sum(fingers) == pytest.approx(opening, abs=5e-4)
    assert fingers[0] == pytest.approx(fingers[1], abs=5e-4)
    assert np.linalg.norm(inner_faces) - gripper.FINGER_SIZE_M[0] == pytest.approx(opening, abs=5e-4)
    assert data.actuator("right_gripper").length[0] == pytest.approx(0.077 - opening, abs=5e-4)


@pytest.mark.parametrize("timestep", [0.002, 0.005, 0.01])
def test_that_the_gripper_closes_smoothly_in_half_a_second(timestep: float) -> None:
    model = load_spec(fixed_base=True).compile()
    model.opt.timestep = timestep
    data = mujoco.MjData(model)
    for finger in (1, 2):
        data.joint(f"left_finger_{finger}").qpos[0] = 0.5 * 0.077

    openings = []
    while data.time < 0.8:
        mujoco.mj_step(model, data)
        openings.append(data.actuator("left_gripper").length[0])

    closed = next(i for i, opening in enumerate(openings) if opening < 0.004) * timestep
    assert 0.3 < closed < 0.6
    assert np.diff(openings).max() < 1e-4
    assert min(openings) > -1e-3


def test_that_the_gripper_holds_a_cube_in_a_moving_hand() -> None:
    spec = load_spec(fixed_base=True)
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio, spec.option.iterations, spec.option.ls_iterations = 10, 50, 30
    bare = spec.compile()
    data = mujoco.MjData(bare)
    put_default(bare, data)
    mujoco.mj_forward(bare, data)
    cube = spec.worldbody.add_body(name="cube", pos=data.site("left_grasp").xpos)
    mujoco.mju_mat2Quat(cube.quat, data.site("left_grasp").xmat)
    cube.add_freejoint(name="cube_free")
    cube.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.015, 0.015, 0.015], mass=0.2)
    model = spec.compile()
    data = mujoco.MjData(model)
    put_default(model, data)
    for finger in (1, 2):
        data.joint(f"left_finger_{finger}").qpos[0] = 0.0155
    data.actuator("left_gripper").ctrl = 0.0

    for step in range(600):  # 3 s, the hand turning to and fro by half a radian
        data.actuator("Left_Hand_Roll").ctrl = 0.3 + 0.25 * np.cos(np.pi * 0.005 * step)
        mujoco.mj_step(model, data)

    offset = data.body("cube").xpos - data.site("left_grasp").xpos
    assert np.linalg.norm(offset) < 0.005
    assert data.actuator("left_gripper").length[0] == pytest.approx(0.03, abs=3e-3)


def test_that_a_fixed_base_has_no_free_joint_and_hangs_at_the_given_height() -> None:
    model = load_spec(fixed_base=True, fixed_base_height=1.2).compile()

    assert mujoco.mjtJoint.mjJNT_FREE not in model.jnt_type
    assert model.body("Trunk").pos[2] == pytest.approx(1.2)
    assert model.nv == len(JOINT_NAMES) + 4


def mirrored(name: str, angle: float) -> tuple[str, float]:
    """The right-hand joint and angle that mirror a left one: roll and yaw change sign."""
    return name.replace("Left", "Right"), angle if name.endswith("Pitch") else -angle


def test_that_mirrored_joints_give_mirrored_hands_and_feet() -> None:
    model = load_spec(fixed_base=True).compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    flip = np.diag([1.0, -1.0, 1.0])
    for _ in range(50):
        for name in (n for n in JOINT_NAMES if n.startswith("Left_")):
            angle = rng.uniform(*model.joint(name).range)
            data.joint(name).qpos = angle
            twin, twin_angle = mirrored(name, angle)
            data.joint(twin).qpos = twin_angle
        mujoco.mj_kinematics(model, data)
        for part in ("hand", "grasp", "foot"):
            left, right = data.site(f"left_{part}"), data.site(f"right_{part}")
            np.testing.assert_allclose(left.xpos, flip @ right.xpos, atol=1e-9)
            # reflecting both the world and the frame's own y axis keeps the frame right-handed
            expected = flip @ right.xmat.reshape(3, 3) @ flip
            np.testing.assert_allclose(left.xmat.reshape(3, 3), expected, atol=1e-9)


def touching_links(contacts: str, joints: dict[str, float]) -> set[frozenset[str]]:
    model = load_spec(contacts=contacts).compile()
    data = mujoco.MjData(model)
    put_default(model, data)
    for name, angle in joints.items():
        data.joint(name).qpos[0] = angle
    mujoco.mj_forward(model, data)
    bodies = model.geom_bodyid
    return {frozenset({model.body(bodies[c.geom1]).name, model.body(bodies[c.geom2]).name}) for c in data.contact}


def test_that_an_arm_meets_the_trunk_in_manipulation_only() -> None:
    folded = {"Left_Elbow_Yaw": -2.1, "Left_Wrist_Yaw": -1.2, "Left_Shoulder_Roll": -1.3, "Left_Elbow_Pitch": 1.4}

    assert any("Trunk" in pair and pair & ARM_LINKS for pair in touching_links("manipulation", folded))
    assert not touching_links("locomotion", folded)


@pytest.mark.parametrize("contacts", ["locomotion", "manipulation"])
def test_that_legs_meet_each_other(contacts: str) -> None:
    crossed = {"Left_Hip_Roll": -0.2, "Right_Hip_Roll": 0.2}

    pairs = touching_links(contacts, crossed)

    assert pairs
    assert all(pair & LEFT_LEG_LINKS and pair & RIGHT_LEG_LINKS for pair in pairs)
