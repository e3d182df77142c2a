"""The one loop, against a world without physics: schedule, faults, stops, episodes."""

from dataclasses import replace

import pytest
import torch

from core.backends.base import InitialState, Physics
from core.backends.fake import FakeBackend
from core.backends.initial import default_initial_state
from core.control.safety import SafetyFilter, SafetyLimits, measured_hold
from core.control.stop import StopLatch, StopLevel
from core.planners.base import Source
from core.rollout import DIVERGED, NOT_FINITE_TARGET, CommandSent, EpisodeEnd, EpisodeStart, Observer, Rollout
from core.tasks.base import Task, TaskParameters, TaskStatus
from core.tasks.scene import Scene
from core.types import Command, JointTarget, WorldState

SCENE = Scene("empty")


class WalkTask:
    """Succeeds when the trunk has coasted past 1 m; fails after its time limit. The seed draws the speed."""

    name = "walk"
    title = "Walk"
    observation_terms = ()

    def __init__(self, num_worlds: int, speed_m_s: tuple[float, float] = (0.0, 0.0), time_limit_s: float = 100.0):
        self.num_worlds = num_worlds
        self.time_limit_s = time_limit_s
        self.speed_m_s = speed_m_s
        self.parameters: TaskParameters = {"speed": torch.zeros(num_worlds, 1)}

    def scene(self) -> Scene:
        return SCENE

    def sample_initial(self, count: int, generator: torch.Generator) -> tuple[InitialState, Physics, TaskParameters]:
        initial = default_initial_state(SCENE, count)
        low, high = self.speed_m_s
        speed = low + (high - low) * torch.rand(count, 1, generator=generator)
        initial.base_lin_vel_b = torch.cat((speed, torch.zeros(count, 2)), dim=-1)
        return initial, Physics.nominal(count), {"speed": speed}

    def reset(self, worlds: torch.Tensor, parameters: TaskParameters) -> None:
        self.parameters["speed"][worlds] = parameters["speed"]

    def observation(self, state: WorldState) -> dict[str, torch.Tensor]:
        return {}

    def update(self, state: WorldState) -> TaskStatus:
        success = state.base_pos_w[:, 0] > 1.0
        late = (state.time_s >= self.time_limit_s - 1e-4) & ~success
        code = torch.where(success, 1, torch.where(late, 2, 0))
        return TaskStatus(success, late, code, ("running", "success", "time limit"))


class ScriptedSource:
    """Asks for a fixed command, or for whatever `script` makes of it."""

    name = "scripted"

    def __init__(self, velocity: float = 0.1) -> None:
        self.velocity = velocity
        self.calls = 0
        self.resets: list[list[int]] = []
        self.script = lambda command: command

    def reset(self, worlds: torch.Tensor, state: WorldState) -> None:
        self.resets.append(worlds.tolist())

    def act(self, state: WorldState) -> Command:
        self.calls += 1
        command = measured_hold(state)
        command.base_velocity[:, 0] = self.velocity
        return self.script(command)


class LateSource(ScriptedSource):
    """A source whose commands come from outside."""

    age = 0.0

    def age_s(self) -> float:
        return self.age


class HoldingController:
    """Keeps every joint where it is; notes what it was given."""

    def __init__(self) -> None:
        self.given: list[Command] = []
        self.stopped: list[bool] = []
        self.script = lambda target: target

    def reset(self, worlds: torch.Tensor, state: WorldState) -> None:
        pass

    def act(self, state: WorldState, command: Command, stop: torch.Tensor | None = None) -> JointTarget:
        assert stop is not None
        self.given.append(command.clone())
        self.stopped.append(bool(stop.any()))
        free = torch.zeros(state.num_worlds, dtype=torch.bool)
        return self.script(JointTarget(state.joint_pos.clone(), command.gripper_opening.clone(), free))


class Notebook(Observer):
    """Writes down what an observer is told."""

    def __init__(self) -> None:
        self.starts: list[EpisodeStart] = []
        self.sent: list[CommandSent] = []
        self.ends: list[EpisodeEnd] = []

    def episode_began(self, start: EpisodeStart) -> None:
        self.starts.append(start)

    def command_sent(self, record: CommandSent) -> None:
        self.sent.append(replace(record, sent=record.sent.clone(), wanted=record.wanted.clone()))

    def episode_ended(self, end: EpisodeEnd) -> None:
        self.ends.append(end)


