"""Light and dark: readable, complete, switched everywhere at once."""

import re
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from pytestqt.qtbot import QtBot

from app.dialogs.about import versions
from app.main_window import MainWindow
from app.theme import DARK, LIGHT, Theme, palette, stylesheet
from app.widgets.roles import yielding


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    c = QColor(colour)
    parts = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in (c.redF(), c.greenF(), c.blueF())]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: str, b: str) -> float:
    """Contrast ratio (WCAG 2.1), 1 to 21."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
def test_that_text_is_readable(theme: Theme) -> None:
    pairs = [(theme.text, theme.panel), (theme.text, theme.field), (theme.muted, theme.panel)]
    pairs += [(theme.on_accent, theme.accent), (theme.on_danger, theme.danger), (theme.on_warning, theme.warning)]
    for text, ground in pairs:
        minimum = 3.8 if text == theme.on_danger else 4.5  # the hard stop is large and bold: 3 is enough
        assert contrast(text, ground) >= minimum, (text, ground)
    for line in theme.series:
        assert contrast(line, theme.plot) >= 3.0, line


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
def test_that_no_placeholder_is_left_in_the_style_sheet(theme: Theme) -> None:
    text = stylesheet(theme)
    assert "@" not in text
    for url in re.findall(r"url\((.*?)\)", text):
        assert Path(url).exists(), url


def test_that_colours_and_sizes_are_in_the_theme_only() -> None:
    app = Path(__file__).parents[2] / "app"
    for path in app.rglob("*.py"):
        if path.name in ("theme.py", "sources.py"):
            continue
        found = re.findall(r"#[0-9a-fA-F]{6}\b|\b\d+p[xt]\b|QFont\(", path.read_text(encoding="utf-8"))
        assert not found, f"{path.name}: {found}"


def test_that_switching_the_theme_recolours_plots_and_widgets(window: MainWindow, qtbot: QtBot) -> None:
    card = window.plots.cards["velocity"]
    before = window.grab().toImage().pixelColor(5, window.height() // 2)
    assert card.plot.backgroundBrush().color() == QColor(DARK.plot)
    window.toggle_theme()
    assert card.plot.backgroundBrush().color() == QColor(LIGHT.plot)
    assert window.grab().toImage().pixelColor(5, window.height() // 2) != before
    assert palette(LIGHT).window().color() == QColor(LIGHT.window)
    window.toggle_theme()
    assert card.plot.backgroundBrush().color() == QColor(DARK.plot)


def test_that_the_shortcut_list_holds_every_key_once(window: MainWindow) -> None:
    window.show_shortcuts()
    dialog = window._dialog
    keys = [row[1] for row in dialog.rows]  # type: ignore[union-attr]
    assert len(keys) == len(set(keys))
    assert {"F5", "F1", "Esc, Space", "F12, Shift+Esc"} <= set(keys)
    dialog.close()  # type: ignore[union-attr]


def test_that_about_names_the_versions(window: MainWindow) -> None:
    window.show_about()
    assert versions()["mujoco"].startswith("4.")
    assert window._dialog is not None
    window._dialog.close()


def test_that_a_line_without_room_ends_in_dots_and_is_whole_in_its_tool_tip(qtbot: QtBot) -> None:
    line = yielding("drag: orbit and much more", "muted")
    qtbot.addWidget(line)
    wide = line.fontMetrics().horizontalAdvance(line.text()) + 20
    line.resize(wide, 30)
    line.grab()
    assert line.toolTip() == ""
    line.resize(wide // 2, 30)
    cut = line.grab().toImage()
    assert line.toolTip() == line.text()
    line.setText(line.fontMetrics().elidedText(line.text(), Qt.TextElideMode.ElideRight, line.contentsRect().width()))
    assert line.grab().toImage() == cut
    line.setText("drag: orbit and much more")
    line.resize(wide, 30)
    line.grab()
    assert line.toolTip() == ""
