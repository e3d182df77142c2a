"""Measures for the ladder what the loop alone sees: tracking of the hands, interventions, episodes that went wrong."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

from torch import Tensor

from core.control.safety import measured_hold
from core.robot.guard import RobotGuard
from core.robot.ladder_evidence import SIMULATOR, ErrorCounts, Evidence, Rung, Subject, finish
from core.robot.ladder_store import LadderStore, new_id
from core.robot.preflight import MocapCheck
from core.rollout import DIVERGED, NOT_FINITE_TARGET, CommandSent, EpisodeEnd, EpisodeStart, Observer
from core.types import CONTROL_STEPS_PER_COMMAND, PLANNER_HZ
from trainer.runs import software_version

DANGEROUS = ("robot fell", DIVERGED, NOT_FINITE_TARGET)
"""Ends of episodes that are a breach."""


@runtime_checkable
class GuardedRobot(Protocol):
    """A robot with a ladder and a pre-flight check."""

    guard: RobotGuard
    mocap_check: Callable[[], MocapCheck] | None
    "looks at motion capture, None where none is configured"

    def note(self, hand_error_m: float | None, interventions: int = 0, breach: str = "") -> None:
        """What the loop measured, for the evidence."""
        ...


class HandMeter:
    """Distance between the hands that were asked for one command ago and those that are measured now."""

    def __init__(self) -> None:
        self._asked: Tensor | None = None

    def forget(self) -> None:
        """An episode begins: nothing was asked yet."""
        self._asked = None

    def error_m(self, record: CommandSent) -> float | None:
        """The larger one of both hands, world 0; None with the first command."""
        asked, self._asked = self._asked, record.sent.hand_pos_b[0].clone()
        if asked is None:
            return None
        error = float((asked - measured_hold(record.state).hand_pos_b[0]).norm(dim=-1).max())
        return error if math.isfinite(error) else math.inf


class RobotEvidence(Observer):
    """Hands the measurements to the robot's agent, which files them."""

    def __init__(self, robot: GuardedRobot, follows: bool) -> None:
        """follows: false for a shadow, whose hands do not do what is asked."""
        self._robot, self._follows, self._hands = robot, follows, HandMeter()

    def episode_began(self, start: EpisodeStart) -> None:
        """Another start."""
        self._hands.forget()

    def command_sent(self, record: CommandSent) -> None:
        """10 Hz."""
        error_m = self._hands.error_m(record) if bool(record.active[0]) else None
        changed = sum(bool(where[0]) for where in record.interventions.values())
        self._robot.note(error_m if self._follows else None, changed)

    def episode_ended(self, end: EpisodeEnd) -> None:
        """A fall that the task saw is a breach even where the guards did not."""
        if end.reason in DANGEROUS:
            self._robot.note(None, breach=f"the episode ended: {end.reason}")


class SimulationEvidence(Observer):
    """Files what is driven in the simulator, episode by episode: the lowest rung of the ladder."""

    def __init__(
        self, subject: Callable[[], Subject], store: LadderStore, wall: Callable[[], float] = time.time
    ) -> None:
        """subject: what drives now. Evidence that cannot be written is lost: the rung stays locked."""
        self.lost = ""
        self._subject, self._store, self._wall = subject, store, wall
        self._hands = HandMeter()
        self._record: Evidence | None = None
        self._counts = ErrorCounts()
        self._commands = 0
        self._threads: list[threading.Thread] = []
        self._writing = threading.Lock()
        self._written_s = 0.0

    def episode_began(self, start: EpisodeStart) -> None:
        """A record goes on for as long as the same controllers drive."""
        self._hands.forget()
        subject = self._subject()
        if self._record is None or self._record.subject != subject.key or self._record.breach:
            self._begin(subject)

    def command_sent(self, record: CommandSent) -> None:
        """10 Hz of simulated time."""
        if self._record is None or not bool(record.active[0]):
            return
        error_m = self._hands.error_m(record)
        if error_m is not None:
            self._counts.add(error_m)
        self._commands += 1
        changed = sum(bool(where[0]) for where in record.interventions.values())
        self._record = replace(self._record, interventions=self._record.interventions + changed)

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Write what was shown so far."""
        if self._record is None or not self._commands:
            return
        if end.reason in DANGEROUS:
            self._record = replace(self._record, breach=f"an episode ended: {end.reason}")
        closed = finish(
            self._record, max(self._wall(), self._record.began_s), self._counts,
            driven_s=self._commands / PLANNER_HZ, targets=CONTROL_STEPS_PER_COMMAND * self._commands,
        )  # fmt: skip
        thread = threading.Thread(target=self._write, args=(closed,), name="evidence", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def close(self) -> None:
        """Wait until everything is written."""
        for thread in self._threads:
            thread.join(5.0)

    def _begin(self, subject: Subject) -> None:
        self._counts, self._commands = ErrorCounts(), 0
        self._record = None
        if subject.key:
            self._record = Evidence(
                new_id(self._wall), int(Rung.SIMULATION), SIMULATOR.key, subject.key, self._wall(),
                title=f"simulation; {subject.title}", software=software_version(),
            )  # fmt: skip

    def _write(self, record: Evidence) -> None:
        with self._writing:
            if record.ended_s < self._written_s:
                return  # a later episode of the same record overtook this one
            self._written_s = record.ended_s
            try:
                self._store.put(record)
            except (OSError, ValueError) as error:
                self.lost = str(error)
