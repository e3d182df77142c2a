"""Jobs from the window: real processes, real run folders; they go on without the window."""

import math
import os
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.jobs import command_line, launch, newest_progress, read_jobs
from app.main_window import MainWindow
from app.panels.jobs import JobsPanel
from trainer.cli import parse
from trainer.jobs.collect import Config
from trainer.runs import Run


def test_that_the_command_line_gives_back_the_config(tmp_path: Path) -> None:
    config = Config(tmp_path / "a b.hdf5", episodes=7, success_only=True, seed=3, safety="hardware")
    job, *options = command_line("collect", config)
    assert job == "collect"
    assert parse(Config, "collect", None, options) == config


def test_that_progress_is_the_newest_event_that_tells_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert math.isnan(newest_progress(path)[0])
    path.write_text('{"kind": "scalars", "step": 5, "values": {"loss": 0.25}}\n')
    assert newest_progress(path)[1] == "step 5: loss 0.25"
    path.write_text('{"done": 2, "total": 8}\n{"done": 3, "total": 8, "text": "4.1/min"}\n{"torn": ')
    assert newest_progress(path) == (0.375, "3 of 8 4.1/min")


def test_that_every_run_folder_is_listed_newest_first_and_a_dead_job_is_told(tmp_path: Path) -> None:
    finished = Run.create(tmp_path, "collect", Config(tmp_path / "x.hdf5"), 1)
    finished.status("finished", "done")
    running = Run.create(tmp_path, "train", Config(tmp_path / "x.hdf5"), 1)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    rows = read_jobs(tmp_path)
    assert [(row.job, row.state) for row in rows] == [("train", "running"), ("collect", "finished")]
    for run in (finished, running):
        run.close()


@pytest.fixture
def panel(window: MainWindow, qtbot: QtBot) -> JobsPanel:
    window.docks["Jobs"].raise_()
    qtbot.waitUntil(window.jobs.isVisible)
    return window.jobs


def test_that_a_wrong_config_cannot_be_started(panel: JobsPanel) -> None:
    panel.form.editor("episodes").set_value(0)
    assert not panel.start.isEnabled()
    assert "at least 1" in panel.form._problems["episodes"].text()
    panel.form.editor("episodes").set_value(2)
    assert panel.start.isEnabled()


def test_that_a_job_that_cannot_start_is_told(
    panel: JobsPanel, window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    process = launch(["no-such-job"], tmp_path / "log")
    process.wait()
    panel._check_launch(process, tmp_path / "log")
    problem = window.problems.dialogs[0].problem
    assert "unknown subcommand 'no-such-job'" in problem.cause


@pytest.mark.slow
def test_that_a_collection_runs_in_the_background_shows_progress_and_stops(
    panel: JobsPanel, tmp_path: Path, qtbot: QtBot
) -> None:
    form = panel.form
    form._hidden["backend"] = "fake"
    form.editor("dataset").set_value(tmp_path / "out.hdf5")
    form.editor("episodes").set_value(100_000)
    form.editor("worlds").set_value(2)
    qtbot.mouseClick(panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(panel.rows) and panel.rows[0].state == "running", timeout=60_000)
    assert os.getsid(panel.rows[0].pid) != os.getsid(0)  # closing the window or its terminal does not reach it
    panel.table.selectRow(0)
    qtbot.mouseClick(panel.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.rows[0].state == "stopped", timeout=60_000)
    qtbot.waitUntil(lambda: not panel._launched, timeout=60_000)
