"""What every backend promises. A new backend joins by adding a factory to `FACTORIES`."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from core.backends.base import InitialState, Physics, SimulatedBackend
from core.backends.fake import FakeBackend
from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.rigid import quat_from_rotvec, quat_inv, quat_mul, quat_normalize, quat_rotate, quat_to_rotvec
from core.t1.kinematics import frames_w
from core.t1.model import DEFAULT_JOINT_POS, JOINT_NAMES, LOWER_LIMIT, UPPER_LIMIT, joint_index
from core.tasks.scene import BoxObject, Scene
from core.types import CONTROL_PERIOD_S, BodyState, JointTarget, WorldState

TABLE = BoxObject("table", (0.6, 0.8, 0.5), (0.8, 0.0, 0.25), fixed=True)
BOX = BoxObject("box", (0.3, 0.24, 0.25), (0.7, 0.0, 0.625), mass=0.8)
SCENE = Scene("contract", (TABLE, BOX))

Factory = Callable[[int], SimulatedBackend]
FACTORIES: dict[str, Factory] = {
    "mujoco": lambda n: MujocoBackend(SCENE, n),
    "fake": lambda n: FakeBackend(SCENE, n),
}


@pytest.fixture(params=FACTORIES)
def make(request: pytest.FixtureRequest) -> Factory:
    return FACTORIES[request.param]


def random_initial(count: int, seed: int = 0) -> InitialState:
    """Robot and box in the air, turned, moving."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g)

    low, high = (torch.as_tensor(x, dtype=torch.float32) for x in (LOWER_LIMIT, UPPER_LIMIT))
    spread = 0.1 + 0.3 * torch.rand(count, len(JOINT_NAMES), generator=g)
    middle = torch.as_tensor(DEFAULT_JOINT_POS, dtype=torch.float32)
    box = BodyState(
        torch.tensor([3.0, 0.0, 5.0]) + normal(count, 3),
        quat_from_rotvec(normal(count, 3)),
        normal(count, 3),
        normal(count, 3),
    )
    return InitialState(
        base_pos_w=torch.tensor([0.0, 0.0, 5.0]) + 0.1 * normal(count, 3),
        base_quat_w=quat_from_rotvec(normal(count, 3)),
        joint_pos=torch.minimum(torch.maximum(middle + spread * (high - low) * 0.1, low), high),
        joint_vel=0.3 * normal(count, len(JOINT_NAMES)),
        base_lin_vel_b=normal(count, 3),
        base_ang_vel_b=normal(count, 3),
        gripper_opening=0.01 + 0.06 * torch.rand(count, 2, generator=g),
        objects={"box": box},
    )


def all_worlds(backend: SimulatedBackend) -> Tensor:
    return torch.arange(backend.describe().num_worlds)


def hold(state: WorldState | InitialState) -> JointTarget:
    n = state.base_pos_w.shape[0]
    return JointTarget(state.joint_pos.clone(), state.gripper_opening.clone(), torch.zeros(n, dtype=torch.bool))


def random_target(n: int, step: int) -> JointTarget:
    """The same row for the same world, whatever the number of worlds."""
    rows = [torch.randn(len(JOINT_NAMES), generator=torch.Generator().manual_seed(100 * w + step)) for w in range(n)]
    position = torch.as_tensor(DEFAULT_JOINT_POS, dtype=torch.float32) + 0.2 * torch.stack(rows)
    return JointTarget(position, torch.full((n, 2), 0.05), torch.zeros(n, dtype=torch.bool))


def run(backend: SimulatedBackend, steps: int, first: int = 0) -> WorldState:
    n = backend.describe().num_worlds
    for step in range(first, first + steps):
        backend.step(random_target(n, step))
    return backend.read_state().clone()


def tensors(state: WorldState) -> dict[str, Tensor]:
    """Every tensor of a state by path."""
    own = {name: value for name, value in vars(state).items() if isinstance(value, Tensor)}
    for name, body in state.objects.items():
        own |= {f"{name}.{key}": value for key, value in vars(body).items()}
    return own


def assert_same_bits(a: WorldState, b: WorldState) -> None:
    for name, value in tensors(a).items():
        assert torch.equal(value, tensors(b)[name]), name


def test_that_joints_are_in_canonical_order(make: Factory) -> None:
    backend = make(1)
    assert backend.describe().joint_names == JOINT_NAMES
    target = hold(backend.read_state())
    index = joint_index("Left_Elbow_Yaw")
    target.position[0, index] += 0.3
    for _ in range(10):
        backend.step(target)
    moved = (backend.read_state().joint_pos[0] - torch.as_tensor(DEFAULT_JOINT_POS)).abs()
    assert int(moved.argmax()) == index
    assert moved[index] > 0.2


