"""Laws of the velocity-to-footstep planner, on a kinematic robot whose feet land on their targets or short of them."""

import itertools
import math

import pytest
import torch

from core.control.footstep_config import FootstepConfig
from core.control.footsteps import (
    LEFT,
    RIGHT,
    STAND,
    FootstepPlanner,
    compose_planar,
    feet_planar,
    middle,
    relative_planar,
)
from core.rigid import quat_from_yaw
from core.types import WorldState


def standing_state(n: int = 1, width: float = 0.2) -> WorldState:
    quat = torch.zeros(n, 4)
    quat[:, 0] = 1.0
    feet = torch.tensor([[0.0, width / 2, 0.0], [0.0, -width / 2, 0.0]]).repeat(n, 1, 1)
    zeros = torch.zeros
    return WorldState(
        time_s=zeros(n), base_pos_w=torch.tensor([[0.0, 0.0, 0.65]]).repeat(n, 1), base_quat_w=quat,
        base_lin_vel_b=zeros(n, 3), base_ang_vel_b=zeros(n, 3), joint_pos=zeros(n, 29), joint_vel=zeros(n, 29),
        joint_torque=zeros(n, 29), gripper_opening=zeros(n, 2), hand_pos_w=zeros(n, 2, 3),
        hand_quat_w=quat[:, None].repeat(1, 2, 1), foot_pos_w=feet, foot_quat_w=quat[:, None].repeat(1, 2, 1),
        foot_force_w=zeros(n, 2, 3), hand_force_w=zeros(n, 2, 3),
    )  # fmt: skip


class Feet:
    """Feet that land on their targets, times a factor on the length of the step."""

    def __init__(self, n: int = 1, reach: float = 1.0, config: FootstepConfig | None = None) -> None:
        self.planner = FootstepPlanner(n, config)
        self.state = standing_state(n)
        self.planner.reset(torch.arange(n), self.state)
        self.reach = reach
        self.command = self.planner.update(self.state, torch.zeros(n, 3))
        self.targets: list[tuple[int, list[float]]] = []

    def walk(self, velocity: tuple[float, float, float], seconds: float) -> None:
        v = torch.tensor([velocity]).repeat(self.state.num_worlds, 1)
        for _ in range(round(seconds * 50)):
            self._land()
            self.command = self.planner.update(self.state, v)
            if bool(self.command.new_step[0]) and int(self.command.swing[0]) != STAND:
                self.targets.append((int(self.command.swing[0]), self.command.target_stance[0].tolist()))

    def _land(self) -> None:
        last_tick = (self.command.swing != STAND) & (self.command.countdown_s < 0.021)
        for i in last_tick.nonzero().flatten().tolist():
            side = int(self.command.swing[i])
            x, y, _, yaw = self.command.target_stance[i].tolist()
            feet = feet_planar(self.state)
            landed = compose_planar(feet[i, 1 - side], torch.tensor([x * self.reach, y, yaw * self.reach]))
            self.state.foot_pos_w[i, side, :2] = landed[:2]
            self.state.foot_quat_w[i, side] = quat_from_yaw(landed[2])

    def centre(self) -> torch.Tensor:
        return middle(feet_planar(self.state))[0]


VELOCITIES = [
    (0.4, 0.0, 0.0), (0.2, 0.0, 0.0), (-0.3, 0.0, 0.0), (0.05, 0.0, 0.0), (0.0, 0.2, 0.0), (0.0, -0.2, 0.0),
    (0.0, 0.0, 0.5), (0.2, 0.1, 0.0), (0.3, -0.1, 0.3),
]  # fmt: skip


@pytest.mark.parametrize("velocity", VELOCITIES)
@pytest.mark.parametrize("reach", [1.0, 0.85])
def test_that_the_walked_distance_is_what_the_velocity_asks_for(velocity, reach):
    feet = Feet(reach=reach)
    feet.walk(velocity, 4.0)
    start = feet.centre()
    for _ in range(4):  # whole steps, short enough that turns do not wrap
        feet.walk(velocity, 0.88)
    moved = relative_planar(start, feet.centre())
    duration = 4 * 0.88
    vx, vy, wz = velocity
    turn = wz * duration
    if abs(wz) > 1e-6:
        assert abs(math.remainder(float(moved[2]) - turn, 2 * math.pi)) < 0.05 * abs(turn)
        half = turn / 2
        chord = math.hypot(vx, vy) * duration * abs(math.sin(half) / half)
    else:
        assert abs(float(moved[2])) < 1e-4
        chord = math.hypot(vx, vy) * duration
        direction = torch.tensor([vx, vy]) / math.hypot(vx, vy)
        across = moved[0] * direction[1] - moved[1] * direction[0]
        assert abs(float(across)) < 0.03 * chord + 1e-4
    assert float(moved[:2].norm()) == pytest.approx(chord, rel=0.05, abs=0.02 if chord == 0 else 5e-3)


def test_that_starts_and_stops_neither_lose_nor_gain_distance():
    ratios = []
    for i in range(22):
        feet = Feet()
        feet.walk((0.3, 0.0, 0.0), 2.0 + 0.02 * i)
        feet.walk((0.0, 0.0, 0.0), 2.0)
        ratios.append(float(feet.centre()[0]) / (0.3 * (2.0 + 0.02 * i)))
    assert sum(ratios) / len(ratios) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("velocity", VELOCITIES)
