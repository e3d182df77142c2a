"""The live player against links that answer at once, late, wrongly or never; time is that of the states."""

from dataclasses import replace

import pytest
import torch

from core.backends.fake import FakeBackend
from core.planners.base import Source
from core.policy.build import build_planner
from core.policy.chunks import ChunkPlayer
from core.policy.config import DitConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.live import NO_PLAN, LivePlayer, PlanAnswer
from core.policy.live_config import LiveConfig
from core.policy.normalizer import Normalizer
from core.rollout import HoldingSource, SeededSource
from core.tasks.catalogue import make_task
from core.types import Command

WORLD = torch.tensor([0])
TP, TA = 12, 8


class Link:
    """A planner beside the loop: row i of a chunk says i as the forward velocity; `answer` says when it comes."""

    noise_count, executed_steps, restarts = 1, TA, 0

    def __init__(self, latency: int = 0) -> None:
        self.latency = latency
        "commands until an answer, None: never"
        self.asked = []
        self.begun = 0
        self.broken = ""
        self.clock = 0
        self.make = self.rows

    def rows(self, request):
        chunk = torch.zeros(TP, Command.SIZE)
        chunk[:, 0] = torch.arange(TP)
        chunk[:, 9] = chunk[:, 13] = 1.0
        return PlanAnswer(request.number, chunk)

    def trouble(self):
        return self.broken

    def begin(self):
        self.begun += 1

    def ask(self, request):
        self.asked.append((self.clock, request))

    def take(self, timeout_s):
        due = [r for at, r in self.asked if self.latency is not None and self.clock - at >= self.latency]
        self.asked = [(at, r) for at, r in self.asked if all(r is not d for d in due)]
        return [self.make(request) for request in due]


class Stage:
    """A player on the box pick-up without physics; `play` gives the next commands at 10 Hz."""

    def __init__(self, link, **config) -> None:
        self.task = make_task("box_pickup", 1)
        self.link = link
        self.layout = PlannerLayout.of_task(self.task)
        self.player = LivePlayer(link, self.task, self.layout, LiveConfig(**config), now=lambda: 0.1 * link.clock)
        self.state = FakeBackend(self.task.scene(), 1).read_state()
        self.reset()

    def reset(self, seed=0):
        self.link.clock = 0
        self.player.seed(WORLD, [seed])
        self.player.reset(WORLD, self.state)

    def play(self, count):
        """(forward velocity, hold reason) of each command."""
        said = []
        for _ in range(count):
            state = replace(self.state, time_s=torch.tensor([0.1 * self.link.clock]))
            velocity = float(self.player.act(state).base_velocity[0, 0])
            said.append("hold" if self.player.hold_reason() else velocity)
            self.link.clock += 1
        return said


def test_that_it_is_a_source_that_is_seeded_and_may_hold():
    player = Stage(Link()).player
    assert isinstance(player, Source)
    assert isinstance(player, SeededSource)
    assert isinstance(player, HoldingSource)


def test_that_without_latency_it_plays_chunks_as_in_lock_step():
    stage = Stage(Link(0))
    assert stage.play(18) == [0, 1, 2, 3, 4, 5, 6, 7] * 2 + [0, 1]
    assert stage.player.stats().late == 0


@pytest.mark.parametrize("latency", [1, 2, 3])
def test_that_a_chunk_begins_at_the_row_whose_time_it_is(latency):
    stage = Stage(Link(latency))
    said = stage.play(8 + 3 * TA)
    rows = said[latency:]
    assert said[:latency] == ["hold"] * latency  # nothing to play before the first one
    assert rows == [i % TA + latency for i in range(len(rows))]
    assert "hold" not in rows


def test_that_a_latency_of_one_command_is_hidden_and_a_longer_one_is_counted():
    hidden, late = Stage(Link(1)), Stage(Link(3))
    hidden.play(30)
    late.play(30)
    assert (hidden.player.stats().late, hidden.player.stats().late_commands) == (0, 0)
    assert late.player.stats().late == 4  # asked at 0, 8, 16 and 24
    assert late.player.stats().late_commands == 8
    assert late.player.stats().latency_p50_ms == pytest.approx(300.0)


def test_that_the_latency_ends_when_the_chunk_arrives_not_when_it_is_looked_at():
    link = Link(1)
    link.make = lambda request: replace(link.rows(request), arrived_s=0.1 * link.clock - 0.08)
    stage = Stage(link)
    stage.play(10)
    assert stage.player.stats().latency_p50_ms == pytest.approx(20.0)


def test_that_the_rest_of_the_old_chunk_is_played_then_the_robot_holds_then_goes_on():
    link = Link(0)
    stage = Stage(link, hold_after=3)
    stage.play(TA)
    link.latency = None
    assert stage.play(6) == [8, 9, 10, "hold", "hold", "hold"]  # due at the 9th command, the third late one holds
    assert "no chunk from the planner for" in stage.player.hold_reason()
    link.latency = 0
    assert stage.play(3) == [6, 7, 0]  # the chunk that was asked for six commands ago goes on where it is
    stats = stage.player.stats()
    assert (stats.late, stats.held) == (1, 3)


def test_that_the_robot_holds_when_the_old_chunk_is_over_however_patient_it_is():
    link = Link(0)
    stage = Stage(link, hold_after=50)
    stage.play(TA)
    link.latency = None
    assert stage.play(6) == [8, 9, 10, 11, "hold", "hold"]


