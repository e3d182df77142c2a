"""The main window: puts the panels around the 3-D view, the stops on top, and everything in reach of a key."""

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QByteArray, QSettings, Qt, pyqtSlot
from PyQt6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from app.actions import Entry, build_menus, shortcut_table
from app.dialogs.about import AboutDialog
from app.dialogs.safety_log import SafetyLogDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.drawing_pace import PICTURE_CHOICES
from app.errors import ProblemPresenter
from app.jobs import RUNS_ROOT
from app.panels.browser import BrowserPanel
from app.panels.cheat_sheet import CheatSheet
from app.panels.live_plots import LivePlots
from app.panels.log import LogPanel
from app.panels.preflight import PreflightPanel
from app.panels.recording import RecordingPanel
from app.panels.session import SessionPanel
from app.panels.status import StatusLine
from app.panels.view import ViewPanel
from app.panels.vr import VrPanel
from app.state import AppState
from app.stop_keys import HARD_STOP_KEYS, SOFT_STOP_KEYS, StopKeys
from app.theme import DARK, LIGHT, METRICS, THEMES, Theme, apply_theme
from app.training.page import TrainPage
from app.widgets.page_switch import Pages, PageSwitch
from app.widgets.roles import label
from app.widgets.scrolled_column import ScrolledColumn
from app.widgets.stop_bar import StopBar
from trainer.queue.desk import QueueDesk

LAYOUT_VERSION = 3
ROBOT, TRAIN = 0, 1
"Pages"
DATA_SUFFIXES = (".hdf5", ".h5")
Area = Qt.DockWidgetArea


