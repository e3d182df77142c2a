"""The recorder of a live session: follows the record commands, and writes on a thread of its own.

The loop never waits for a disk: it hands finished rows to the thread, which alone owns the data set's writer. The data
set is held only while an episode is open, so that the browser can edit it in between.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.episodes import DatasetWriter, OpenEpisode
from core.data.errors import DatasetError
from core.data.samples import row_of
from core.data.schema import DatasetSpec
from core.data.schema import EpisodeStart as RecordedStart
from core.recording import recorded_start, samples_of
from core.rollout import CommandSent, EpisodeEnd, EpisodeStart, Observer
from core.tasks.base import Task
from trainer.session.messages import RecordAction, RecordingChanged, RecordingState, SessionError, WorkerEvent

Emit = Callable[[WorkerEvent], None]


class WriterThread:
    """Owns the writer of one data set; carries out what it is handed, in order."""

    def __init__(self, emit: Emit) -> None:
        self.episodes = 0
        "in the data set, as of the last change"
        self.refused = False
        "no episode could be begun in the data set when it was tried last"
        self._emit = emit
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._writer: DatasetWriter | None = None
        self._episode: OpenEpisode | None = None
        self._full = False
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def hand(self, job: Callable[[], None]) -> None:
        """Carry out a job of this class after those before it."""
        self._jobs.put(job)

    def close(self) -> None:
        """Finish what was handed in and end. An episode that is open stays in the journal and is recovered later."""
        self._jobs.put(None)
        self._thread.join()

    @property
    def unsaved(self) -> bool:
        """An episode is open in the writer."""
        return self._episode is not None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except (DatasetError, OSError, ValueError) as error:
                self._emit(SessionError(f"recording: {error}", "choose another data set, or make room on the disk"))
        self._release()

    def _release(self) -> None:
        writer, self._writer, self._episode = self._writer, None, None
        if writer is not None:
            writer.close()

    @contextmanager
    def _opening(self) -> Iterator[None]:
        """Notes whether what is done inside fails."""
        try:
            yield
        except BaseException:
            self.refused = True
            raise
        self.refused = False

    # ------------------------------------------------------------------ jobs

    def check(self, path: Path, spec: DatasetSpec) -> None:
        """Create the data set or see that it fits; reports how many episodes it has."""
        with self._opening(), DatasetWriter.open(path, spec, create=True) as writer:
            self.episodes = writer.num_episodes

    def begin(self, path: Path, spec: DatasetSpec, start: RecordedStart) -> None:
        """Open an episode."""
        self._release()
        with self._opening():
            self._writer = DatasetWriter.open(path, spec, create=True)
            self.episodes = self._writer.num_episodes
            self._episode = self._writer.begin(start)
        self._full = False
        self._emit(RecordingChanged("started", str(path), self.episodes))

    def append(self, row: dict[str, np.ndarray]) -> None:
        """Add a sample; a full disk is reported once an episode, the sample stays in memory."""
        if self._episode is None:
            return
        try:
            self._episode.append(row)
        except DatasetError as error:
            if not self._full:
                self._full = True
                raise DatasetError(f"{error} (recording goes on in memory)") from error

    def keep(self, path: Path, success: bool, reason: str, label: str | None) -> None:
        """Write the episode into the data set."""
        if self._episode is None or self._writer is None:
            return
        info = self._episode.finish(success, reason, label)  # on failure the episode stays open: keep may be repeated
        self.episodes = self._writer.num_episodes
        self._release()
        self._emit(RecordingChanged("kept", str(path), self.episodes, f"{info.name}, {info.num_samples} samples"))

    def discard(self, path: Path) -> None:
        """Drop the open episode."""
        if self._episode is None:
            return
        self._episode.abort()
        self._release()
        self._emit(RecordingChanged("discarded", str(path), self.episodes))

    def undo(self, path: Path) -> None:
        """Take the episode that was kept last out of the data set again (it goes to the data set's trash)."""
        with DatasetWriter.open(path) as writer:
            done = writer.history.done
            if not done or done[-1].kind != "keep":
                last = f"the last change was '{done[-1].kind}'" if done else "nothing was recorded"
                raise DatasetError(
                    f"no kept episode to undo in {path}: {last}; use the browser's undo for other changes"
                )
            writer.undo()
            self.episodes = writer.num_episodes
        self._emit(RecordingChanged("undone", str(path), self.episodes))


@dataclass(frozen=True)
class RecordingTarget:
    """Where to record, and what every episode of it shares."""

    path: Path
    spec: DatasetSpec
    source: str
    operator: str


class LiveRecorder(Observer):
    """Decides what of the one running episode is recorded."""

    def __init__(self, task: Task, emit: Emit) -> None:
        self.thread = WriterThread(emit)
        self._state: RecordingState = "off"
        self._samples = 0
        self.label = ""
        self.auto = True
        "record every episode and keep it when it ends"
        self._task = task
        self._emit = emit
        self._target: RecordingTarget | None = None
        self._start: EpisodeStart | None = None
        self._open = False
        self._end: EpisodeEnd | None = None
        self._judgement = False, ""

    @property
    def state(self) -> RecordingState:
        """What the recorder does, as the panel shows it."""
        refused = self.thread.refused and self._target is not None and self._state != "finished"
        return "refused" if refused else self._state

    @property
    def samples(self) -> int:
        """Of the open recording, or of the last one."""
        return 0 if self.state == "refused" else self._samples

    def configure(self, target: RecordingTarget | None, auto: bool, label: str) -> None:
        """Another data set or mode. An open recording is kept as it is: undo removes it, nothing brings it back."""
        if self._open and self.state != "refused":
            self._keep(interrupted="kept when the recording's settings changed")
        self._target, self.auto, self.label = target, auto, label
        self._open, self.thread.refused = False, False
        self._rest()
        if target is not None:
            self.thread.hand(lambda: self.thread.check(target.path, target.spec))

    def _rest(self) -> None:
        """Nothing is open: armed where every episode is recorded, else off until told."""
        self._state = "armed" if self._target is not None and self.auto else "off"

    # ------------------------------------------------------------------ commands

    def act(self, action: RecordAction) -> None:
        """Carry out a record command; what cannot be done is reported with its remedy."""
        if self._target is None:
            self._emit(
                SessionError(f"cannot {action}: no data set is chosen", "choose a data set in the recording panel")
            )
            return
        match action:
            case "start" | "again":
                self._discard_open()
                self._state, self.thread.refused = "armed", False
            case "keep":
                self._keep()
            case "discard":
                self._discard_open()
                self._rest()
            case "undo":
                path = self._target.path
                self.thread.hand(lambda: self.thread.undo(path))

    def _keep(self, interrupted: str = "kept by the operator before the end") -> None:
        if self.state == "refused":
            self._emit(SessionError("nothing to keep: the data set could not be opened", "choose another, then record"))
            return
        if not self._open and self.thread.unsaved:  # the disk was full when it ended
            self._finish(*self._judgement)
            return
        if not self._open:
            self._emit(SessionError("nothing to keep: no recording is open", "press record first"))
            return
        end = self._end
        success, reason = (end.success, end.reason) if end else (False, interrupted)
        self._finish(success, reason)

    def _finish(self, success: bool, reason: str) -> None:
        assert self._target is not None
        self._judgement = success, reason
        path, label = self._target.path, self.label or None
        self.thread.hand(lambda: self.thread.keep(path, success, reason, label))
        self._open, self._end = False, None
        self._rest()

    def _discard_open(self) -> None:
        if self._open:
            self._discard()

    def _discard(self) -> None:
        assert self._target is not None
        path = self._target.path
        self.thread.hand(lambda: self.thread.discard(path))
        self._open, self._end = False, None

    # ------------------------------------------------------------------ the loop's observer

    def episode_began(self, start: EpisodeStart) -> None:
        """A recording that waits for keep or discard goes on waiting; a data set that was refused is tried again."""
        self._start = start
        if self.state == "refused":
            self._open, self.thread.refused = False, False
            self._rest()

    def command_sent(self, record: CommandSent) -> None:
        """Open the recording with the first command after it was armed, then add a sample a command."""
        if not bool(record.active[0]):
            return
        if self.state == "armed" and self._start is not None and self._target is not None:
            target = self._target
            start = recorded_start(self._start, record, target.source, target.operator)
            self.thread.hand(lambda: self.thread.begin(target.path, target.spec, start))
            self._open, self._state, self._samples = True, "recording", 0
        if self.state == "recording":
            row = {name: np.array(value) for name, value in row_of(samples_of(record, self._task), 0).items()}
            self.thread.hand(lambda: self.thread.append(row))
            self._samples += 1

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Keep by itself in automatic mode, else wait for the operator; what was abandoned is discarded."""
        if self.state != "recording":
            return
        if self.auto and end.reason == "reset":
            self._discard()
            self._rest()
        elif self.auto:
            self._finish(end.success, end.reason)
        else:
            self._end, self._state = end, "finished"

    def close(self) -> None:
        """End the thread; an open recording stays in the journal."""
        self.thread.close()
