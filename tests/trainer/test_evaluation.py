"""The evaluator on a made-up world whose hands move in a known way."""

import math
from types import SimpleNamespace

import pytest
import torch

from core.backends.fake import FakeBackend
from core.rigid import quat_from_rotvec, quat_mul
from core.rollout import EpisodeEnd
from core.tasks.base import Handling
from core.tasks.box_pickup import BoxPickup
from core.tasks.scene import Scene
from core.tasks.terms import points_in_base, rotations_in_base
from core.types import Command
from trainer.episode_meter import EpisodeResult, Meter
from trainer.evaluation import Evaluation, EvaluationRun, five_numbers
from trainer.failures import HandlingRecord
from trainer.policy_evaluation import build_evaluator
from trainer.session.parts import make_heuristic


def result(seed, success, duration_s=10.0, reason="time limit", **changes):
    values = {"stage": "", "hand_position_error_m": 0.01, "hand_orientation_error_rad": 0.1, "hand_speed_m_s": 0.2}
    return EpisodeResult(
        seed, success, "success" if success else reason, duration_s, hand_jerk_m_s3=1.0, **{**values, **changes}
    )


def test_that_episodes_add_up():
    results = [result(i, True, duration_s=10.0 + i) for i in range(5)]
    results += [result(5, False, reason="robot fell", failure="fell")]
    results += [result(seed, False, stage="lift", failure="dropped") for seed in (6, 7)]
    evaluation = Evaluation.of(results)
    assert evaluation.success_rate == 5 / 8
    assert evaluation.ci95 == (pytest.approx(0.3057, abs=1e-3), pytest.approx(0.8632, abs=1e-3))
    assert evaluation.task_time_s == 12.0
    assert evaluation.task_time_quartiles_s == (10.0, 11.0, 12.0, 13.0, 14.0)
    assert evaluation.failures == {"fell": 1, "missed": 0, "dropped": 2, "time": 0}
    assert evaluation.failure_details == {"time limit (lift)": 2, "robot fell": 1}
    assert evaluation.failed_seeds == (5, 6, 7)
    assert Evaluation.of([result(0, False)]).task_time_s is None
    with pytest.raises(ValueError, match="no episode was finished"):
        Evaluation.of([])


def test_that_attempts_and_stages_are_counted():
    results = [
        result(3, True, duration_s=14.0, attempts=1),
        result(4, False, attempts=3, stage="squeeze", failure="missed"),
        result(5, True, duration_s=18.0, attempts=1),
        result(2, False, reason="robot fell", stage="align", failure="fell"),
    ]
    evaluation = Evaluation.of(results)
    assert evaluation.attempts == {0: 1, 1: 2, 3: 1}
    assert evaluation.failure_details == {"time limit (squeeze)": 1, "robot fell (align)": 1}
    assert evaluation.failed_seeds == (2, 4)


def test_that_five_numbers_of_few_values_are_those_values():
    assert five_numbers([]) == ()
    assert five_numbers([2.0]) == (2.0,) * 5


def test_that_a_fixed_squeeze_depth_replaces_the_drawn_one():
    drawn, fixed = (make_heuristic(BoxPickup(1), "simulation", press_m) for press_m in (None, 0.07))
    assert fixed.config.style.press_m == (0.07, 0.07)
    assert drawn.config.style.press_m[0] < drawn.config.style.press_m[1]


class Quiet(BoxPickup):
    """Says nothing about the handling: these worlds have no box."""

    handling = None


def follow(meter, states, sent, world_count, active=None):
    """Play states of successive control periods past a meter."""
    active = torch.ones(world_count, dtype=torch.bool) if active is None else active
    task = Quiet(world_count)
    for tick, state in enumerate(states):
        if tick % 5 == 0:
            meter.command_sent(SimpleNamespace(sent=sent))
        rollout = SimpleNamespace(
            task=task, state=state, active=active, ticks=tick + 1, episode_index=list(range(world_count))
        )
        meter.tick(rollout)


