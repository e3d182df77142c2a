"""What only a simulator with contacts promises: forces, per-world physics, damping, isolation of broken worlds."""

import gc
import math
import os

import numpy as np
import pytest
import torch
from torch import Tensor

from core.backends.base import Physics
from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.backends.mujoco_scene import SOLVERS, SolverOptions, compile_scene
from core.t1.model import DEFAULT_JOINT_POS, KD, TOTAL_MASS_KG, VELOCITY_LIMIT, joint_index
from core.tasks.scene import BoxObject, Scene
from core.types import JointTarget, WorldState

TABLE = BoxObject("table", (0.6, 0.8, 0.5), (0.8, 0.0, 0.25), fixed=True)
BOX = BoxObject("box", (0.3, 0.24, 0.25), (0.7, 0.0, 0.625), mass=0.8)
SCENE = Scene("lift", (TABLE, BOX))
BARE = Scene("bare", contacts="locomotion")
HANGING = Scene("hanging", robot="fixed_base")
G = 9.81


def hold(backend: MujocoBackend, steps: int, damping: bool = False) -> WorldState:
    state = backend.read_state().clone()
    mode = torch.full((state.num_worlds,), damping)
    for _ in range(steps):
        report = backend.step(JointTarget(state.joint_pos, state.gripper_opening, mode))
        assert not report.diverged.any()
    return backend.read_state().clone()


def with_physics(scene: Scene, physics: Physics, joint_pos: Tensor | None = None) -> MujocoBackend:
    n = physics.kp_scale.shape[0]
    backend = MujocoBackend(scene, n)
    initial = default_initial_state(scene, n)
    if joint_pos is not None:
        initial.joint_pos[:] = joint_pos
    backend.reset(torch.arange(n), initial, physics)
    return backend


def box(state: WorldState) -> Tensor:
    return state.objects["box"].pos_w


def tilted(angle: float) -> Tensor:
    """Gravity pulling towards +y, as if the world leaned."""
    return torch.tensor([0.0, G * math.sin(angle), -G * math.cos(angle)])


@pytest.mark.parametrize("scene", [SCENE, BARE])
def test_that_standing_feet_carry_the_weight_of_the_robot(scene: Scene) -> None:
    weight = hold(MujocoBackend(scene, 2), 20).foot_force_w[:, :, 2].sum(dim=1)
    torch.testing.assert_close(weight, torch.full((2,), TOTAL_MASS_KG * G), rtol=0.05, atol=0.0)


def test_that_a_box_on_a_hand_presses_it_down() -> None:
    """The hand holds up a box that lies across the upturned left palm: force on the hand points down."""
    pose = torch.as_tensor(DEFAULT_JOINT_POS, dtype=torch.float32)
    backend = MujocoBackend(Scene("tray", (BOX,), robot="fixed_base"), 1)
    hand = backend.read_state().hand_pos_w[0, 0]
    initial = default_initial_state(Scene("tray", (BOX,), robot="fixed_base"), 1)
    initial.joint_pos[:] = pose
    initial.objects["box"].pos_w[0] = hand + torch.tensor([0.0, 0.0, 0.5])
    backend.reset(torch.tensor([0]), initial)
    lowest = min(float(hold(backend, 1).hand_force_w[0, 0, 2]) for _ in range(40))
    assert lowest < -2.0


def test_that_a_payload_adds_its_moment_to_the_shoulder_torque() -> None:
    physics = Physics.nominal(2)
    physics.kp_scale *= 20.0  # stiff, so that the arm does not sag
    physics.kd_scale *= 10.0
    physics.payload_kg[1, 0] = 0.5
    pose = torch.as_tensor(DEFAULT_JOINT_POS, dtype=torch.float32).clone()
    pitch = joint_index("Left_Shoulder_Pitch")
    pose[pitch] = -0.9  # arm lifted forward
    state = hold(with_physics(HANGING, physics, pose), 100)
    shoulder_x = 0.0575
    arm = state.hand_pos_w[:, 0, 0] - shoulder_x
    assert arm[1] > 0.2
    extra = state.joint_torque[1, pitch] - state.joint_torque[0, pitch]
    torch.testing.assert_close(extra, -0.5 * G * arm[1], rtol=0.02, atol=0.0)
    others = torch.arange(9, 29)
    torch.testing.assert_close(state.joint_torque[1, others], state.joint_torque[0, others], atol=1e-3, rtol=0.0)


