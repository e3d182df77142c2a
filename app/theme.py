"""Light and dark theme: every colour, font and size of the window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyqtgraph as pg
from PyQt6.QtGui import QColor, QFont, QPalette
from PyQt6.QtWidgets import QApplication, QStyleFactory

ThemeName = Literal["dark", "light"]
Rgba = tuple[float, float, float, float]


@dataclass(frozen=True)
class Metrics:
    """Sizes in device-independent pixels."""

    gap: int = 8
    tight: int = 4
    margin: int = 10
    radius: int = 5
    control_height: int = 28
    stop_height: int = 44
    stop_width: int = 180
    side_width: int = 350
    session_height: int = 500
    recording_height: int = 350
    plots_width: int = 480
    plot_height: int = 32
    curve_height: int = 110
    curve_columns: int = 2
    job_width: int = 400
    runs_height: int = 300
    swatch: int = 10
    browser_height: int = 270
    dialog_width: int = 560
    details_height: int = 220
    axis_width: int = 44
    progress_width: int = 120
    window_width: int = 1600
    window_height: int = 980
    row_height: int = 24
    view_min_width: int = 320
    view_min_height: int = 240
    frame: int = 2


METRICS = Metrics()


@dataclass(frozen=True)
class Theme:
    """The colours of one theme, by what they mean."""

    name: ThemeName
    window: str
    panel: str
    raised: str
    field: str
    border: str
    text: str
    muted: str
    disabled: str
    accent: str
    on_accent: str
    good: str
    warning: str
    caution: str
    "warnings as text on a panel"
    on_warning: str
    danger: str
    danger_hover: str
    on_danger: str
    plot: str
    grid_alpha: float
    series: tuple[str, ...]
    "line colours of plots, in order; distinguishable with colour-blind eyes and on this background"

    def rgba(self, colour: str, alpha: float = 1.0) -> Rgba:
        """A colour of this theme as floats, for OpenGL."""
        c = QColor(colour)
        return (c.redF(), c.greenF(), c.blueF(), alpha)


DARK = Theme(
    name="dark",
    window="#12151a",
    panel="#1a1e25",
    raised="#262c36",
    field="#12161c",
    border="#323a47",
    text="#e7eaf0",
    muted="#97a3b4",
    disabled="#5d6776",
    accent="#4c9dff",
    on_accent="#08131f",
    good="#45c08a",
    warning="#f2b04a",
    caution="#f2b04a",
    on_warning="#201400",
    danger="#e5484d",
    danger_hover="#f2656a",
    on_danger="#ffffff",
    plot="#15191f",
    grid_alpha=0.14,
    series=("#5aa9ff", "#ff9f50", "#57d1a0", "#d492ff", "#ffd75e", "#ff7b9c", "#7fe0ee", "#b8c0cc"),
)

LIGHT = Theme(
    name="light",
    window="#e9edf2",
    panel="#f8fafc",
    raised="#ffffff",
    field="#ffffff",
    border="#cbd3de",
    text="#18202b",
    muted="#566274",
    disabled="#a0aaba",
    accent="#1668d0",
    on_accent="#ffffff",
    good="#17804f",
    warning="#e09a22",
    caution="#8f5700",
    on_warning="#241700",
    danger="#cf2b33",
    danger_hover="#b01f27",
    on_danger="#ffffff",
    plot="#ffffff",
    grid_alpha=0.18,
    series=("#1b6fd6", "#d65f00", "#12855a", "#8a3ffc", "#a07400", "#c2255c", "#0b7d8f", "#5b6673"),
)

THEMES: dict[ThemeName, Theme] = {"dark": DARK, "light": LIGHT}
FONT_FAMILIES = ("Inter", "Noto Sans", "Segoe UI", "DejaVu Sans")
MONO_FAMILIES = ("JetBrains Mono", "Noto Sans Mono", "DejaVu Sans Mono")
FONT_POINTS = 9.5
SMALL_POINTS = 8.5
TICK_POINTS = 7.5
READOUT_POINTS = 8.0


def base_font() -> QFont:
    """The font of the window."""
    font = QFont(list(FONT_FAMILIES))
    font.setPointSizeF(FONT_POINTS)
    return font


def mono_font(points: float = SMALL_POINTS) -> QFont:
    """The font of numbers that change and of logs."""
    font = QFont(list(MONO_FAMILIES))
    font.setPointSizeF(points)
    return font


def palette(theme: Theme) -> QPalette:
    """The Qt palette of a theme."""
    role = QPalette.ColorRole
    colours = {
        role.Window: theme.window,
        role.WindowText: theme.text,
        role.Base: theme.field,
        role.AlternateBase: theme.panel,
        role.Text: theme.text,
        role.PlaceholderText: theme.muted,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Link: theme.accent,
        role.Mid: theme.border,
    }
    result = QPalette()
    for key, colour in colours.items():
        result.setColor(key, QColor(colour))
    for key in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, key, QColor(theme.disabled))
    return result


def stylesheet(theme: Theme) -> str:
    """The style sheet of a theme, from the template beside this file."""
    template = (Path(__file__).parent / "theme.qss").read_text(encoding="utf-8")
    values = {name: str(value) for name, value in vars(theme).items()}
    values |= {name: f"{value}px" for name, value in vars(METRICS).items()}
    values |= {"small": f"{SMALL_POINTS}pt", "normal": f"{FONT_POINTS}pt"}
    values["icons"] = (Path(__file__).parent / "icons").as_posix()
    for name in sorted(values, key=len, reverse=True):
        template = template.replace(f"@{name}", values[name])
    return template


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Dress the whole application; plots take their colours from the theme when they are told that it changed."""
    if app.property("theme") == theme.name:
        return  # dressing again what is dressed takes half a second
    app.setProperty("theme", theme.name)
    app.setStyle(QStyleFactory.create("Fusion"))
    app.setFont(base_font())
    app.setPalette(palette(theme))
    app.setStyleSheet(stylesheet(theme))
    pg.setConfigOptions(antialias=False, background=theme.plot, foreground=theme.muted)