class Bench:
    """A loop with everything that a test may turn."""

    def __init__(self, n: int = 1, seeds: int = 1000, source: ScriptedSource | None = None, **task) -> None:
        self.task = WalkTask(n, **task)
        self.backend = FakeBackend(SCENE, n)
        self.source = source or ScriptedSource()
        self.controller = HoldingController()
        self.stop = StopLatch()
        self.notes = Notebook()
        self.reason = ""
        stock = iter(range(seeds))
        self.rollout = Rollout(
            self.task,
            self.backend,
            self.source,
            SafetyFilter(SafetyLimits()),
            self.controller,
            lambda: next(stock, None),
            [self.notes],
            self.stop,
            lambda: self.reason,
        )
        self.rollout.begin()

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.rollout.step()


def test_that_the_fakes_are_what_the_loop_takes():
    bench = Bench()
    assert isinstance(bench.task, Task)
    assert isinstance(bench.source, Source)


def test_that_the_source_is_asked_at_10_hz_and_the_controller_at_50():
    bench = Bench()
    bench.steps(50)
    assert (bench.source.calls, len(bench.controller.given), len(bench.notes.sent)) == (10, 50, 10)


def test_that_what_is_recorded_is_what_the_controller_got_with_its_time():
    bench = Bench(source=ScriptedSource(velocity=5.0))
    bench.steps(20)
    for i, record in enumerate(bench.notes.sent):
        assert float(record.wanted.base_velocity[0, 0]) == 5.0
        for given in bench.controller.given[5 * i : 5 * i + 5]:
            torch.testing.assert_close(given.to_vector(), record.sent.to_vector(), rtol=0, atol=0)
        assert record.state_time_s <= record.sent_time_s
    assert float(bench.notes.sent[-1].sent.base_velocity[0, 0]) == pytest.approx(0.4)
    assert bool(bench.notes.sent[-1].interventions["speed"][0])


def test_that_nan_from_a_source_never_reaches_the_controller():
    bench = Bench(2)
    bench.steps(10)

    def poison(command: Command) -> Command:
        command.hand_pos_b[1] = torch.nan
        command.base_velocity[1] = torch.nan
        return command

    bench.source.script = poison
    bench.steps(30)
    assert all(bool(given.to_vector().isfinite().all()) for given in bench.controller.given)
    assert bench.rollout.safety.counts["not_finite"].tolist() == [0, 6]
    last = bench.controller.given[-1].base_velocity[:, 0]
    assert last.tolist() == pytest.approx([0.1, 0.0])


def test_that_a_soft_stop_holds_the_hands_and_stops_the_base_in_the_very_next_period():
    bench = Bench()
    bench.source.script = lambda c: replace(c, hand_pos_b=c.hand_pos_b + 0.02)
    bench.steps(8)
    before = bench.controller.given[-1]
    bench.stop.request(StopLevel.SOFT)
    bench.steps(1)
    after = bench.controller.given[-1]
    assert float(before.base_velocity[0, 0]) == pytest.approx(0.1)
    assert float(after.base_velocity.abs().max()) == 0.0
    torch.testing.assert_close(after.hand_pos_b, before.hand_pos_b)
    assert bench.rollout.target is not None
    assert not bool(bench.rollout.target.damping.any())  # balance is kept
    assert bench.rollout.stop_obeyed == StopLevel.SOFT
    assert bench.rollout.holding == "soft stop"


def test_that_a_soft_stop_lasts_until_cleared_and_the_source_waits():
    bench = Bench()
    bench.steps(5)
    bench.stop.request(StopLevel.SOFT)
    asked = bench.source.calls
    bench.steps(100)
    assert bench.source.calls == asked
    assert all(float(given.base_velocity.abs().max()) == 0.0 for given in bench.controller.given[5:])
    assert float(bench.notes.sent[-1].sent.base_velocity[0, 0]) == 0.0  # the hold is what is recorded
    bench.stop.clear()
    bench.steps(10)
    assert float(bench.controller.given[-1].base_velocity[0, 0]) == pytest.approx(0.1)
    assert bench.rollout.holding == ""


def test_that_a_hard_stop_damps_every_joint_at_once_and_is_latched():
    bench = Bench(2)
    bench.steps(7)
    bench.stop.request(StopLevel.HARD)
    bench.steps(1)
    assert bench.rollout.target is not None
    assert bool(bench.rollout.target.damping.all())
    bench.stop.request(StopLevel.SOFT)
    bench.steps(50)
    assert bool(bench.rollout.target.damping.all())
    assert bench.controller.stopped == [False] * 7 + [True] * 51


def test_that_a_hard_stop_needs_no_cooperation_of_the_controller():
    bench = Bench()
    bench.controller.script = lambda target: replace(target, damping=torch.zeros(1, dtype=torch.bool))
    bench.stop.request(StopLevel.HARD)
    bench.steps(1)
    assert bench.rollout.target is not None
    assert bool(bench.rollout.target.damping.all())


