"""The source *policy* in a live session: planner processes that are stopped, killed and made to talk nonsense."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch
from desk_parts import Heard

from core.policy.build import build_planner
from core.policy.checkpoint import save_planner
from core.policy.chunks import ChunkPlayer
from core.policy.config import DitConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.policy.planner import Planner
from core.rl.checkpoint import Layout, save_checkpoint
from core.tasks.catalogue import make_task
from trainer.session.live import LiveSession
from trainer.session.messages import (
    Configure,
    Control,
    Heartbeat,
    Hello,
    LogLine,
    SessionError,
    SettingsKept,
    StateChanged,
    WorkerEvent,
)
from trainer.session.planner_link import PlannerProcess

SCRIPT = Path(__file__).parent / "scripted_planner.py"
CONFIG = PlannerConfig(
    dit=DitConfig(width=72, layers=1, heads=2, encoder_width=16), denoising_steps=8, sampler=SamplerConfig(steps=2)
)


def tiny_planner(seed: int = 0) -> Planner:
    """A transformer with random weights for the box pick-up."""
    layout = PlannerLayout.of_task(make_task("box_pickup", 1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        normalizers = (Normalizer.identity(layout.observation_size), Normalizer.identity(layout.action_size))
        planner = build_planner(layout, CONFIG, *normalizers)
        with torch.no_grad():
            for parameter in planner.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
    return planner.eval()


def store(path: Path, seed: int = 0) -> Planner:
    planner = tiny_planner(seed)
    save_planner(path, planner, CONFIG, {"steps": seed})
    return planner


class Desk(Heard):
    """A session whose clock stands still, so that nothing is paced; planner processes live in real time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[WorkerEvent] = []
        self.time_s = 0.0
        self.session = LiveSession(
            self.events.append, now=lambda: self.time_s, sleep=lambda _: None, make_link=self._make_link
        )
        self.links: list[PlannerProcess] = []
        self.command: dict[str, tuple[str, ...]] = {}

    def _make_link(self, *arguments) -> PlannerProcess:
        self.links.append(PlannerProcess(*arguments, **self.command))
        return self.links[-1]

    def scripted(self, mode: str) -> "Desk":
        """Planner processes are those of scripted_planner.py."""
        self.mode(mode)
        environment_path = os.pathsep.join((str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")))
        os.environ["PYTHONPATH"] = environment_path
        self.command = {"command": (sys.executable, str(SCRIPT), str(self.folder))}
        return self

    def mode(self, mode: str) -> None:
        partial = self.folder / "mode.partial"
        partial.write_text(mode)
        partial.replace(self.folder / "mode")

    def configure(self, **settings) -> None:
        self.session.receive(Hello("client"))
        self.session.receive(Configure(**{"backend": "fake", **settings}))
        self.ticks(1)

    def start(self, **settings) -> "Desk":
        store(self.folder / "planner.safetensors")
        settings = {"source": "policy", "checkpoint": str(self.folder), **settings}
        self.configure(**settings)
        assert self.session.state == "ready", self.told(SessionError)
        self.session.receive(Control("start"))
        self.ticks(1)
        assert self.session.state == "running", self.events
        return self

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.session.receive(Heartbeat())
            self.session.tick()

    def commands(self, count: int) -> None:
        self.ticks(5 * count)

    def until(self, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        """Tick, and let the planner process work in between."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, self.telemetry
            self.commands(1)
            time.sleep(0.01)

    @property
    def walking(self) -> bool:
        return not self.telemetry.holding and float(self.telemetry.velocity_command[0]) > 0.05


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    before = {child.pid for child in psutil.Process().children()}
    desk = Desk(tmp_path)
    yield desk
    for link in desk.links:
        with contextlib.suppress(ProcessLookupError):
            os.kill(link.pid, signal.SIGCONT)
    desk.session.close()
    assert not {child.pid for child in psutil.Process().children()} - before


def test_that_a_policy_is_loaded_played_and_measured(desk: Desk) -> None:
    desk.scripted("good").start()
    desk.until(lambda: desk.walking and desk.telemetry.planner.chunks >= 2)
    telemetry = desk.telemetry
    assert (telemetry.source, telemetry.planner.rejected, telemetry.planner.restarts) == ("policy", 0, 0)
    assert [event.state for event in desk.told(StateChanged)] == ["loading", "ready", "running"]
    assert "scripted planner" in [line.text for line in desk.told(LogLine)]
    assert desk.told(SessionError) == []


def test_that_a_stopped_planner_holds_the_robot_which_goes_on_when_it_wakes(desk: Desk) -> None:
    desk.scripted("good").start(hold_after=3)
    desk.until(lambda: desk.walking)
    os.kill(desk.links[0].pid, signal.SIGSTOP)
    desk.commands(40)
    held = desk.telemetry
    assert held.holding
    assert "no chunk from the planner for" in held.hold_reason
    assert abs(held.velocity_command).max() == 0.0
    assert held.planner.late >= 1
    assert held.planner.late_commands >= 3
    os.kill(desk.links[0].pid, signal.SIGCONT)
    desk.until(lambda: desk.walking)
    assert desk.telemetry.planner.restarts == 0


def test_that_a_planner_that_hangs_for_long_is_started_again(desk: Desk) -> None:
    desk.scripted("good").start()
    desk.until(lambda: desk.walking)
    first = desk.links[0].pid
    os.kill(first, signal.SIGSTOP)
    desk.commands(20)
    desk.time_s += 11.0
    desk.until(lambda: desk.walking and desk.links[0].pid != first)
    assert desk.telemetry.planner.restarts == 1


def test_that_a_killed_planner_is_replaced_while_the_robot_holds(desk: Desk) -> None:
    desk.scripted("good").start()
    desk.until(lambda: desk.walking)
    first = desk.links[0].pid
    desk.mode("silent")  # the next process will not rescue the run before the test has looked
    os.kill(first, signal.SIGKILL)
    desk.until(lambda: desk.telemetry.holding)
    assert abs(desk.telemetry.velocity_command).max() == 0.0
    desk.until(lambda: desk.links[0].pid != first)
    desk.mode("good")
    desk.until(lambda: desk.walking)
    assert desk.telemetry.planner.restarts == 1
    assert any("killed by signal 9; it is started again" in line.text for line in desk.told(LogLine))


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("nan", "not a number"), ("short", "a chunk of 7x19"), ("garbage", "what is not a message")],
)
def test_that_nonsense_is_counted_and_never_played(desk: Desk, mode: str, reason: str) -> None:
    desk.scripted("good").start()
    desk.until(lambda: desk.walking)
    desk.mode(mode)
    desk.until(lambda: desk.telemetry.holding and reason in desk.telemetry.hold_reason)
    assert desk.telemetry.planner.rejected >= 1
    assert abs(desk.telemetry.velocity_command).max() == 0.0
    desk.mode("good")
    desk.until(lambda: desk.walking)


def test_that_a_planner_that_dies_again_and_again_is_given_up_with_an_error(desk: Desk) -> None:
    desk.scripted("exit").start()
    desk.until(lambda: desk.told(SessionError))
    error = desk.told(SessionError)[0]
    assert "ended with status 3, 4 times" in error.what
    assert desk.telemetry.holding
    assert desk.telemetry.planner.restarts == 3
    assert len(desk.links) == 1


def test_that_what_the_process_cannot_load_is_refused_and_the_old_settings_go_on(desk: Desk) -> None:
    desk.scripted("refuse")
    store(desk.folder / "planner.safetensors")
    desk.configure()
    desk.session.receive(Configure(backend="fake", source="policy", checkpoint=str(desk.folder)))
    desk.ticks(2)
    assert "the weights are of another planner" in desk.told(SessionError)[0].what
    assert desk.told(SettingsKept) == [SettingsKept(Configure(backend="fake"))]
    assert (desk.session.state, desk.telemetry.source) == ("ready", "heuristic")


def test_that_a_wrong_checkpoint_is_refused_with_the_difference(desk: Desk) -> None:
    wrong = {
        "another task": dict(task="door"),
        "another observation": dict(observation=(("hand", 3),)),
        "another chunk": dict(action_chunk=6),
    }
    desk.configure()
    for name, change in wrong.items():
        layout = PlannerLayout(**{**vars(PlannerLayout.of_task(make_task("box_pickup", 1))), **change})
        normalizers = (Normalizer.identity(layout.observation_size), Normalizer.identity(layout.action_size))
        path = desk.folder / f"{name}.safetensors"
        save_planner(path, build_planner(layout, CONFIG, *normalizers), CONFIG, {})
        desk.session.receive(Configure(backend="fake", source="policy", checkpoint=str(path)))
        desk.ticks(1)
    told = [error.what for error in desk.told(SessionError)]
    assert "task: the planner has 'door', task 'box_pickup' has 'box_pickup'" in told[0]
    assert "observation: the planner has (('hand', 3),)" in told[1]
    assert "action_chunk: the planner has 6, task 'box_pickup' has 12" in told[2]
    assert len(desk.told(SettingsKept)) == 3
    assert desk.telemetry.source == "heuristic"


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [(None, "needs a checkpoint"), ("missing", "no checkpoint at"), ("lower", "'planner' of version 1 is needed")],
)
def test_that_what_is_no_planner_is_refused(desk: Desk, checkpoint: str | None, message: str) -> None:
    save_checkpoint(desk.folder / "lower.safetensors", {"a": torch.zeros(1)}, Layout("lower", 1, (), ()), {})
    path = None if checkpoint is None else str(desk.folder / f"{checkpoint}.safetensors")
    desk.configure(source="policy", checkpoint=path)
    assert message in desk.told(SessionError)[0].what
    assert desk.session.state == "unconfigured"


def test_that_another_source_during_an_episode_waits_for_its_end_and_ends_the_process(desk: Desk) -> None:
    desk.scripted("good").start()
    desk.until(lambda: desk.walking)
    pid = desk.links[0].pid
    desk.session.receive(Configure(backend="fake"))
    desk.commands(4)
    assert (desk.telemetry.source, psutil.pid_exists(pid)) == ("policy", True)
    desk.session.receive(Control("reset"))
    desk.ticks(1)
    assert desk.telemetry.source == "heuristic"
    assert not psutil.pid_exists(pid)


def test_that_a_planner_chosen_while_the_robot_runs_takes_over_with_the_next_episode(desk: Desk) -> None:
    desk.scripted("good")
    store(desk.folder / "planner.safetensors")
    desk.configure()
    desk.session.receive(Control("start"))
    desk.ticks(20)
    desk.session.receive(Configure(backend="fake", source="policy", checkpoint=str(desk.folder)))
    desk.ticks(5)
    assert desk.telemetry.source == "heuristic"
    desk.session.receive(Control("reset"))
    desk.session.receive(Control("start"))
    desk.until(lambda: desk.walking and desk.telemetry.source == "policy")


class Sent:
    """The commands of the session, as they were wanted."""

    def __init__(self, session: LiveSession) -> None:
        assert session.world is not None
        self.rollout = session.world.rollout
        self.wanted: list[torch.Tensor] = []
        self.rollout.observers.append(self)  # type: ignore[arg-type]

    def episode_began(self, start) -> None: ...

    def episode_ended(self, end) -> None: ...

    def command_sent(self, record) -> None:
        self.wanted.append(record.wanted.to_vector().clone())


def test_that_the_real_process_repeats_the_lock_step_evaluation_where_the_simulation_waits_for_it(desk: Desk) -> None:
    planner = store(desk.folder / "planner.safetensors")
    desk.configure(source="policy", checkpoint=str(desk.folder), realtime=False, seed=3)
    sent = Sent(desk.session)
    rollout = sent.rollout
    lock_step = ChunkPlayer(planner, rollout.task, CONFIG.executed_steps)
    lock_step.seed(torch.tensor([0]), [3])
    lock_step.reset(torch.tensor([0]), rollout.state)
    live = rollout.source.act
    wanted = []

    def both(state):
        wanted.append(lock_step.act(state).to_vector().clone())
        return live(state)

    rollout.source.act = both
    desk.session.receive(Control("start"))
    desk.commands(20)
    assert len(sent.wanted) == len(wanted) == 20
    for said, expected in zip(sent.wanted, wanted):
        torch.testing.assert_close(said, expected, rtol=0, atol=1e-6)
    assert desk.telemetry.planner.chunks == 3
    # a training writes the file anew: the next episode is planned with it
    store(desk.folder / "planner.safetensors", seed=4)
    desk.session.receive(Control("reset"))
    desk.session.receive(Control("start"))
    desk.commands(2)
    assert any("4 training steps" in line.text for line in desk.told(LogLine))
    assert desk.telemetry.planner.rejected == 0
    # a file that is broken while it is watched leaves the planner that was loaded
    (desk.folder / "planner.safetensors").write_bytes(b"half a file")
    desk.session.receive(Control("reset"))
    desk.session.receive(Control("start"))
    desk.commands(2)
    assert any("the old one goes on" in line.text for line in desk.told(LogLine))
    assert not desk.telemetry.holding


def test_that_the_robot_keeps_its_balance_while_its_planner_is_stopped(desk: Desk) -> None:
    desk.scripted("good").start(backend="mujoco")
    desk.until(lambda: desk.walking)
    os.kill(desk.links[0].pid, signal.SIGSTOP)
    desk.commands(30)
    held = desk.telemetry
    assert held.holding
    assert held.base_pose_w[2] > 0.6
    assert abs(held.velocity_actual[:2]).max() < 0.1
    hands = held.command_hand_poses_w[:, :3] - held.base_pose_w[:3]
    desk.commands(20)
    still = desk.telemetry
    assert abs(still.command_hand_poses_w[:, :3] - still.base_pose_w[:3] - hands).max() < 0.05  # held, not drooping
    assert still.base_pose_w[2] > 0.6