def test_that_a_request_whose_answer_would_be_too_old_is_made_anew():
    link = Link(None)
    stage = Stage(link)
    stage.play(TP)
    assert len(link.asked) == 1
    stage.play(1)
    assert [at for at, _ in link.asked] == [0, TP]
    assert stage.player.stats().rejected == 1


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda c: c.index_fill(0, torch.tensor([3]), torch.nan), "not a number"),
        (lambda c: c[:7], "a chunk of 7x19 torch.float32, not 12x19 float32"),
        (lambda c: c.double(), "a chunk of 12x19 torch.float64"),
        (lambda c: None, "out of memory"),
    ],
)
def test_that_a_bad_chunk_is_never_played(spoil, reason):
    link = Link(0)
    stage = Stage(link)
    stage.play(TA)
    good = link.make

    def bad(request):
        return PlanAnswer(request.number, spoil(good(request).chunk), "out of memory")

    link.make = bad
    assert stage.play(6) == [8, 9, 10, 11, "hold", "hold"]
    assert reason in stage.player.hold_reason()
    assert stage.player.stats().rejected == 6  # asked again each time
    link.make = good
    assert stage.play(2) == [0, 1]
    assert stage.player.hold_reason() == ""


def test_that_a_planner_that_cannot_plan_is_not_asked_and_its_trouble_is_the_reason():
    link = Link(0)
    link.broken = "the planner is being loaded"
    stage = Stage(link)
    assert stage.play(3) == ["hold"] * 3
    assert stage.player.hold_reason() == "the planner is being loaded"
    assert link.asked == []
    assert stage.player.stats().late == 0  # loading is not lateness
    link.broken = ""
    assert stage.play(2) == [0, 1]
    link.broken = "the planner process was killed by signal 9; it is started again"
    stage.play(11)
    assert "signal 9" in stage.player.hold_reason()
    assert stage.player.stats().late == 1


def test_that_a_new_episode_forgets_plan_history_and_what_is_under_way():
    link = Link(0)
    stage = Stage(link)
    stage.play(3)
    link.latency = None
    stage.reset()
    assert link.begun == 2
    assert stage.play(1) == ["hold"]
    assert stage.player.hold_reason() == NO_PLAN
    stale = link.asked.pop()[1]
    stage.reset()
    stage.play(1)
    link.make = lambda request: PlanAnswer(stale.number, Link().rows(request).chunk)
    link.latency = 0
    assert stage.play(1) == ["hold"]  # the answer belongs to the episode before


def test_that_nothing_planned_before_a_hold_from_outside_is_played_after_it():
    link = Link(0)
    stage = Stage(link)
    stage.play(4)
    link.clock += 30  # a soft stop: the loop did not ask
    link.latency = 1
    assert stage.play(3) == ["hold", 1, 2]
    now = stage.player.memory.history[0, :, 0]
    assert torch.equal(now, now[:1].expand(8))  # begins anew too


def test_that_several_worlds_are_refused():
    task = make_task("box_pickup", 2)
    with pytest.raises(ValueError, match="drives one world, the task has 2"):
        LivePlayer(Link(), task, PlannerLayout.of_task(task), LiveConfig())


@pytest.mark.parametrize(("field", "value"), [("ahead", -1), ("hold_after", 0), ("wait_s", -1.0)])
def test_that_settings_are_checked(field, value):
    with pytest.raises(ValueError, match=f"{field} must .* got {value}"):
        LiveConfig(**{field: value})


class PlannerLink(Link):
    """A real planner that answers at once."""

    def __init__(self, planner):
        super().__init__(0)
        self.planner = planner
        self.noise_count = planner.noise_count
        self.make = self.plan

    def plan(self, request):
        with torch.inference_mode():
            return PlanAnswer(request.number, self.planner.plan(request.obs[None], request.noise)[0].clone())


@pytest.mark.parametrize("sampler", [SamplerConfig(steps=4), SamplerConfig("ddpm")])
def test_that_without_latency_the_commands_are_those_of_the_chunk_player_on_the_same_seed(sampler):
    task = make_task("box_pickup", 1)
    layout = PlannerLayout.of_task(task)
    torch.manual_seed(0)
    config = PlannerConfig(
        dit=DitConfig(width=72, layers=1, heads=2, encoder_width=16), denoising_steps=8, sampler=sampler
    )
    normalizers = (Normalizer.identity(layout.observation_size), Normalizer.identity(layout.action_size))
    planner = build_planner(layout, config, *normalizers).eval()
    with torch.no_grad():
        for parameter in planner.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    lock_step = ChunkPlayer(planner, task, TA)
    live = LivePlayer(PlannerLink(planner), task, layout, LiveConfig())
    state = FakeBackend(task.scene(), 1).read_state()
    generator = torch.Generator().manual_seed(1)
    for seed, commands in ((5, 20), (6, 11)):
        for player in (lock_step, live):
            player.seed(WORLD, [seed])
            player.reset(WORLD, state)
        for k in range(commands):
            moved = state.base_pos_w + 0.1 * torch.randn(1, 3, generator=generator)
            now = replace(state, time_s=torch.tensor([0.1 * k]), base_pos_w=moved)
            assert torch.equal(lock_step.act(now).to_vector(), live.act(now).to_vector())
            assert live.hold_reason() == ""
    assert live.stats().chunks == 3 + 2
