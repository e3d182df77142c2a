"""The data set that is browsed: its list of episodes, kept fresh, and changes to it with undo."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from app.episodes import FieldSeries, edit, list_episodes, list_fields, load_field, load_states
from app.replay import RecordedStates
from app.starts import Starts, load_starts
from app.workers.background import Background
from core.data.episodes import DatasetWriter
from core.data.schema import EpisodeInfo


class Library(QObject):
    """Everything slow happens on one background thread; results arrive through signals and callbacks."""

    rows_changed = pyqtSignal()
    busy_changed = pyqtSignal(bool)
    failed = pyqtSignal(object)
    edited = pyqtSignal(str)

    def __init__(self, lend: Callable[[], None], take_back: Callable[[], None]) -> None:
        """`lend` makes the recorder let go of the data set, `take_back` gives it back."""
        super().__init__()
        self._lend, self._take_back = lend, take_back
        self._background = Background("data-set")
        self._background.busy_changed.connect(self.busy_changed)
        self._background.failed.connect(self.failed)
        self._reload_pending = False
        self._lent = 0
        self.path: Path | None = None
        self.rows: tuple[EpisodeInfo, ...] = ()

    @property
    def busy(self) -> bool:
        """Whether something is being read or written."""
        return self._background.busy

    def close(self) -> None:
        """End the thread."""
        self._background.close()

    def open(self, path: Path | None) -> None:
        """Browse another data set."""
        self.path, self.rows = path, ()
        self.rows_changed.emit()
        self.reload()

    def reload(self) -> None:
        """Read the list of episodes again; several requests while one waits become one."""
        path = self.path
        if path is None or self._reload_pending:
            return
        self._reload_pending = True

        def read() -> tuple[Path, tuple[EpisodeInfo, ...]]:
            self._reload_pending = False
            return path, list_episodes(path)

        self._background.submit("The data set cannot be read", read, self._on_listed)

    def _on_listed(self, result: tuple[Path, tuple[EpisodeInfo, ...]]) -> None:
        path, rows = result
        if path == self.path:
            self.rows = rows
            self.rows_changed.emit()

    def load_states(self, name: str, done: Callable[[RecordedStates], None]) -> None:
        """Read what the 3-D view needs of an episode."""
        path = self._path()
        self._background.submit("The episode cannot be replayed", lambda: load_states(path, name), done)

    def load_fields(self, name: str, done: Callable[[tuple[str, ...]], None]) -> None:
        """Read the names of an episode's arrays."""
        path = self._path()
        self._background.submit("The episode cannot be read", lambda: list_fields(path, name), done)

    def load_field(self, name: str, field: str, done: Callable[[FieldSeries], None]) -> None:
        """Read one array of an episode."""
        path = self._path()
        self._background.submit("The field cannot be read", lambda: load_field(path, name, field), done)

    def load_starts(self, done: Callable[[Starts], None]) -> None:
        """Read where the robots started."""
        path = self._path()
        self._background.submit("The starts cannot be read", lambda: load_starts(path), done)

    def delete(self, names: tuple[str, ...]) -> None:
        """Move episodes to the trash of the data set."""
        self._edit(f"{len(names)} deleted", lambda writer: writer.delete(names))

    def trim(self, name: str, start: int, stop: int) -> None:
        """Keep samples start <= t < stop."""
        self._edit(f"{name} trimmed to samples {start} to {stop}", lambda writer: writer.trim(name, start, stop))

    def set_success(self, name: str, success: bool) -> None:
        """Judge an episode anew."""
        self._edit(f"{name} is a {'success' if success else 'failure'}", lambda writer: writer.set_label(name, success))

    def undo(self) -> None:
        """Take back the last change of the data set."""
        self._edit("undone", lambda writer: writer.undo())

    def redo(self) -> None:
        """Do again what was undone last."""
        self._edit("done again", lambda writer: writer.redo())

    def _path(self) -> Path:
        assert self.path is not None, "no data set is open"
        return self.path

    def _edit(self, text: str, change: Callable[[DatasetWriter], Any]) -> None:
        path = self._path()
        self._lent += 1
        self._lend()
        title = "The data set was not changed"
        self._background.submit(
            title, lambda: edit(path, change), lambda what: self._on_edited(text, what), self._give_back
        )

    def _on_edited(self, text: str, what: str) -> None:
        self.edited.emit(f"{text} {what}".strip())
        self.reload()

    def _give_back(self) -> None:
        self._lent -= 1
        if self._lent == 0:
            self._take_back()
