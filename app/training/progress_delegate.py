"""Paints the share done of a job as a bar in its cell."""

from PyQt6.QtCore import QModelIndex, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter
from PyQt6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem
from typing_extensions import override

from app.theme import METRICS, Theme
from app.training.run_model import SHARE_ROLE


class ProgressDelegate(QStyledItemDelegate):
    """A bar with its percentage; an empty cell where nothing is known."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme

    def set_theme(self, theme: Theme) -> None:
        """Take the colours of a theme."""
        self._theme = theme

    @override
    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        assert painter is not None
        t, share = self._theme, index.data(SHARE_ROLE)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.fillRect(option.rect, QColor(t.accent))
        if share is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        space = QRectF(option.rect).adjusted(METRICS.tight, METRICS.tight, -METRICS.tight, -METRICS.tight)
        bar = QRectF(space)
        bar.setWidth(space.width() * share)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.field if chosen else t.raised))
        painter.drawRoundedRect(space, METRICS.tight, METRICS.tight)
        painter.setBrush(QColor(t.good if share >= 1.0 else t.accent))
        painter.setOpacity(0.55)
        painter.drawRoundedRect(bar, METRICS.tight, METRICS.tight)
        painter.setOpacity(1.0)
        painter.setPen(QColor(t.text))
        painter.drawText(space, Qt.AlignmentFlag.AlignCenter, str(index.data()))
        painter.restore()
