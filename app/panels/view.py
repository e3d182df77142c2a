"""The 3-D view with its tool bar, the keyboard focus of teleoperation, and the replay bar."""

# mujoco has no stubs: pyright sees none of its names
# pyright: reportAttributeAccessIssue=false

from pathlib import Path

import mujoco
from PyQt6.QtCore import QDateTime, QStandardPaths, Qt, pyqtSlot
from PyQt6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.drawing_pace import PICTURE_CHOICES, ROBOT_SHARE, SIMULATION_SHARE, PictureChoice
from app.panels.replay_bar import ReplayBar
from app.problems import Problem
from app.state import DISPLAY_HZ, AppState
from app.theme import METRICS
from app.widgets.gl_renderer import is_software
from app.widgets.roles import set_property, yielding
from app.widgets.scene_view import SceneView
from app.widgets.tool import tool
from core.backends.mujoco_scene import compile_scene
from core.tasks.scene import Scene
from core.teleop.keyboard import MOTION_KEYS
from trainer.session.messages import RecordAction, Telemetry, VrView

EMPTY_SCENE = Scene("empty")
LATE_LOOP_HZ = 47.0
SOFTWARE_HZ, LATE_HZ = 20.0, 15.0
"A processor that draws must leave time for the controllers: most frames a second, and while the loop is late"
HOME_TIP = "Look from the right again (Ctrl+0). Drag: orbit, right drag: pan, wheel: zoom"
PICTURE_TIP = """How fine the picture is. While a robot is driven, drawing gets a third of one processor core.
auto: where the computer draws slowly, fewer frames (down to 10 a second), then no shadows, then fewer pixels
full: always fine, however few frames; simple: always the cheapest picture"""
SIMPLIFIED_TIP = "The picture is simplified because this computer draws slowly: {what}, {cost:.0f} ms a frame"
DETAIL_WORDS = {"full": "everything", "plain": "no shadows", "coarse": "no shadows, fewer pixels"}
RECORD_KEYS: dict[str, RecordAction] = {"r": "start", "return": "keep", "delete": "discard", "z": "undo"}
"Keys of the group 'session' in core.teleop.keyboard; the stops are seen by app.stop_keys"


def operator_line(vr: VrView, telemetry: Telemetry) -> str:
    """The head-up line of a VR session."""
    recording = {
        "recording": f"● recording {0.1 * telemetry.recorded_samples:.0f} s",
        "armed": "records the next episode",
        "finished": "keep (A) or discard (B)?",
        "off": "not recording",
    }[telemetry.recording]
    hands = f"left: {vr.hands[0]} · right: {vr.hands[1]}"
    kept = f"{telemetry.recorded_episodes} kept"
    return " │ ".join(part for part in (vr.line or vr.text, hands, recording, kept) if part)


