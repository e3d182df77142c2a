"""What happened, line by line."""

import html
from datetime import datetime

from PyQt6.QtCore import pyqtSlot
from PyQt6.QtWidgets import QPlainTextEdit

from app.state import AppState
from app.theme import Theme, mono_font

MAX_LINES = 2000


class LogPanel(QPlainTextEdit):
    """Newest line last; read only."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("log_panel")
        self.setReadOnly(True)
        self.setMaximumBlockCount(MAX_LINES)
        self.setFont(mono_font())
        self._theme = state.theme
        state.logged.connect(self._on_logged)
        state.theme_changed.connect(self._on_theme_changed)

    @pyqtSlot(str, str)
    def _on_logged(self, level: str, text: str) -> None:
        t = self._theme
        colour = {"error": t.danger, "warning": t.caution, "debug": t.muted}.get(level, t.text)
        stamp = datetime.now().strftime("%H:%M:%S")
        line = f"<span style='color:{t.muted}'>{stamp}</span> <span style='color:{colour}'>{html.escape(text)}</span>"
        self.appendHtml(line)

    @pyqtSlot(object)
    def _on_theme_changed(self, theme: Theme) -> None:
        self._theme = theme