def test_that_a_stop_ends_with_the_feet_side_by_side(velocity):
    feet = Feet()
    feet.walk(velocity, 3.1)
    assert int(feet.command.swing[0]) != STAND
    feet.walk((0.0, 0.0, 0.0), 1.5)
    assert int(feet.command.swing[0]) == STAND
    assert float(feet.command.countdown_s[0]) == 0.0
    poses = feet_planar(feet.state)[0]
    relative = relative_planar(poses[1], poses[0])
    torch.testing.assert_close(relative, torch.tensor([0.0, 0.2, 0.0]), atol=0.002, rtol=0)


@pytest.mark.parametrize("velocity", VELOCITIES)
def test_that_feet_alternate_and_steps_keep_their_limits(velocity):
    feet = Feet()
    feet.walk(velocity, 3.0)
    feet.walk((-velocity[0], -velocity[1], -velocity[2]), 3.0)
    sides = [side for side, _ in feet.targets]
    assert len(sides) > 10
    assert all(a != b for a, b in itertools.pairwise(sides))
    config = feet.planner.config
    for side, (x, y, z, yaw) in feet.targets:
        width = y if side == LEFT else -y
        assert config.min_width_m - 1e-6 <= width <= config.max_width_m + 1e-6
        assert abs(x) <= config.max_length_m + 1e-6
        assert abs(yaw) <= config.max_yaw_rad + 1e-6
        assert z == 0.0


def test_that_mirrored_commands_give_mirrored_steps():
    feet, mirrored = Feet(), Feet()
    mirrored.planner.last_swing[:] = LEFT
    feet.walk((0.2, 0.1, 0.3), 4.0)
    mirrored.walk((0.2, -0.1, -0.3), 4.0)
    assert len(feet.targets) > 6
    for (side, target), (other_side, other) in zip(feet.targets, mirrored.targets, strict=True):
        assert side == 1 - other_side
        expected = [target[0], -target[1], target[2], -target[3]]
        torch.testing.assert_close(torch.tensor(other), torch.tensor(expected), atol=1e-5, rtol=0)


def test_that_no_command_means_no_step():
    feet = Feet()
    feet.walk((0.0, 0.0, 0.0), 2.0)
    feet.walk((0.01, 0.0, 0.02), 1.0)
    assert feet.targets == []


def test_that_the_countdown_runs_from_the_duration_of_the_step_to_touch_down():
    feet = Feet()
    v = torch.tensor([[0.2, 0.0, 0.0]])
    countdowns = []
    for _ in range(round(0.76 * 50) + 3):
        countdowns.append(float(feet.planner.update(feet.state, v).countdown_s[0]))
    assert countdowns[0] == pytest.approx(0.76)
    assert countdowns[37] == pytest.approx(0.02)
    assert countdowns[38] == pytest.approx(0.44)


def test_that_a_misplaced_foot_does_not_move_the_goal():
    """The foot lands 5 cm short once: later steps make up for it."""
    exact, pushed = Feet(), Feet()
    for feet in (exact, pushed):
        feet.walk((0.2, 0.0, 0.0), 3.0)
    pushed.state.foot_pos_w[:, :, 0] -= 0.05
    for feet in (exact, pushed):
        feet.walk((0.2, 0.0, 0.0), 3.0)
    assert float(exact.centre()[0] - pushed.centre()[0]) == pytest.approx(0.0, abs=5e-3)


def test_that_a_blocked_robot_is_not_asked_for_ever_longer_steps():
    feet = Feet(reach=0.0)
    feet.walk((0.3, 0.0, 0.0), 10.0)
    length = max(abs(target[0]) for _, target in feet.targets)
    assert length <= 0.3 * 0.44 + 0.3 * 0.22 + 0.05 + 1e-6
    feet.reach = 1.0
    start = float(feet.centre()[0])
    feet.walk((0.0, 0.0, 0.0), 2.0)
    assert float(feet.centre()[0]) - start < 0.3


def test_that_the_foot_height_follows_the_terrain():
    planner = FootstepPlanner(1, terrain=lambda xy: torch.where(xy[..., 0] > 0.1, 0.08, 0.0))
    state = standing_state()
    planner.reset(torch.arange(1), state)
    command = planner.update(state, torch.tensor([[0.25, 0.0, 0.0]]))
    assert float(command.target_stance[0, 0]) > 0.1
    assert float(command.target_stance[0, 2]) == pytest.approx(0.08)
    assert float(command.planned_w[0, 0, 2]) == pytest.approx(0.08)


def test_that_a_side_walk_starts_with_the_foot_on_that_side():
    for vy, side in ((0.15, LEFT), (-0.15, RIGHT)):
        feet = Feet()
        feet.walk((0.0, vy, 0.0), 0.1)
        assert feet.targets[0][0] == side


def test_that_worlds_do_not_touch_each_other():
    feet = Feet(n=3)
    v = torch.tensor([[0.2, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.4]])
    for _ in range(60):
        feet._land()
        feet.command = feet.planner.update(feet.state, v)
    alone = Feet(n=1)
    alone.walk((0.0, 0.0, 0.4), 1.2)
    assert int(feet.command.swing[1]) == STAND
    torch.testing.assert_close(feet.command.target_stance[2], alone.command.target_stance[0])
    feet.planner.reset(torch.tensor([0]), feet.state)
    assert feet.planner.swing.tolist()[0] == STAND
    assert feet.planner.swing.tolist()[2] != STAND


def test_that_a_velocity_that_is_not_finite_is_refused():
    planner = FootstepPlanner(1)
    state = standing_state()
    planner.reset(torch.arange(1), state)
    with pytest.raises(ValueError, match="NaN"):
        planner.update(state, torch.tensor([[float("nan"), 0.0, 0.0]]))


def test_that_bad_timing_is_refused():
    with pytest.raises(ValueError, match="multiple of"):
        FootstepConfig(swing_s=0.371)
