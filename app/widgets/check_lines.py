"""Lines of a check: a mark, what was looked at, what was found, and below it what to do."""

from collections.abc import Iterable

from PyQt6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.theme import METRICS
from app.widgets.roles import label, set_property
from core.checks import MARKS, Line

MOODS = {"good": "good", "caution": "warning", "bad": "danger"}


class CheckLines(QWidget):
    """Shows as many lines as there are."""

    def __init__(self) -> None:
        super().__init__()
        self._labels: list[QLabel] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(METRICS.tight)

    @property
    def texts(self) -> tuple[str, ...]:
        """What is shown."""
        return tuple(one.text() for one in self._labels)

    def show_lines(self, lines: Iterable[Line]) -> None:
        """Replace what is shown. Labels are kept where they can be: a page that is looked at must not flicker."""
        wanted: list[tuple[str, str, str]] = []
        for line in lines:
            wanted.append((f"{MARKS[line.level]} {line.what}: {line.says}", MOODS[line.level], ""))
            if line.remedy:
                wanted.append((f"→ {line.remedy}", "", "muted"))
        while len(self._labels) < len(wanted):
            one = label()
            one.setWordWrap(True)
            self._layout.addWidget(one)
            self._labels.append(one)
        for one in self._labels[len(wanted) :]:
            self._layout.removeWidget(one)
            one.deleteLater()
        del self._labels[len(wanted) :]
        for one, (text, mood, role) in zip(self._labels, wanted):
            if one.text() != text:
                one.setText(text)
            set_property(one, "state", mood)
            set_property(one, "role", role)
