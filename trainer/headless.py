"""The live session of the window, without a window: prints stages, episodes and errors."""

import select
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import torch

from core.policy.live_config import PlannerStats
from core.statistics import wilson_interval
from trainer.jobs.run import Config
from trainer.session.live import LiveSession
from trainer.session.messages import (
    Configure,
    Control,
    EpisodeFinished,
    Hello,
    Keys,
    LogLine,
    PreflightAsked,
    PreflightChanged,
    Record,
    RecordingChanged,
    SceneChanged,
    SessionError,
    SettingsKept,
    StateChanged,
    Stop,
    StopChanged,
    WorkerEvent,
)
from trainer.session.parts import OPERATED, ROBOTS
from trainer.session.telemetry import ABANDONED, stage_name
from trainer.terminal_keyboard import HELP, Deed, TerminalKeyboard


def settings(config: Config) -> Configure:
    """The session's settings."""
    return Configure(
        task=config.task,
        source=config.source,
        backend=config.backend,
        seed=config.seed,
        dataset=str(config.dataset) if config.dataset is not None else None,
        safety=config.safety,
        realtime=config.pace == "realtime",
        episodes=config.episodes,
        operator=config.operator,
        controller=config.controller,
        robot=config.robot,
        mocap=config.mocap,
        checkpoint=str(config.checkpoint) if config.checkpoint is not None else None,
        runtime=config.runtime,
        hold_after=config.hold_after,
        hang=config.hang,
        practise=config.practise,
        walk_limit_m_s=config.walk_limit_m_s,
        hand_limit_m_s=config.hand_limit_m_s,
        stop_key=config.stop_key,
        soft_stop_key=config.soft_stop_key,
    )


class Narrator:
    """Prints what the session tells."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.successes = 0
        self.trials = 0
        self.broken = False
        self.preflight: PreflightChanged | None = None
        self.ended = 0
        "episodes that ended, however"
        self._write = write
        self._stage = ""

    def hear(self, event: WorkerEvent) -> None:
        """Print an event."""
        match event:
            case EpisodeFinished():
                self.ended += 1
                self._count(event)
            case SessionError():
                self.broken = True
                self._write(f"error: {event.what}" + (f" ({event.remedy})" if event.remedy else ""))
            case RecordingChanged(action="kept"):
                self._write(f"  recorded as {event.text}; {event.dataset} has {event.episodes} episodes")
            case StopChanged():
                self._write(f"  stop: {event.state}")
            case StateChanged(state="loading"):
                self._write("loading controllers and the simulator")
            case LogLine():
                self._write(event.text)
            case PreflightChanged():
                self.preflight = event
            case Hello() | SceneChanged() | StateChanged() | SettingsKept() | RecordingChanged():
                pass

    def _count(self, event: EpisodeFinished) -> None:
        if event.reason not in ABANDONED:
            self.trials += 1
            self.successes += event.success
        self._stage = ""
        self._write(
            f"episode {event.index} (seed {event.seed}): {event.reason} after {event.duration_s:.1f} s;   "
            f"success {wilson_interval(self.successes, self.trials)}"
        )

    def see(self, session: LiveSession) -> None:
        """Print a stage when it begins."""
        if session.world is None or session.state != "running":
            return
        stage = stage_name(session.world.rollout.source)
        if stage and stage != self._stage:
            self._stage = stage
            self._write(f"  {float(session.world.rollout.state.time_s[0]):5.1f} s  {stage}")


def describe_planner(stats: PlannerStats) -> str:
    """One line."""
    return (
        f"planner: {stats.chunks} chunks, p50 {stats.latency_p50_ms:.0f} ms, p99 {stats.latency_p99_ms:.0f} ms; "
        f"{stats.late} late, {stats.held} commands held, {stats.rejected} rejected, {stats.restarts} restarts"
    )


def ask_preflight(session: LiveSession, config: Config) -> None:
    """What the options confirm and test before a robot is started."""
    asked = [PreflightAsked("gantry", config.gantry)] if config.gantry else []
    asked += [PreflightAsked("remote", config.remote)] if config.remote else []
    asked += [PreflightAsked("stop_test", config.operator)] if config.stop_test else []
    for message in asked:
        session.receive(message)
        session.tick()
    while session.testing_stop:
        session.tick()


class Person:
    """Who puts a robot and its objects back between two episodes, and says so by Enter."""

    def __init__(self, config: Config, write: Callable[[str], None]) -> None:
        self._needed = config.backend in ROBOTS and config.source not in OPERATED
        self._write = write
        self._asked_for = 0

    def look(self, session: LiveSession, narrator: Narrator) -> None:
        """Ask once an episode ended; start the next one when Enter was pressed."""
        if not self._needed or session.finished or session.state != "ready" or narrator.ended == 0:
            return
        if self._asked_for != narrator.ended:
            self._asked_for = narrator.ended
            self._write("put the robot and the objects back, then press Enter (Ctrl-C ends)")
        if sys.stdin.isatty() and select.select([sys.stdin], [], [], 0.0)[0]:
            sys.stdin.readline()
            session.receive(Control("start"))


def terminal_operator(session: LiveSession, write: Callable[[str], None]) -> TerminalKeyboard:
    """The keyboard of this terminal drives the session. Raises ValueError where there is no terminal."""

    def do(deed: Deed) -> None:
        match deed:
            case "soft_stop" | "hard_stop" | "clear_stop":
                session.receive(Stop(deed, time.monotonic()))
            case "keep" if session.state == "ready":
                session.receive(Control("start"))
            case "keep" | "discard" | "undo":
                session.receive(Record(deed))
            case "record":
                session.receive(Record("start"))

    write(f"keyboard: {HELP}; Enter: keep the recording, or start the next episode")
    return TerminalKeyboard(lambda down: session.receive(Keys(down)), do)


def run_headless(config: Config, stop_requested: Callable[[], bool]) -> int:
    """Run the episodes of a config. Returns 0 done, 1 broken, 130 stopped. Raises ValueError for wrong settings."""
    torch.set_num_threads(1)
    write: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731
    narrator, person = Narrator(write), Person(config, write)
    session = LiveSession(narrator.hear)
    started_s = time.monotonic()
    with ExitStack() as stack:
        if config.source == "keyboard":
            stack.enter_context(terminal_operator(session, write))
        session.receive(settings(config))
        session.tick()
        ask_preflight(session, config)
        session.receive(Control("start"))
        while not stop_requested() and not session.finished and not _broken(session, narrator, config):
            session.tick()
            narrator.see(session)
            person.look(session, narrator)
        ticks = session.world.rollout.ticks if session.world is not None else 0
        seconds, missed = time.monotonic() - started_s, session.rate.missed_ticks
        telemetry, broken = session.telemetry(), _broken(session, narrator, config)
        session.close()
    if telemetry is not None and config.source == "policy":
        print(describe_planner(telemetry.planner))
    print(f"{ticks} control periods in {seconds:.1f} s; {missed} late ticks dropped")
    if broken:
        return 1
    return 0 if session.finished else 130


def _broken(session: LiveSession, narrator: Narrator, config: Config) -> bool:
    """An error ends what runs by itself; an operator reads it and goes on, as long as there is a world."""
    return narrator.broken and (config.source not in OPERATED or session.world is None)