def test_that_hands_and_feet_agree_with_forward_kinematics(make: Factory) -> None:
    backend = make(3)
    initial = random_initial(3)
    backend.reset(all_worlds(backend), initial)
    state = backend.read_state()
    frames = frames_w(initial.base_pos_w, initial.base_quat_w, initial.joint_pos)
    torch.testing.assert_close(state.hand_pos_w, frames.hand_pos, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(state.foot_pos_w, frames.foot_pos, atol=1e-4, rtol=0.0)
    for measured, expected in ((state.hand_quat_w, frames.hand_quat), (state.foot_quat_w, frames.foot_quat)):
        torch.testing.assert_close(quat_normalize(measured), quat_normalize(expected), atol=1e-4, rtol=0.0)


def test_that_a_written_state_is_read_back_and_leaves_time_alone(make: Factory) -> None:
    backend = make(3)
    run(backend, 2)
    written = random_initial(2, seed=1)
    backend.set_state(torch.tensor([2, 0]), written)
    state = backend.read_state()
    torch.testing.assert_close(state.time_s, torch.full((3,), 2 * CONTROL_PERIOD_S))
    read = InitialState.from_world_state(state.select(torch.tensor([2, 0])))
    for name, value in vars(written).items():
        if isinstance(value, Tensor):
            torch.testing.assert_close(getattr(read, name), value, atol=1e-5, rtol=0.0, msg=name)
    for name, value in vars(written.objects["box"]).items():
        torch.testing.assert_close(getattr(read.objects["box"], name), value, atol=1e-5, rtol=0.0, msg=name)


def test_that_reset_starts_time_and_puts_objects_back_to_the_scene(make: Factory) -> None:
    backend = make(2)
    run(backend, 3)
    initial = default_initial_state(SCENE, 1)
    initial.objects.clear()
    backend.reset(torch.tensor([1]), initial)
    state = backend.read_state()
    torch.testing.assert_close(state.time_s, torch.tensor([3 * CONTROL_PERIOD_S, 0.0]))
    torch.testing.assert_close(state.objects["box"].pos_w[1], torch.tensor(BOX.pos))


def test_that_reset_of_one_world_leaves_the_others_bit_identical(make: Factory) -> None:
    touched, untouched = make(3), make(3)
    for backend in (touched, untouched):
        run(backend, 3)
    before = touched.read_state().clone()
    physics = Physics.nominal(1)
    physics.payload_kg += 0.5
    touched.reset(torch.tensor([1]), random_initial(1), physics)
    others = torch.tensor([0, 2])
    assert_same_bits(touched.read_state().select(others), before.select(others))
    after, expected = run(touched, 3, first=3), run(untouched, 3, first=3)
    assert_same_bits(after.select(others), expected.select(others))
    assert not torch.equal(after.base_pos_w[1], expected.base_pos_w[1])


def test_that_one_world_alone_equals_the_first_of_eight_bit_for_bit(make: Factory) -> None:
    alone, first = make(1), make(8)
    physics = Physics.nominal(8)
    physics.trunk_mass_offset_kg[1:] = torch.linspace(-1.0, 1.0, 7)
    initial = random_initial(8)
    alone.reset(torch.tensor([0]), initial.select(torch.tensor([0])))
    first.reset(all_worlds(first), initial, physics)
    assert_same_bits(run(alone, 10), run(first, 10).select(torch.tensor([0])))


def test_that_the_same_inputs_give_the_same_bits(make: Factory) -> None:
    assert_same_bits(run(make(2), 10), run(make(2), 10))


def test_that_velocities_are_those_of_the_link_frame(make: Factory) -> None:
    backend = make(4)
    backend.reset(all_worlds(backend), random_initial(4))
    target = hold(backend.read_state())
    before = backend.read_state().clone()
    backend.step(target)
    after = backend.read_state()
    moved = (after.base_pos_w - before.base_pos_w) / CONTROL_PERIOD_S
    velocity = [quat_rotate(s.base_quat_w, s.base_lin_vel_b) for s in (before, after)]
    torch.testing.assert_close(0.5 * (velocity[0] + velocity[1]), moved, atol=0.04, rtol=0.0)
    turn = quat_mul(quat_inv(before.base_quat_w), after.base_quat_w)
    spin = 0.5 * (before.base_ang_vel_b + after.base_ang_vel_b)
    torch.testing.assert_close(spin, quat_to_rotvec(turn) / CONTROL_PERIOD_S, atol=0.08, rtol=0.0)
    box = [s.objects["box"] for s in (before, after)]
    turn_w = quat_mul(box[1].quat_w, quat_inv(box[0].quat_w))
    spin_w = 0.5 * (box[0].ang_vel_w + box[1].ang_vel_w)
    torch.testing.assert_close(spin_w, quat_to_rotvec(turn_w) / CONTROL_PERIOD_S, atol=0.02, rtol=0.0)


def test_that_a_step_lasts_one_control_period(make: Factory) -> None:
    backend = make(2)
    state = run(backend, 25)
    torch.testing.assert_close(state.time_s, torch.full((2,), 25 * CONTROL_PERIOD_S))
    assert backend.describe().control_period_s == CONTROL_PERIOD_S


def test_that_grippers_follow_their_opening(make: Factory) -> None:
    backend = make(1)
    target = hold(backend.read_state())
    target.gripper_opening[:] = torch.tensor([[0.02, 0.06]])
    for _ in range(25):
        backend.step(target)
    torch.testing.assert_close(backend.read_state().gripper_opening, target.gripper_opening, atol=3e-3, rtol=0.0)


def test_that_a_snapshot_undoes_everything_bit_for_bit(make: Factory) -> None:
    backend = make(3)
    physics = Physics.nominal(2)
    physics.kp_scale *= 0.9
    backend.reset(torch.tensor([0, 2]), random_initial(2), physics)
    backend.apply_wrench("Trunk", torch.full((3, 3), 5.0), torch.zeros(3, 3))
    at_snapshot = run(backend, 3)
    snapshot = backend.snapshot()
    expected = run(backend, 3, first=3)

    physics.floor_friction[:] = 0.3
    physics.payload_kg += 1.0
    backend.reset(torch.tensor([0, 1]), random_initial(2, seed=5), physics)
    run(backend, 2)
    backend.restore(snapshot)
    assert_same_bits(backend.read_state(), at_snapshot)
    assert_same_bits(run(backend, 3, first=3), expected)

    other = make(3)
    other.restore(snapshot)
    assert_same_bits(run(other, 3, first=3), expected)


def test_that_a_foreign_snapshot_is_refused(make: Factory) -> None:
    with pytest.raises(ValueError, match="number of worlds"):
        make(2).restore(make(3).snapshot())
    with pytest.raises(ValueError, match="not a snapshot"):
        make(2).restore(b"nonsense")


def test_that_a_diverged_world_is_reported_and_reset_alone(make: Factory) -> None:
    disturbed, calm = make(3), make(3)
    initial = random_initial(3)
    for backend in (disturbed, calm):
        backend.reset(all_worlds(backend), initial)
        run(backend, 2)
    force = torch.zeros(3, 3)
    force[1, 2] = 1e12
    disturbed.apply_wrench("Trunk", force, torch.zeros(3, 3))
    report = disturbed.step(random_target(3, 2))
    calm.step(random_target(3, 2))
    assert report.diverged.tolist() == [False, True, False]
    state, others = disturbed.read_state(), torch.tensor([0, 2])
    assert float(state.time_s[1]) == 0.0
    torch.testing.assert_close(state.base_pos_w[1], initial.base_pos_w[1])
    torch.testing.assert_close(state.joint_vel[1], initial.joint_vel[1])
    assert_same_bits(state.select(others), calm.read_state().select(others))
    assert not disturbed.step(random_target(3, 3)).diverged.any()
    assert_same_bits(run(disturbed, 3, first=4).select(others), run_after(calm).select(others))


def run_after(calm: SimulatedBackend) -> WorldState:
    calm.step(random_target(3, 3))
    return run(calm, 3, first=4)


def test_that_impossible_inputs_are_refused(make: Factory) -> None:
    backend = make(2)
    initial = default_initial_state(SCENE, 2)
    with pytest.raises(ValueError, match="different indices"):
        backend.reset(torch.tensor([0, 2]), initial)
    with pytest.raises(ValueError, match="one row a world"):
        backend.reset(torch.tensor([0]), initial)
    bad = initial.clone()
    bad.joint_pos[0, 3] = torch.nan
    with pytest.raises(ValueError, match="finite"):
        backend.reset(torch.tensor([0, 1]), bad)
    bad = initial.clone()
    bad.objects["vase"] = bad.objects["box"]
    with pytest.raises(ValueError, match="vase"):
        backend.set_state(torch.tensor([0, 1]), bad)
    target = hold(backend.read_state())
    target.position[1, 0] = torch.inf
    with pytest.raises(ValueError, match="not finite"):
        backend.step(target)


def test_that_damping_mode_ignores_positions(make: Factory) -> None:
    backend = make(2)
    target = hold(backend.read_state())
    target.damping[0] = True
    target.position[0] = torch.nan
    assert not backend.step(target).diverged.any()
    assert backend.read_state().joint_pos.isfinite().all()


def test_that_closing_twice_is_safe(make: Factory) -> None:
    backend = make(1)
    backend.close()
    backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        backend.read_state()