def test_that_a_missing_heartbeat_holds_and_its_return_resumes():
    bench = Bench()
    bench.steps(7)
    bench.reason = "no heartbeat"
    bench.steps(1)
    assert float(bench.controller.given[-1].base_velocity.abs().max()) == 0.0
    assert bench.rollout.holding == "no heartbeat"
    bench.reason = ""
    bench.steps(3)
    assert float(bench.controller.given[-1].base_velocity[0, 0]) == pytest.approx(0.1)


def test_that_a_source_that_falls_silent_between_two_commands_is_held_in_the_next_period():
    source = LateSource()
    bench = Bench(source=source)
    bench.steps(7)
    source.age = 0.26
    bench.steps(1)
    assert float(bench.controller.given[-1].base_velocity.abs().max()) == 0.0
    assert bench.rollout.holding == "stale command"
    bench.steps(10)
    assert bench.rollout.safety.counts["stale"].tolist() == [2]
    source.age = 0.0
    bench.steps(5)
    assert float(bench.controller.given[-1].base_velocity[0, 0]) == pytest.approx(0.1)


def test_that_joint_targets_that_are_not_finite_become_damping_and_end_the_episode():
    bench = Bench(2)
    bench.steps(5)

    def poison(target: JointTarget) -> JointTarget:
        target.position[1, 3] = torch.nan
        return target

    bench.controller.script = poison
    bench.steps(1)
    assert bench.rollout.target is not None
    assert bench.rollout.target.damping.tolist() == [False, True]
    assert bool(bench.rollout.target.position.isfinite().all())
    bench.controller.script = lambda target: target
    bench.steps(5)
    assert [(end.world, end.success, end.reason) for end in bench.notes.ends] == [(1, False, NOT_FINITE_TARGET)]


def test_that_a_diverged_world_ends_its_episode_and_no_other():
    bench = Bench(3)
    bench.steps(2)
    push = torch.zeros(3, 3)
    push[1, 0] = 1e9
    bench.backend.apply_wrench("Trunk", push, torch.zeros(3, 3))
    bench.steps(1)
    bench.backend.apply_wrench("Trunk", torch.zeros(3, 3), torch.zeros(3, 3))
    bench.steps(5)
    assert [(end.world, end.reason) for end in bench.notes.ends] == [(1, DIVERGED)]
    assert bench.source.resets == [[0, 1, 2], [1]]


def test_that_worlds_end_and_begin_by_themselves():
    bench = Bench(4, speed_m_s=(0.5, 3.0))
    bench.steps(250)
    assert len(bench.notes.ends) >= 8
    for end in bench.notes.ends:
        speed = float(bench.task.sample_initial(1, torch.Generator().manual_seed(end.seed))[2]["speed"])
        assert end.success
        assert 1.0 / speed <= end.duration_s <= 1.0 / speed + 0.13  # judged once a command
    seeds = [start.seed for start in bench.notes.starts]
    assert seeds == list(range(len(seeds)))


def test_that_an_episode_is_the_same_in_any_number_of_worlds():
    def durations(n: int) -> dict[int, float]:
        bench = Bench(n, speed_m_s=(0.5, 3.0))
        bench.steps(300)
        return {end.seed: end.duration_s for end in bench.notes.ends}

    alone, together = durations(1), durations(3)
    common = set(alone) & set(together)
    assert len(common) >= 3
    assert all(alone[seed] == pytest.approx(together[seed]) for seed in common)


def test_that_a_time_limit_is_a_failure_with_its_reason():
    bench = Bench(time_limit_s=0.5)
    bench.steps(26)
    assert [(end.success, end.reason) for end in bench.notes.ends] == [(False, "time limit")]
    assert bench.notes.ends[0].duration_s == pytest.approx(0.5)


def test_that_without_more_seeds_a_world_stands_and_holds():
    bench = Bench(2, seeds=3, time_limit_s=0.5)
    bench.steps(60)
    assert len(bench.notes.ends) == 3
    assert not bool(bench.rollout.active.any())
    held = bench.controller.given[-1].base_velocity
    assert float(held.abs().max()) == 0.0


def test_that_an_episode_ended_from_outside_is_reported_once_and_can_begin_again():
    bench = Bench(2)
    bench.steps(10)
    bench.rollout.end(torch.tensor([0]), "reset")
    bench.rollout.end(torch.tensor([0]), "reset")
    assert [(end.world, end.success, end.reason) for end in bench.notes.ends] == [(0, False, "reset")]
    bench.rollout.begin(torch.tensor([0]))
    assert bench.rollout.active.tolist() == [True, True]
    assert bench.rollout.episode_index == [2, 1]