def test_that_trunk_mass_and_gravity_change_the_weight_on_the_feet() -> None:
    physics = Physics.nominal(3)
    physics.trunk_mass_offset_kg[1] = 4.0
    physics.gravity_w[2, 2] = -5.0
    force = hold(with_physics(BARE, physics), 20).foot_force_w[:, :, 2].sum(dim=1)
    expected = torch.tensor([TOTAL_MASS_KG * G, (TOTAL_MASS_KG + 4.0) * G, TOTAL_MASS_KG * 5.0])
    torch.testing.assert_close(force, expected, rtol=0.05, atol=0.0)


def test_that_a_shifted_trunk_makes_the_robot_fall_to_that_side() -> None:
    physics = Physics.nominal(2)
    physics.trunk_com_offset_b[:, 1] = torch.tensor([0.15, -0.15])
    side = hold(with_physics(BARE, physics), 30).base_pos_w[:, 1]
    assert side[0] > 0.003
    torch.testing.assert_close(side[1], -side[0], atol=3e-3, rtol=0.0)


def test_that_floor_friction_decides_whether_feet_slide() -> None:
    physics = Physics.nominal(2)
    physics.floor_friction[:] = torch.tensor([1.0, 0.05])
    physics.gravity_w[:] = tilted(0.15)
    slid = hold(with_physics(BARE, physics), 15).foot_pos_w[:, :, 1].mean(dim=1)
    assert abs(slid[0]) < 5e-3
    assert slid[1] > 0.02


def test_that_the_friction_of_a_box_decides_whether_it_slides() -> None:
    """Slope 0.5: friction 0.7 holds, 0.2 accelerates with g (sin a - mu cos a)."""
    physics = Physics.nominal(2)
    physics.object_friction["box"] = torch.tensor([0.7, 0.2])
    angle = math.atan(0.5)
    physics.gravity_w[:] = tilted(angle)
    slid = box(hold(with_physics(SCENE, physics), 15))[:, 1]
    assert abs(slid[0]) < 2e-3
    expected = 0.5 * G * (math.sin(angle) - 0.2 * math.cos(angle)) * 0.3**2
    assert float(slid[1]) == pytest.approx(expected, rel=0.1)


def test_that_a_resized_box_and_a_moved_table_touch_where_they_should() -> None:
    physics = Physics.nominal(2)
    physics.object_size["box"] = torch.tensor([[0.3, 0.24, 0.25], [0.2, 0.3, 0.40]])
    physics.fixed_object_pos["table"] = torch.tensor([[0.8, 0.0, 0.25], [0.8, 0.0, 0.30]])
    backend = MujocoBackend(SCENE, 2)
    initial = default_initial_state(SCENE, 2)
    initial.objects["box"].pos_w[1, 2] = 0.55 + 0.20 + 0.01
    backend.reset(torch.arange(2), initial, physics)
    height = box(hold(backend, 30))[:, 2]
    torch.testing.assert_close(height, torch.tensor([0.625, 0.75]), atol=1e-3, rtol=0.0)


def test_that_mass_and_inertia_of_a_box_follow_its_parameters() -> None:
    """A force and a torque on a falling box: a = F / m, alpha = T / I of a cuboid."""
    physics = Physics.nominal(2)
    physics.object_mass["box"] = torch.tensor([0.8, 1.6])
    physics.object_size["box"] = torch.tensor([[0.3, 0.24, 0.25], [0.2, 0.3, 0.4]])
    physics.gravity_w[:] = 0.0
    backend = with_physics(SCENE, physics)
    initial = default_initial_state(SCENE, 2)
    initial.objects["box"].pos_w[:, 2] = 3.0
    backend.reset(torch.arange(2), initial)
    backend.apply_wrench("box", torch.tensor([[1.0, 0.0, 0.0]] * 2), torch.tensor([[0.0, 0.0, 0.01]] * 2))
    state = hold(backend, 10).objects["box"]
    mass = torch.tensor([0.8, 1.6])
    inertia = mass / 12.0 * torch.tensor([0.3**2 + 0.24**2, 0.2**2 + 0.3**2])
    torch.testing.assert_close(state.lin_vel_w[:, 0], 0.2 / mass, rtol=1e-4, atol=0.0)
    torch.testing.assert_close(state.ang_vel_w[:, 2], 0.2 * 0.01 / inertia, rtol=1e-3, atol=0.0)


