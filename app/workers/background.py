"""Runs functions one after another on a single thread, and brings their results back to the window's thread."""

import logging
import queue
import threading
import traceback
from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal, pyqtSlot

from app.problems import Problem

log = logging.getLogger("refine_dp.window")


class Background(QObject):
    """A queue of work. Results and errors arrive as signals in the thread that made this object."""

    busy_changed = pyqtSignal(bool)
    failed = pyqtSignal(object)
    _finished = pyqtSignal(object, object)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._pending = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._finished.connect(self._on_finished)

    @property
    def busy(self) -> bool:
        """Whether work is waiting or running."""
        return self._pending > 0

    def submit(
        self,
        title: str,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None = None,
        always: Callable[[], None] | None = None,
    ) -> None:
        """Run `work` on the thread, then here `always()` and, unless it raised, `done(result)`.

        `title` heads the problem that `failed` tells when it raised.
        """
        self._pending += 1
        if self._pending == 1:
            self.busy_changed.emit(True)
        self._queue.put(lambda: self._finished.emit((done, always), _attempt(title, work)))

    def close(self, timeout_s: float = 2.0) -> None:
        """End the thread after the work at hand; whatever is still on its way is not delivered. Safe to call twice."""
        self._closed = True
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()

    @pyqtSlot(object, object)
    def _on_finished(
        self, callbacks: tuple[Callable[..., None] | None, Callable[..., None] | None], result: Any
    ) -> None:
        if self._closed:  # the widgets that would be told may be gone
            return
        done, always = callbacks
        self._pending -= 1
        if self._pending == 0:
            self.busy_changed.emit(False)
        if always is not None:
            always()
        if isinstance(result, Problem):
            self.failed.emit(result)
        elif done is not None:
            done(result)


def _attempt(title: str, work: Callable[[], Any]) -> Any:
    """The border of the thread: whatever goes wrong becomes a problem that the person is told."""
    try:
        return work()
    except Exception as error:
        details = traceback.format_exc()
        log.warning("%s\n%s", title, details)
        return Problem.from_error(title, error, details)
