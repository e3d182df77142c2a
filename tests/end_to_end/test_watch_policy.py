"""From the window to a planner's chunks: a real window, a real worker, a real planner process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PyQt6.QtCore import QSettings, Qt
from pytestqt.qtbot import QtBot

from app.main_window import MainWindow
from app.state import AppState
from core.policy.build import build_planner
from core.policy.checkpoint import save_planner
from core.policy.config import MlpConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.tasks.catalogue import make_task
from trainer.session.client import SessionClient

CONFIG = PlannerConfig("mlp-diffusion", mlp=MlpConfig(32, 1), denoising_steps=4, sampler=SamplerConfig(steps=2))
TIMEOUT_MS = 120_000
"""For processes that load torch on a busy computer; ends as soon as what is waited for is there."""


def store(path: Path, task: str = "box_pickup") -> None:
    """A planner with random weights."""
    layout = PlannerLayout(**{**vars(PlannerLayout.of_task(make_task("box_pickup", 1))), "task": task})
    low, high = -0.2 * torch.ones(layout.action_size), 0.2 * torch.ones(layout.action_size)
    planner = build_planner(layout, CONFIG, Normalizer.identity(layout.observation_size), Normalizer(low, high))
    save_planner(path, planner, CONFIG, {"steps": 12})


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Iterator[MainWindow]:
    store(tmp_path / "runs" / "20260101-000000-pretrain" / "planner.safetensors")
    state = AppState(SessionClient)
    state.configure(backend="fake")
    settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    window = MainWindow(state, settings, runs_root=tmp_path / "runs")
    qtbot.addWidget(window)
    window.show()
    state.begin()
    yield window
    window.close()


def test_that_a_run_is_chosen_watched_and_another_tasks_planner_is_refused(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    state, panel = window._state, window.session
    qtbot.waitUntil(lambda: state.session == "ready", timeout=TIMEOUT_MS)
    panel.source.chosen.emit("policy")
    path = tmp_path / "runs" / "20260101-000000-pretrain" / "planner.safetensors"
    if state.settings.checkpoint != str(path):  # where planners are shipped they are listed first
        panel.checkpoint.chosen.emit(path)
    qtbot.mouseClick(panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: _chunks(state) > 0 and "late" in window.status.planner.text(), timeout=TIMEOUT_MS)
    assert state.telemetry is not None
    assert state.telemetry.source == "policy"
    assert "mlp-diffusion" in panel.checkpoint.currentText()
    store(tmp_path / "door.safetensors", "door")
    panel.checkpoint.chosen.emit(tmp_path / "door.safetensors")
    qtbot.waitUntil(lambda: bool(window.problems.dialogs), timeout=TIMEOUT_MS)
    problem = window.problems.dialogs[0].problem
    assert "the planner has 'door', task 'box_pickup' has 'box_pickup'" in problem.cause + problem.remedy
    qtbot.waitUntil(lambda: state.settings.checkpoint == str(path), timeout=TIMEOUT_MS)
    window.problems.dialogs[0].close()


def _chunks(state: AppState) -> int:
    return 0 if state.telemetry is None else state.telemetry.planner.chunks