def test_that_parameters_are_kept_by_a_reset_without_physics() -> None:
    physics = Physics.nominal(2)
    physics.trunk_mass_offset_kg[:] = 4.0
    backend = with_physics(BARE, physics)
    backend.reset(torch.tensor([1]), default_initial_state(BARE, 1))
    force = hold(backend, 20).foot_force_w[:, :, 2].sum(dim=1)
    torch.testing.assert_close(force[1], force[0], rtol=1e-3, atol=0.0)


def test_that_nominal_physics_is_the_model_bit_for_bit_and_stays_shared() -> None:
    plain, nominal = MujocoBackend(SCENE, 1), MujocoBackend(SCENE, 1)
    randomised = Physics.nominal(1)
    randomised.payload_kg += 1.0
    randomised.object_size["box"] = torch.tensor([[0.2, 0.2, 0.2]])
    initial = default_initial_state(SCENE, 1)
    nominal.reset(torch.tensor([0]), initial, Physics.nominal(1))
    assert nominal._open().batch.expanded("body_mass") is None
    assert nominal._open().batch.expanded("opt.gravity") is None
    nominal.reset(torch.tensor([0]), initial, randomised)
    nominal.reset(torch.tensor([0]), initial, Physics.nominal(1))
    a, b = hold(plain, 20), hold(nominal, 20)
    assert torch.equal(a.joint_pos, b.joint_pos)
    assert torch.equal(box(a), box(b))


def test_that_impossible_physics_is_refused() -> None:
    backend = MujocoBackend(SCENE, 1)
    initial = default_initial_state(SCENE, 1)
    for field, name in (("object_mass", "table"), ("object_size", "vase"), ("fixed_object_pos", "box")):
        physics = Physics.nominal(1)
        getattr(physics, field)[name] = torch.ones(1, 3) if field != "object_mass" else torch.ones(1)
        with pytest.raises(ValueError, match=name):
            backend.reset(torch.tensor([0]), initial, physics)
    physics = Physics.nominal(1)
    physics.kp_scale[0, 4] = math.nan
    with pytest.raises(ValueError, match="finite"):
        backend.reset(torch.tensor([0]), initial, physics)
    physics = Physics.nominal(1)
    physics.trunk_mass_offset_kg[:] = -50.0
    with pytest.raises(ValueError, match="trunk mass"):
        backend.reset(torch.tensor([0]), initial, physics)
    with pytest.raises(ValueError, match="one row a world"):
        backend.reset(torch.tensor([0]), initial, Physics.nominal(2))


def test_that_damping_mode_applies_only_damping_torque() -> None:
    backend = MujocoBackend(HANGING, 1)
    state = hold(backend, 3, damping=True)
    before = state.joint_vel[0]
    backend.step(JointTarget(state.joint_pos + 1.0, state.gripper_opening, torch.ones(1, dtype=torch.bool)))
    after = backend.read_state()
    low, high = torch.minimum(before, after.joint_vel[0]), torch.maximum(before, after.joint_vel[0])
    kd = torch.as_tensor(KD, dtype=torch.float32)
    assert (after.joint_torque[0] <= -kd * low + 0.05).all()
    assert (after.joint_torque[0] >= -kd * high - 0.05).all()


def test_that_damping_mode_lets_the_robot_sink_gently_and_ends_with_it() -> None:
    backend = MujocoBackend(SCENE, 2)
    state = backend.read_state().clone()
    mode = torch.tensor([True, False])
    speed, sink = [], []
    for _ in range(75):
        backend.step(JointTarget(state.joint_pos, state.gripper_opening, mode))
        now = backend.read_state()
        speed.append((now.joint_vel[0].abs() / torch.as_tensor(VELOCITY_LIMIT)).max())
        sink.append(now.base_pos_w[:, 2].clone())
    sunk = state.base_pos_w[0, 2] - sink[14][0]
    assert 0.005 < sunk < 0.5 * G * 0.3**2 / 2  # after 0.3 s: less than half of free fall
    assert float(torch.stack(speed).max()) < 1.0
    assert sink[-1][0] < 0.5
    backend.reset(torch.tensor([0]), default_initial_state(SCENE, 1))
    assert hold(backend, 15).base_pos_w[0, 2] > 0.65


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e7])
def test_that_a_broken_number_inside_one_world_stays_there(value: float) -> None:
    broken, sound = MujocoBackend(SCENE, 3), MujocoBackend(SCENE, 3)
    for backend in (broken, sound):
        hold(backend, 2)
    broken._open().qvel[1, 7] = value
    target = sound.read_state().clone()
    still = torch.zeros(3, dtype=torch.bool)
    target = JointTarget(target.joint_pos, target.gripper_opening, still)
    assert broken.step(target).diverged.tolist() == [False, True, False]
    sound.step(target)
    for _ in range(3):
        assert not broken.step(target).diverged.any()
        sound.step(target)
    a, b = broken.read_state(), sound.read_state()
    for world in (0, 2):
        assert torch.equal(a.joint_pos[world], b.joint_pos[world])
        assert torch.equal(box(a)[world], box(b)[world])
    assert a.joint_pos.isfinite().all()
    assert float(a.time_s[1]) == pytest.approx(3 * 0.02)


