"""The window starts without torch, and answers at once where there is no display."""

import os
import subprocess
import sys
from pathlib import Path

from app.main import parse
from trainer.jobs import window as window_job

ROOT = Path(__file__).parents[2]


def run(code: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    merged = {**os.environ, **{k: v for k, v in environment.items() if v is not None}}
    for key in [k for k, v in environment.items() if v is None]:
        merged.pop(key, None)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=merged, timeout=60, cwd=ROOT
    )


def test_that_the_window_never_loads_torch() -> None:
    code = "import sys, app.main_window, app.main, trainer.session.client; print('torch' in sys.modules)"
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


def test_that_without_a_display_the_window_says_what_to_do_instead() -> None:
    code = "import sys; from app.main import main; sys.exit(main([]))"
    done = run(code, DISPLAY=None, WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None)
    assert done.returncode == 3
    assert "refine-dp run" in done.stderr
    assert "Traceback" not in done.stderr


def test_that_options_of_the_subcommand_reach_the_window() -> None:
    options = window_job.Config(dataset=Path("data/a b.hdf5"), theme="light").arguments()
    parsed = parse(options)
    assert (parsed.dataset, parsed.theme, parsed.meshes) == (Path("data/a b.hdf5"), "light", None)
    assert window_job.Config().arguments() == []


def test_that_the_picture_has_the_pixels_of_a_fine_screen() -> None:
    code = """
import sys; sys.path.insert(0, "tests/app")
from PyQt6.QtWidgets import QApplication
from PyQt6.QtTest import QTest
app = QApplication([])
from app.widgets.scene_view import SceneView
from core.backends.mujoco_scene import compile_scene
from fake_client import SCENE
from pixels import rgb
view = SceneView(); view.resize(400, 300); view.set_model(compile_scene(SCENE)); view.show()
QTest.qWaitForWindowExposed(view)
image = view.screenshot()
corners = rgb(image)[[2, -3], :][:, [2, -3]].reshape(-1, 3)
print(image.width(), image.height(), (corners.max(axis=1) > 60).all())
"""
    done = run(code, QT_SCALE_FACTOR="2")
    assert done.stdout.split() == ["800", "600", "True"], done.stderr