class MainWindow(QMainWindow):
    """Everything the person sees."""

    def __init__(
        self, state: AppState, settings: QSettings, meshes_dir: Path | None = None, runs_root: Path = RUNS_ROOT
    ) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("REFINE-DP Studio")
        self.setAcceptDrops(True)
        self._state = state
        self._settings = settings
        self._dialog: QWidget | None = None
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self._app = app
        self._set_theme(THEMES.get(settings.value("theme", "dark"), DARK))
        self.stops = StopBar()
        self.stop_keys = StopKeys(app)
        self.view = ViewPanel(state, meshes_dir)
        self.session = SessionPanel(state, runs_root)
        self.recording = RecordingPanel(state)
        self.plots = LivePlots(state)
        self.browser = BrowserPanel(state)
        self.train = TrainPage(state, QueueDesk(runs_root))
        self.pages = Pages()
        self.switch = PageSwitch(("Robot", "Train"))
        self._robot_arrangement: QByteArray | None = None
        self.cheat_sheet = CheatSheet(state)
        self.vr = VrPanel(state)
        self.preflight = PreflightPanel(state)
        self.log = LogPanel(state)
        self.problems = ProblemPresenter(self)
        self.docks: dict[str, QDockWidget] = {}
        self._build()
        self._entries = self._menu_entries()
        self.actions_by_name = build_menus(self, self._entries)
        bar = self.statusBar()
        assert bar is not None
        self.status = StatusLine(state, bar)
        self._connect()
        self._restore_layout()
        picture = settings.value("picture")
        self.view.choose_picture(picture if picture in PICTURE_CHOICES else "auto")

    # ------------------------------------------------------------------ widgets

    def _build(self) -> None:
        self.pages.addWidget(self.view)
        self.pages.addWidget(self.train)
        self.setCentralWidget(self.pages)
        self.setCorner(Qt.Corner.BottomRightCorner, Area.BottomDockWidgetArea)
        self.setCorner(Qt.Corner.BottomLeftCorner, Area.LeftDockWidgetArea)
        self._build_top_bar()
        self._dock("Session", self.session, Area.LeftDockWidgetArea, in_area=ScrolledColumn(METRICS.side_width))
        self._dock("Recording", self.recording, Area.LeftDockWidgetArea, in_area=ScrolledColumn(METRICS.side_width))
        self._dock("Live plots", self.plots, Area.RightDockWidgetArea)
        bottom = [
            self._dock(title, widget, Area.BottomDockWidgetArea, in_area)
            for title, widget, in_area in (
                ("Data set", self.browser, None),
                ("Keyboard", self.cheat_sheet, QScrollArea()),
                ("VR", self.vr, QScrollArea()),
                ("Pre-flight", self.preflight, QScrollArea()),
                ("Log", self.log, None),
            )
        ]
        for dock in bottom[1:]:
            self.tabifyDockWidget(bottom[0], dock)
        bottom[0].raise_()
        left = [self.docks["Session"], self.docks["Recording"]]
        horizontal, vertical = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        self.resizeDocks(left, [METRICS.side_width] * 2, horizontal)
        self.resizeDocks(left, [METRICS.session_height, METRICS.recording_height], vertical)
        self.resizeDocks([self.docks["Live plots"]], [METRICS.plots_width], horizontal)
        self.resizeDocks(bottom, [METRICS.browser_height] * len(bottom), vertical)

    def _build_top_bar(self) -> None:
        bar = QFrame()
        bar.setObjectName("top_bar")
        row = QHBoxLayout(bar)
        row.setContentsMargins(2 * METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        titles = QVBoxLayout()
        titles.setSpacing(0)
        titles.addStretch(1)
        titles.addWidget(label("REFINE-DP Studio", "heading"))
        titles.addWidget(label("Booster T1 · F1 shows every shortcut", "muted"))
        titles.addStretch(1)
        row.addLayout(titles)
        row.addSpacing(3 * METRICS.margin)
        row.addWidget(self.switch)
        row.addStretch(1)
        row.addWidget(self.stops)
        # a tool bar that can be neither closed nor moved: the stops never disappear
        tool_bar = self.addToolBar("Stops")
        assert tool_bar is not None
        tool_bar.setObjectName("stops_tool_bar")
        tool_bar.setMovable(False)
        toggle = tool_bar.toggleViewAction()
        assert toggle is not None
        toggle.setEnabled(False)
        toggle.setVisible(False)
        tool_bar.addWidget(bar)
        tool_bar.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)

    def _dock(self, title: str, widget: QWidget, area: Area, in_area: QScrollArea | None = None) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(f"dock_{title.lower().replace(' ', '_')}")
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable
            | QDockWidget.DockWidgetFeature.DockWidgetFloatable
            | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        if in_area is not None:
            in_area.setWidgetResizable(True)
            in_area.setWidget(widget)
        dock.setWidget(in_area or widget)
        self.addDockWidget(area, dock)
        self.docks[title] = dock
        return dock

    def _menu_entries(self) -> tuple[Entry, ...]:
        state, view, browser = self._state, self.view, self.browser
        session, recording, look, data, help_ = "&Session", "&Recording", "&View", "&Data set", "&Help"
        record: Callable[[str], Callable[[], None]] = lambda action: lambda: state.record(action)  # type: ignore[arg-type]  # noqa: E731
        fixed = (
            Entry(session, "toggle", "Start, pause, go on", state.toggle, "F5"),
            Entry(session, "reset", "Reset", state.reset, "F6"),
            Entry(session, "soft_stop", "Soft stop", lambda: state.stop("soft_stop"), shown_keys=SOFT_STOP_KEYS),
            Entry(session, "hard_stop", "Hard stop", lambda: state.stop("hard_stop"), shown_keys=HARD_STOP_KEYS),
            Entry(session, "clear_stop", "Clear stop", lambda: state.stop("clear_stop"), "Ctrl+F12"),
            Entry(session, "safety_log", "Safety log…", self.show_safety_log, "Ctrl+Shift+L", separated=True),
            Entry(session, "quit", "Quit", self.close, "Ctrl+Q", separated=True),
            Entry(recording, "dataset_new", "New data set…", self.recording.ask_new, "Ctrl+N"),
            Entry(recording, "dataset_open", "Open data set…", self.recording.ask_open, "Ctrl+O"),
            Entry(recording, "record", "Record", record("start"), "F7", separated=True),
            Entry(recording, "keep", "Keep", record("keep"), "F8"),
            Entry(recording, "undo_last", "Undo the episode kept last", record("undo"), "Shift+F8"),
            Entry(recording, "discard", "Discard", record("discard"), "F9"),
            Entry(recording, "again", "Record again", record("again"), "Shift+F9"),
            Entry(data, "replay", "Replay", browser.replay.click, "Ctrl+R"),
            Entry(data, "replay_toggle", "Play or pause the replay", view.replay_bar.play.click, "Ctrl+P"),
            Entry(data, "replay_leave", "Back to live", state.leave_replay, "Ctrl+L"),
            Entry(data, "delete", "Delete", browser.delete.click, "Ctrl+Del", separated=True),
            Entry(data, "undo", "Undo", browser.undo.click, "Ctrl+Z"),
            Entry(data, "redo", "Redo", browser.redo.click, "Ctrl+Shift+Z"),
            Entry(look, "robot_page", "Robot", lambda: self.show_page(ROBOT), "Ctrl+1"),
            Entry(look, "train_page", "Train", lambda: self.show_page(TRAIN), "Ctrl+2"),
            Entry(look, "reset_view", "Reset the camera", view.reset_view, "Ctrl+0", separated=True),
            Entry(look, "follow", "Follow the robot", view.follow.click, "Ctrl+F"),
            Entry(look, "ghosts", "Commands and footsteps", view.ghosts.click, "Ctrl+G"),
            Entry(look, "screenshot", "Screenshot of the picture", view.save_screenshot, "Ctrl+Shift+S"),
            Entry(look, "focus_view", "Keyboard to the picture", view.view.setFocus, "F2"),
            Entry(look, "theme", "Light or dark", self.toggle_theme, "Ctrl+T", separated=True),
            Entry(look, "full_screen", "Full screen", self.toggle_full_screen, "F11"),
            Entry(look, "default_layout", "Default arrangement", self.default_layout),
        )
        last = (
            Entry(help_, "shortcuts", "Shortcuts", self.show_shortcuts, "F1"),
            Entry(help_, "about", "About", self.show_about),
        )
        panels = tuple(
            Entry("&Panels", f"panel_{dock.objectName()}", title, lambda d=dock: self._toggle(d))
            for title, dock in self.docks.items()
        )
        return (*fixed, *panels, *last)

    def _connect(self) -> None:
        state = self._state
        for source in (self.stops, self.stop_keys):
            source.soft_stop_pressed.connect(lambda: state.stop("soft_stop"))
            source.hard_stop_pressed.connect(lambda: state.stop("hard_stop"))
        self.stops.clear_pressed.connect(lambda: state.stop("clear_stop"))
        state.session_changed.connect(self._on_session_changed)
        state.ticked.connect(self._on_ticked)
        self.session.robot_box.log_wanted.connect(self.show_safety_log)
        self.preflight.wanted.connect(lambda: self.docks["Pre-flight"].raise_())
        state.problem_raised.connect(self.problems.show)
        state.replay_changed.connect(self._on_replay_changed)
        self.switch.chosen.connect(self.show_page)
        self.train.watch_wanted.connect(self._on_watch_wanted)
        self.train.summary_changed.connect(lambda text: self.switch.set_text(TRAIN, text))

    # ------------------------------------------------------------------ what changes

    @pyqtSlot()
    def _on_session_changed(self) -> None:
        state = self._state
        self.stops.show_state(
            state.stop_shown, state.stop_latency_ms, state.stop_round_trip_ms, state.robot_stop.shown()
        )  # fmt: skip

    @pyqtSlot()
    def _on_ticked(self) -> None:
        if self._state.has_robot:  # the robot's word, or that there is none, comes at its own time
            self._on_session_changed()

    @pyqtSlot()
    def _on_replay_changed(self) -> None:
        self._on_session_changed()
        if self._state.replay is not None:
            self.show_page(ROBOT)

    @pyqtSlot(object)
    def _on_watch_wanted(self, planner: Path) -> None:
        self.show_page(ROBOT)
        self._state.watch(planner)
        if self._state.session in ("running", "paused", "engaging"):
            self._state.reset()  # now, not when the running episode has ended
        self._state.start()

    @pyqtSlot(int)
    def show_page(self, page: int) -> None:
        """The robot with its panels, or training with all of the window. The stops stay where they are."""
        if page == self.pages.currentIndex():
            return
        if page == TRAIN:
            self._robot_arrangement = self.saveState(LAYOUT_VERSION)
            for dock in self.docks.values():
                dock.hide()
        self.pages.setCurrentIndex(page)
        self.switch.show_chosen(page)
        if page == ROBOT and self._robot_arrangement is not None:
            self.restoreState(self._robot_arrangement, LAYOUT_VERSION)

    def _toggle(self, dock: QDockWidget) -> None:
        self.show_page(ROBOT)
        dock.setVisible(not dock.isVisible())
        if dock.isVisible():
            dock.raise_()

    def toggle_theme(self) -> None:
        """From dark to light, or back."""
        self._set_theme(LIGHT if self._state.theme.name == "dark" else DARK)

    def _set_theme(self, theme: Theme) -> None:
        apply_theme(self._app, theme)
        self._state.set_theme(theme)
        self._settings.setValue("theme", theme.name)

    def toggle_full_screen(self) -> None:
        """The whole screen, or a window."""
        self.showNormal() if self.isFullScreen() else self.showFullScreen()

    def show_shortcuts(self) -> None:
        """Every shortcut."""
        self._show_dialog(ShortcutsDialog([*shortcut_table(self._entries), *self.train.table.shortcuts()], self))

    def show_about(self) -> None:
        """Versions."""
        self._show_dialog(AboutDialog(self))

    def show_safety_log(self) -> None:
        """What the guards of robot sessions did."""
        self._show_dialog(SafetyLogDialog(self._state.theme, parent=self))

    def _show_dialog(self, dialog: QWidget) -> None:
        if self._dialog is not None:
            self._dialog.close()
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.destroyed.connect(self._on_dialog_destroyed)
        self._dialog = dialog
        dialog.show()

    @pyqtSlot()
    def _on_dialog_destroyed(self) -> None:
        self._dialog = None

    # ------------------------------------------------------------------ arrangement

    def _restore_layout(self) -> None:
        self._default_state = self.saveState(LAYOUT_VERSION)
        geometry, arrangement = self._settings.value("geometry"), self._settings.value("arrangement")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        else:
            self.resize(METRICS.window_width, METRICS.window_height)
        if isinstance(arrangement, QByteArray):
            self.restoreState(arrangement, LAYOUT_VERSION)

    def default_layout(self) -> None:
        """Every panel where it was at first."""
        self.show_page(ROBOT)
        self.restoreState(self._default_state, LAYOUT_VERSION)

    @override
    def closeEvent(self, a0: QCloseEvent | None) -> None:
        self.show_page(ROBOT)
        self._settings.setValue("geometry", self.saveGeometry())
        self._settings.setValue("picture", self.view.view.pace.choice)
        self._settings.setValue("arrangement", self.saveState(LAYOUT_VERSION))
        self.stop_keys.close()
        self._state.close()
        self.view.view.end()
        self.vr.picture.end()
        self.train.close_workers()
        super().closeEvent(a0)

    @override
    def dragEnterEvent(self, a0: QDragEnterEvent | None) -> None:
        if a0 is not None and _dropped(a0) is not None:
            a0.acceptProposedAction()

    @override
    def dropEvent(self, a0: QDropEvent | None) -> None:
        path = _dropped(a0) if a0 is not None else None
        if path is not None:
            self._state.choose_dataset(path)


def _dropped(event: QDropEvent) -> Path | None:
    """The data set that is being dragged here."""
    mime = event.mimeData()
    paths = [Path(url.toLocalFile()) for url in mime.urls()] if mime is not None else []
    return next((path for path in paths if path.suffix in DATA_SUFFIXES), None)