def test_that_the_number_of_threads_does_not_change_a_bit() -> None:
    states = [hold(MujocoBackend(SCENE, 5, num_threads=threads), 20) for threads in (1, 2, 3)]
    for state in states[1:]:
        assert torch.equal(state.joint_vel, states[0].joint_vel)
        assert torch.equal(state.foot_force_w, states[0].foot_force_w)


def test_that_closing_stops_the_threads() -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/task"))
    backend = MujocoBackend(SCENE, 4, num_threads=4)
    state = hold(backend, 1)
    assert len(os.listdir("/proc/self/task")) > before
    backend.close()
    assert len(os.listdir("/proc/self/task")) == before
    assert state.joint_pos.isfinite().all()


def test_that_a_push_accelerates_the_robot_and_reset_takes_it_off() -> None:
    backend = MujocoBackend(BARE, 2)
    initial = default_initial_state(BARE, 2)
    initial.base_pos_w[:, 2] = 3.0
    backend.reset(torch.arange(2), initial)
    force = torch.tensor([[40.0, 0.0, 0.0]] * 2)
    backend.apply_wrench("Trunk", force, torch.zeros(2, 3))
    backend.reset(torch.tensor([1]), initial.select(torch.tensor([1])))
    speed = hold(backend, 5).base_lin_vel_b[:, 0]
    assert speed[0] > 0.1
    assert abs(float(speed[1])) < 0.03
    with pytest.raises(ValueError, match="Torso"):
        backend.apply_wrench("Torso", force, force)


def test_that_a_fixed_base_stays_and_its_arms_move() -> None:
    state = hold(MujocoBackend(HANGING, 2), 20)
    torch.testing.assert_close(state.base_pos_w[0, :2], torch.zeros(2))
    assert float(state.base_pos_w[0, 2]) > 0.8
    assert float(state.base_ang_vel_b.abs().max()) == 0.0


@pytest.mark.parametrize("contacts", ["locomotion", "manipulation"])
def test_that_a_scene_compiles_with_its_solver_options(contacts: str) -> None:
    model = compile_scene(Scene("s", (TABLE, BOX), contacts=contacts))
    assert model.opt.timestep == SOLVERS[contacts].timestep_s
    assert model.opt.iterations == SOLVERS[contacts].iterations
    np.testing.assert_allclose(model.body("box").mass, BOX.mass)
    assert model.joint("box_free").type[0] == 0


def test_that_the_lean_model_is_the_same_machine() -> None:
    full, bare = compile_scene(SCENE), compile_scene(SCENE, lean=True)
    assert bare.ngeom < full.ngeom
    for name in (
        "body_mass",
        "body_inertia",
        "body_ipos",
        "body_iquat",
        "dof_armature",
        "jnt_range",
        "body_invweight0",
    ):
        np.testing.assert_array_equal(getattr(bare, name), getattr(full, name), err_msg=name)


def test_that_worlds_that_share_their_data_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few worlds keep their MuJoCo data between steps, many share it."""
    kept = hold(MujocoBackend(SCENE, 3), 10)
    monkeypatch.setattr("core.backends.mujoco_worlds.MAX_CACHED_WORLDS", 2)
    shared = hold(MujocoBackend(SCENE, 3), 10)
    for name in ("joint_vel", "joint_torque", "foot_force_w", "hand_pos_w"):
        assert torch.equal(getattr(kept, name), getattr(shared, name)), name


def test_that_a_time_step_that_does_not_divide_the_control_period_is_refused() -> None:
    with pytest.raises(ValueError, match="must divide"):
        MujocoBackend(BARE, 1, solver=SolverOptions(0.003, "pyramidal", 1.0, 10, 10))
