"""Measures a session on a rung and hands over the evidence: who, on what, how long, what went wrong."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from core.robot.agent.config import AgentConfig
from core.robot.agent.log import SafetyLog
from core.robot.ladder_evidence import ErrorCounts, Evidence, RobotId, Rung, Subject, finish
from core.robot.ladder_store import LadderStore, new_id
from core.robot.preflight import Confirmed

MAX_STEP_S = 0.1
"""Longer gaps between two targets are not driving."""


@dataclass(frozen=True)
class Session:
    """What a session on a rung is of."""

    rung: Rung
    robot: RobotId
    subject: Subject
    gantry: Confirmed
    remote: Confirmed


class Usage:
    """One session at a time. Methods may be called from any thread; only `begin` touches the disk at once.

    The record is opened before anything moves: a session that is never closed counts as one that ended badly.
    """

    def __init__(
        self, config: AgentConfig, store: LadderStore, log: SafetyLog, wall: Callable[[], float] = time.time
    ) -> None:
        self._config, self._store, self._log, self._wall = config, store, log, wall
        self._lock = threading.Lock()
        self._record: Evidence | None = None
        self._counts = ErrorCounts()
        self._last_s = math.nan
        self.writers: list[threading.Thread] = []
        self.pending: set[str] = set()
        "ids of sessions that run or are being written: not finished in the file, but not lost either"

    def begin(self, session: Session) -> None:
        """Open the record. Raises OSError when it cannot be written: then nothing may move."""
        if not session.robot.key or not session.subject.key:
            return  # a simulated robot without the ladder, driven by a test: nothing to file it under
        speeds = self._config.speeds
        record = Evidence(
            id=new_id(self._wall), rung=int(session.rung), robot=session.robot.key, subject=session.subject.key,
            began_s=self._wall(), gantry_by=session.gantry.by, gantry_s=session.gantry.wall_s,
            remote_by=session.remote.by, remote_s=session.remote.wall_s, speed_m_s=speeds.walk_m_s,
            hand_speed_m_s=speeds.hand_m_s, loosened_by=speeds.loosened_by,
            title=f"{session.robot.title}; {session.subject.title}", software=self._config.software,
        )  # fmt: skip
        self.pending.add(record.id)
        self._store.put(record)
        with self._lock:
            self._record, self._counts, self._last_s = record, ErrorCounts(), math.nan

    def target(self, now_s: float) -> None:
        """A joint target was taken."""
        with self._lock:
            if self._record is None:
                return
            step_s = now_s - self._last_s
            driven_s = self._record.driven_s + (step_s if 0 <= step_s <= MAX_STEP_S else 0.0)
            self._last_s = now_s
            self._record = replace(self._record, driven_s=driven_s, targets=self._record.targets + 1)

    def note(self, hand_error_m: float | None, interventions: int) -> None:
        """What the session measures at 10 Hz: the distance between commanded and measured hands; what was filtered."""
        with self._lock:
            if self._record is None:
                return
            if hand_error_m is not None:
                self._counts.add(hand_error_m)
            total = self._record.interventions + max(interventions, 0)
            self._record = replace(self._record, interventions=total)

    def tilt(self, tilt_rad: float) -> None:
        """How far the trunk leans now."""
        record = self._record
        if record is not None and record.max_tilt_rad < tilt_rad < math.inf:
            self._change(max_tilt_rad=tilt_rad)

    def hold(self) -> None:
        """A guard held the robot, or stopped it softly."""
        self._change(holds=1)

    def stopped(self, hard: bool) -> None:
        """A person stopped the robot."""
        self._change(stops=1, hard_stops=int(hard))

    def taken_over(self) -> None:
        """Somebody took the robot by its remote control."""
        self._change(hard_stops=1)

    def breach(self, reason: str) -> None:
        """A guard found the session dangerous; the first one is kept."""
        with self._lock:
            if self._record is not None and not self._record.breach:
                self._record = replace(self._record, breach=reason or "unknown")

    def end(self) -> None:
        """Close the record; written by a thread, so that no disk delays whoever calls."""
        with self._lock:
            record, self._record, counts = self._record, None, self._counts
        if record is not None:
            closed = finish(record, max(self._wall(), record.began_s + record.driven_s), counts)
            thread = threading.Thread(target=self._write, args=(closed,), name="evidence", daemon=True)
            self.writers.append(thread)
            thread.start()

    def close(self) -> None:
        """End the session, and wait until it is written."""
        self.end()
        for thread in self.writers:
            thread.join(5.0)

    def _change(self, **more: Any) -> None:
        with self._lock:
            if self._record is not None:
                sums = {k: v if k == "max_tilt_rad" else getattr(self._record, k) + v for k, v in more.items()}
                self._record = replace(self._record, **sums)

    def _write(self, record: Evidence) -> None:
        """A record that cannot be written stays open in the file, which counts against it: the safe side."""
        try:
            if record.targets or record.breach or record.stops or record.hard_stops:
                self._store.put(record)
            else:
                self._store.drop(record.id)
        except (OSError, ValueError) as error:
            self._log.add("evidence_not_written", reason=str(error))
            return
        finally:
            self.pending.discard(record.id)
        self._log.add(
            "evidence", rung=Rung(record.rung).title, seconds=record.driven_s, stops=record.stops, breach=record.breach
        )