class ViewPanel(QWidget):
    """Live robot or replay, in one picture."""

    def __init__(self, state: AppState, meshes_dir: Path | None = None) -> None:
        super().__init__()
        self.setObjectName("view_panel")
        self._state = state
        self._meshes_dir = meshes_dir
        self._scene_shown: Scene | None = None
        self._ticks = 0
        self._software = is_software()
        self._was_running = False
        self.view = SceneView()
        self.banner = yielding("", "banner", "view_banner", left=True)
        self.operator_line = yielding("", "hint", "operator_line", left=True)
        self.rate = yielding("", "muted", "view_rate")
        self.follow = tool("Follow", "follow", "Keep the robot in the middle of the picture (Ctrl+F)", checked=True)
        self.ghosts = tool("Commands", "ghosts", "Commanded hands and planned footsteps (Ctrl+G)", checked=True)
        self.shadows = tool("Shadows", "shadows", "Shadows: prettier, slower without a graphics card", checked=True)
        self.picture = QComboBox()
        self.home = tool("Reset view", "reset_view", HOME_TIP)
        self.shot = tool("Screenshot", "screenshot", "Save the picture (Ctrl+Shift+S)")
        self.replay_bar = ReplayBar(state)
        self._frame = QFrame()
        self.view.paced = True
        self.view.pace.choose("auto")
        self._build()
        self._connect()
        self.show_scene(EMPTY_SCENE)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._build_bar())
        self._frame.setObjectName("view_frame")
        inner = QVBoxLayout(self._frame)
        inner.setContentsMargins(*[METRICS.frame] * 4)
        inner.addWidget(self.view)
        layout.addWidget(self.operator_line)
        layout.addWidget(self._frame, 1)
        layout.addWidget(self.banner)
        layout.addWidget(self.replay_bar)
        self.operator_line.hide()
        self.banner.hide()
        self.replay_bar.hide()

    def _build_bar(self) -> QFrame:
        bar = QFrame()
        bar.setObjectName("view_bar")
        row = QHBoxLayout(bar)
        row.setContentsMargins(METRICS.gap, METRICS.tight, METRICS.gap, METRICS.tight)
        row.setSpacing(METRICS.tight)
        for button in (self.follow, self.ghosts, self.shadows, self.home, self.shot):
            row.addWidget(button)
        self.picture.setObjectName("picture_choice")
        self.picture.setToolTip(PICTURE_TIP)
        self.picture.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for choice in PICTURE_CHOICES:
            self.picture.addItem(f"Picture: {choice}", choice)
        row.addWidget(self.picture)
        row.addWidget(self.rate, 1)
        return bar

    def _connect(self) -> None:
        state = self._state
        state.ticked.connect(self._on_ticked)
        state.scene_changed.connect(self._on_scene_changed)
        state.replay_changed.connect(self._on_replay_changed)
        state.session_changed.connect(self._on_session_changed)
        self.view.key_pressed.connect(self._on_key_pressed)
        self.view.key_released.connect(self._on_key_released)
        self.view.focus_changed.connect(self._on_focus_changed)
        self.view.failed.connect(self._on_view_failed)
        self.picture.currentIndexChanged.connect(self._on_picture_chosen)
        self.follow.toggled.connect(self._on_follow_toggled)
        self.ghosts.toggled.connect(self._on_ghosts_toggled)
        self.shadows.toggled.connect(self._on_shadows_toggled)
        self.home.clicked.connect(self.reset_view)
        self.shot.clicked.connect(self.save_screenshot)

    def show_scene(self, scene: Scene) -> None:
        """Build the model of a scene (milliseconds) and show it."""
        if scene == self._scene_shown:
            return
        try:
            model: mujoco.MjModel = compile_scene(scene, self._meshes_dir)
        except (ValueError, OSError) as error:
            self._state.report(Problem.from_error("The scene cannot be shown", error))
            return
        self._scene_shown = scene
        self.view.set_model(model)

    @pyqtSlot()
    def _on_ticked(self) -> None:
        self._ticks += 1
        pose = self._state.pose()
        if pose is not None and pose is not self.view.pose:
            self.view.set_pose(pose)
        self._pace_view()
        self._show_operator_line()
        if self._ticks % 15 == 0:
            self._show_rate()

    def _pace_view(self) -> None:
        """Draw in step with the ticks, so that picture and plots are put together at once."""
        pace = self.view.pace
        pace.share = ROBOT_SHARE if self._state.has_robot else SIMULATION_SHARE
        telemetry = self._state.telemetry
        late = telemetry is not None and telemetry.state == "running" and telemetry.loop.rate_hz < LATE_LOOP_HZ
        pace.top_hz = DISPLAY_HZ if not self._software else LATE_HZ if late else SOFTWARE_HZ
        self._state.draws_slowly = pace.is_simplified
        self.view.draw_if_due()

    def _show_rate(self) -> None:
        pace = self.view.pace
        self.rate.setText(f"{self.view.rate_hz:.0f} fps" + (" · simplified" if pace.is_simplified else ""))
        words = SIMPLIFIED_TIP.format(what=DETAIL_WORDS[pace.detail], cost=1e3 * pace.cost_s)
        self.rate.setToolTip(words if pace.is_simplified else "Frames of the picture a second")

    def choose_picture(self, choice: PictureChoice) -> None:
        """How fine the picture is, as chosen in the bar."""
        self.picture.setCurrentIndex(PICTURE_CHOICES.index(choice))

    @pyqtSlot(int)
    def _on_picture_chosen(self, index: int) -> None:
        self.view.pace.choose(PICTURE_CHOICES[index])
        self.view.ask_to_draw()
        self._show_rate()

    def _show_operator_line(self) -> None:
        """What a person with the headset lifted needs to read: what was done, and what each hand waits for."""
        telemetry = self._state.telemetry
        vr = telemetry.vr if telemetry is not None else None
        self.operator_line.setVisible(vr is not None)  # a row of its own: a text that comes and goes moves no picture
        if vr is not None and telemetry is not None:
            self.operator_line.setText(operator_line(vr, telemetry))

    @pyqtSlot(object)
    def _on_scene_changed(self, scene: Scene) -> None:
        if self._state.replay is None:
            self.show_scene(scene)

    @pyqtSlot()
    def _on_replay_changed(self) -> None:
        replay = self._state.replay
        scene = replay.states.scene if replay is not None else self._state.scene
        if scene is not None:
            self.show_scene(scene)
        self.replay_bar.setVisible(replay is not None)
        self._show_banner()

    @pyqtSlot()
    def _on_session_changed(self) -> None:
        running = self._state.session == "running"
        if running and not self._was_running and self._state.settings.source == "keyboard":
            self.view.setFocus()  # who presses Start to drive need not click the picture as well
        self._was_running = running
        self._show_banner()

    @pyqtSlot()
    def _show_banner(self) -> None:
        state, text = self._state, ""
        if state.replay is not None:
            live = " · the live session goes on underneath" if state.session == "running" else ""
            text = f"REPLAY  {state.replay.states.title}{live}"
        elif state.settings.source == "keyboard" and state.session == "running" and not self.view.hasFocus():
            text = "Click the picture to drive: keys go to the robot only while its frame is lit"
        self.banner.setText(text)
        self.banner.setVisible(bool(text))

    @pyqtSlot(str)
    def _on_key_pressed(self, key: str) -> None:
        if self._state.settings.source != "keyboard":
            return
        if key in MOTION_KEYS:
            self._state.set_keys(self._state.keys_down | {key})
        elif key in RECORD_KEYS:
            self._state.record(RECORD_KEYS[key])

    @pyqtSlot(str)
    def _on_key_released(self, key: str) -> None:
        self._state.set_keys(self._state.keys_down - {key})

    @pyqtSlot(bool)
    def _on_focus_changed(self, focused: bool) -> None:
        if not focused:
            self._state.set_keys(frozenset())
        set_property(self._frame, "driving", focused)
        self._show_banner()

    @pyqtSlot(str)
    def _on_view_failed(self, text: str) -> None:
        remedy = (
            "install a driver with OpenGL 1.5 or newer (Mesa: libgl1-mesa-dri), or start with LIBGL_ALWAYS_SOFTWARE=1"
        )
        self._state.report(Problem("The 3-D view cannot draw", text, remedy))

    @pyqtSlot(bool)
    def _on_follow_toggled(self, on: bool) -> None:
        self.view.orbit_camera.following = on

    @pyqtSlot(bool)
    def _on_ghosts_toggled(self, on: bool) -> None:
        self.view.show_ghosts = on
        self.view.ask_to_draw()

    @pyqtSlot(bool)
    def _on_shadows_toggled(self, on: bool) -> None:
        self.view.shadows = on
        self.view.ask_to_draw()

    @pyqtSlot()
    def reset_view(self) -> None:
        """Look from the home direction."""
        self.view.orbit_camera.reset()
        self.view.ask_to_draw()

    @pyqtSlot()
    def save_screenshot(self) -> Path | None:
        """Save the picture in the pictures folder and say where."""
        folder = pictures_folder()
        path = folder / f"refine-dp-{QDateTime.currentDateTime().toString('yyyyMMdd-HHmmss')}.png"
        folder.mkdir(parents=True, exist_ok=True)
        if not self.view.screenshot().save(str(path)):
            self._state.report(
                Problem("The screenshot was not saved", f"cannot write {path}", "free space on the disk")
            )
            return None
        self._state.logged.emit("info", f"screenshot saved: {path}")
        return path


def pictures_folder() -> Path:
    """Where screenshots go."""
    return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)) / "refine-dp"