def test_that_hands_are_measured():
    """World 0 moves its hands at 0.3 m/s; world 1 at t^3 with jerk 6; both stay off the command by known amounts."""
    backend = FakeBackend(Scene("empty"), 2)
    start = backend.read_state()
    command = Command(
        torch.zeros(2, 3),
        points_in_base(start, start.hand_pos_w) + torch.tensor([0.0, 0.03, 0.04]),
        quat_mul(
            rotations_in_base(start, start.hand_quat_w), quat_from_rotvec(torch.tensor([0.2, 0.0, 0.0])).expand(2, 2, 4)
        ),
        torch.zeros(2, 2),
    )
    states = []
    for tick in range(20):
        t = 0.02 * (tick + 1)
        state = start.clone()
        state.hand_pos_w = state.hand_pos_w.double()
        state.hand_pos_w[0, :, 0] += 0.3 * t
        state.hand_pos_w[1, :, 0] += t**3
        state.hand_pos_w = state.hand_pos_w.float()
        states.append(state)
    meter = Meter(SimpleNamespace(), 2)
    meter._trail = meter._trail.double()
    follow(meter, states, command, 2)
    for world in range(2):
        meter.episode_ended(EpisodeEnd(world, world, 10 + world, True, "success", 0.4))
    first, second = meter.results
    assert (first.seed, second.seed) == (10, 11)
    assert first.hand_speed_m_s == pytest.approx(0.3, rel=1e-3)
    assert second.hand_jerk_m_s3 == pytest.approx(6.0, rel=0.1)
    assert first.hand_orientation_error_rad == pytest.approx(0.2, rel=1e-3)
    off = [math.dist((0.3 * 0.1 * k, 0, 0), (0, 0.03, 0.04)) for k in range(1, 5)]
    assert first.hand_position_error_m == pytest.approx(sum(off) / 4, rel=1e-3)


def test_that_worlds_without_an_episode_are_not_measured():
    start = FakeBackend(Scene("empty"), 2).read_state()
    command = Command(torch.zeros(2, 3), torch.ones(2, 2, 3), start.hand_quat_w.clone(), torch.zeros(2, 2))
    meter = Meter(SimpleNamespace(), 2)
    follow(meter, [start] * 10, command, 2, active=torch.tensor([True, False]))
    assert meter._sums[0].abs().sum() > 0
    assert meter._sums[1].abs().sum() == 0


A, R, H = Handling.AWAY, Handling.REACHED, Handling.HELD


@pytest.mark.parametrize(
    ("reason", "path", "failure"),
    [
        ("robot fell", [A, R, H], "fell"),
        ("time limit", [A, A], "time"),
        ("time limit", [A, R, A], "missed"),
        ("time limit", [A, R, H, R, A], "dropped"),
        ("time limit", [A, R, H], "time"),
        ("box dropped", [A, R, H, A], "dropped"),
        ("box dropped", [A, R, A], "missed"),
        ("box dropped", [A, A], "missed"),
        ("box dropped", [Handling.UNKNOWN], "dropped"),
        ("simulation diverged", [A, R, H], "simulation"),
    ],
)
def test_that_a_failure_is_told_by_what_happened_before(reason, path, failure):
    record = HandlingRecord(2)
    for stage in path:
        record.see(torch.tensor([int(stage), int(H)]), torch.tensor([True, False]))
    assert record.close(0, reason) == failure
    assert record.close(0, "time limit") == "time"  # the next episode of this world begins anew
    assert record.close(1, "box dropped") == "dropped"


def seeds_of(results):
    return [result.seed for result in results]


def test_that_only_the_first_seeds_may_be_looked_at_before_the_end():
    """Seed 2 ends first; it is not looked at before seeds 0 and 1."""
    run = object.__new__(EvaluationRun)
    run.seeds, run._meter = [0, 1, 2, 3], SimpleNamespace(results=[result(2, True)])
    assert seeds_of(run.prefix()) == []
    run._meter.results.append(result(0, False))
    assert seeds_of(run.prefix()) == [0]
    run._meter.results.append(result(1, True))
    assert seeds_of(run.prefix()) == [0, 1, 2]
    assert not run.complete


@pytest.mark.slow
def test_that_a_real_pick_up_goes_from_away_to_held(monkeypatch):
    stages = set()
    see = HandlingRecord.see

    def noted(self, handling, active):
        stages.add(int(handling[0]))
        see(self, handling, active)

    monkeypatch.setattr(HandlingRecord, "see", noted)
    task = BoxPickup(1)
    evaluator = build_evaluator(task)
    (result,) = evaluator.run(make_heuristic(task, "simulation"), [7])
    evaluator.backend.close()
    assert result.success
    assert result.failure == ""
    assert stages == {Handling.AWAY, Handling.REACHED, Handling.HELD}
    assert result.start[0] == pytest.approx(1.45, abs=0.3)
