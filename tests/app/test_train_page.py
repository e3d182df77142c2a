"""The Train page without processes: forms, table, curves, export; the runs are real folders."""

import csv
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication, QImage
from pytestqt.qtbot import QtBot

from app.state import AppState
from app.training.kinds import all_kinds
from app.training.page import TrainPage
from app.training.run_model import COLUMNS, SHARE_ROLE, TITLES
from core.control.training.lower_config import LowerLearnerConfig
from trainer.jobs import collect, finetune, pretrain
from trainer.jobs.train_controller import LowerJob
from trainer.queue.desk import QueueDesk
from trainer.runs import Run


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


@pytest.fixture
def page(qtbot: QtBot, own_state: AppState, root: Path) -> Iterator[TrainPage]:
    page = TrainPage(own_state, QueueDesk(root, ensure_runner=lambda store: None))
    qtbot.addWidget(page)
    page.resize(1500, 900)
    page.show()
    yield page
    page.close_workers()


def finished(root: Path, job: str = "pretrain", config: object = None, state: str = "finished") -> Run:
    run = Run.create(root, job, config or pretrain.Config(Path("x.hdf5")), 0)
    run.close()
    if state != "running":
        run.status(state)  # type: ignore[arg-type]
    return run


def add_scalars(run: Run, steps: range, **more: float) -> None:
    with (run.path / "events.jsonl").open("a") as file:
        for step in steps:
            values = {name.replace("__", "/"): value for name, value in more.items()}
            line = {
                "time_s": 60.0 * step,
                "kind": "scalars",
                "step": step,
                "values": {"train/loss": 1 / (step + 1), **values},
            }
            file.write(json.dumps(line) + "\n")


def shown(page: TrainPage, qtbot: QtBot, rows: int) -> None:
    page.runs.read()
    qtbot.waitUntil(lambda: page.table.filter.rowCount() == rows)


def cell(page: TrainPage, row: int, title: str) -> str:
    return page.table.filter.index(row, TITLES.index(title)).data()


# ---------------------------------------------------------------------- forms


@pytest.mark.parametrize("title", [kind.title for kind in all_kinds()])
def test_that_every_job_has_a_form_whose_defaults_and_presets_come_back(page: TrainPage, title: str) -> None:
    page.jobs.choose(title)
    kind = page.jobs.kind
    assert page.jobs.config() == kind.default()
    for name, preset in kind.presets.items():
        page.jobs.preset_box.setCurrentText(name)
        page.jobs._on_preset_chosen()
        assert page.jobs.config() == preset


def test_that_a_preset_keeps_the_data_set_that_was_chosen(page: TrainPage) -> None:
    page.jobs.choose("pretrain")
    page.jobs.form.editor("dataset").set_value(Path("mine.hdf5"))
    page.jobs.preset_box.setCurrentText("paper")
    page.jobs._on_preset_chosen()
    assert page.jobs.config() == replace(pretrain.PRESETS["paper"], dataset=Path("mine.hdf5"))


def test_that_an_error_in_a_folded_part_opens_it_and_stands_beside_its_field(page: TrainPage) -> None:
    page.jobs.choose("finetune")
    form = page.jobs.form
    fold, inner = form._folds["dppo"], form.inner("dppo")
    assert not inner.isVisible()
    inner.editor("clip_total_first").set_value(9.0)
    assert inner.isVisible()
    assert fold.header.property("invalid")
    assert "must not exceed clip_total" in inner._problems["clip_total_first"].text()
    assert not page.jobs.enqueue.isEnabled()
    inner.editor("clip_total_first").set_value(0.1)
    assert page.jobs.config() == finetune.Config()


def test_that_every_option_of_a_controllers_training_can_be_set_and_queued(
    page: TrainPage, root: Path, qtbot: QtBot
) -> None:
    page.jobs.choose("train-controller lower")
    options, learner = page.jobs.form.inner("options"), page.jobs.form.inner("learner")
    assert not {"runs", "resume"} & options._editors.keys()
    names = {f.name for f in fields(LowerLearnerConfig)}
    assert learner._editors.keys() | learner._inner.keys() == names
    assert learner.editor("method").isVisibleTo(page.jobs)
    learner.editor("method").set_value("scratch")
    learner.editor("scratch_steps").set_value(1000)
    learner.inner("env").inner("footsteps").editor("swing_s").set_value(0.37)
    assert not page.jobs.enqueue.isEnabled()  # no multiple of the control period
    learner.inner("env").inner("footsteps").editor("swing_s").set_value(0.4)
    assert "--method scratch --scratch-steps 1000 --env.footsteps.swing-s 0.4" in page.jobs.command_text(
        page.jobs.config()
    )
    qtbot.mouseClick(page.jobs.enqueue, Qt.MouseButton.LeftButton)
    shown(page, qtbot, 1)
    entry = QueueDesk(root).store.get(1)
    assert entry.arguments[:1] == ("lower",)
    assert entry.config["learner"]["method"] == "scratch"
    page.jobs.choose("train-controller lower")
    page.jobs.form.set_config(LowerJob())
    page.jobs.show_copy(page.runs.rows[0])
    assert page.jobs.config().learner.scratch_steps == 1000


def test_that_an_error_names_the_field_that_is_meant_not_one_whose_name_it_contains(page: TrainPage) -> None:
    page.jobs.choose("finetune")
    page.jobs.form.editor("evaluate_seed").set_value(-1)
    assert page.jobs.form._problems["evaluate_seed"].text()
    assert not page.jobs.form._problems["seed"].text()


def test_that_a_job_without_its_input_says_what_to_choose(page: TrainPage) -> None:
    page.jobs.choose("pretrain")
    assert not page.jobs.enqueue.isEnabled()
    assert page.jobs._lacks.text() == "choose a data set"
    page.jobs.form.editor("dataset").set_value(Path("x.hdf5"))
    assert page.jobs.enqueue.isEnabled()


def test_that_what_queued_jobs_will_make_can_be_chosen(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    (root.parent / "data").mkdir()
    (root.parent / "data" / "old.hdf5").touch()
    page.runs.enqueue("collect", collect.Config(Path("new.hdf5")), 0)
    shown(page, qtbot, 1)
    page.jobs.choose("pretrain")
    box = page.jobs.form.editor("dataset").control
    box.fill()
    assert [box.itemText(i) for i in range(box.count())] == ["@1", "data/old.hdf5"]
    page.jobs.form.editor("dataset").set_value(Path("@1"))
    qtbot.mouseClick(page.jobs.enqueue, Qt.MouseButton.LeftButton)
    shown(page, qtbot, 2)
    entry = QueueDesk(root).store.get(2)
    assert entry.after == (1,)
    assert "--runs" in entry.arguments


def test_that_planners_that_come_with_the_program_can_be_chosen(page: TrainPage) -> None:
    page.jobs.choose("finetune")
    box = page.jobs.form.editor("checkpoint").control
    box.fill()
    shipped = [box.itemText(i) for i in range(box.count())]
    assert shipped
    assert all(Path(name).is_file() for name in shipped)


def test_that_the_whole_chain_is_queued_in_one_go(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    assert page.jobs.preset_box.isVisible()
    page.jobs.choose("whole chain")
    assert not page.jobs.preset_box.isVisible()  # its sizes are a field of the form
    qtbot.mouseClick(page.jobs.enqueue, Qt.MouseButton.LeftButton)
    shown(page, qtbot, 5)
    entries = QueueDesk(root).store.entries()
    assert [entry.job for entry in entries] == ["collect", "pretrain", "evaluate", "finetune", "evaluate"]
    assert [entry.after for entry in entries] == [(), (1,), (2,), (2, 3), (4,)]
    words = entries[3].arguments
    assert words[words.index("--checkpoint") + 1] == "@2"
    assert "--require-ready" in words
    assert "#1 to #5 are in the queue" in page.told.text()


def test_that_a_copied_command_makes_the_same_config(page: TrainPage) -> None:
    from shlex import split

    from trainer.cli import parse, take_preset

    page.jobs.choose("pretrain")
    page.jobs.preset_box.setCurrentText("quick")
    page.jobs._on_preset_chosen()
    page.jobs.form.editor("dataset").set_value(Path("a b.hdf5"))
    page.jobs.form.inner("learner").editor("steps").set_value(77)
    page.jobs.copy_command()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    words = split(clipboard.text())
    assert words[:4] == ["refine-dp", "pretrain", "--preset", "quick"]
    default, rest = take_preset(words[2:], pretrain.PRESETS)
    assert parse(pretrain.Config, "pretrain", None, rest, default) == page.jobs.config()


# ---------------------------------------------------------------------- table


def test_that_the_table_shows_state_progress_and_result(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    run = finished(root, state="running")
    run.event("progress", done=3, total=4)
    run.event("evaluation", success_rate=0.6, ci95=(0.5, 0.7))
    shown(page, qtbot, 1)
    assert cell(page, 0, "State") == "▶ running"
    assert cell(page, 0, "Progress") == "75 %"
    assert page.table.filter.index(0, 0).data(SHARE_ROLE) == 0.75
    assert cell(page, 0, "Result") == "success 60 % (50–70)"
    assert "75 %" in page.summary()


def test_that_rows_are_filtered_by_words_and_sorted_by_value(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    for rate in (0.9, 0.1, 0.5):
        run = finished(root, "evaluate")
        run.event("evaluation", success_rate=rate, ci95=(rate, rate))
    finished(root, "collect", state="failed")
    shown(page, qtbot, 4)
    qtbot.keyClicks(page.table.search, "evaluate finished")
    assert page.table.filter.rowCount() == 3
    page.table.table.sortByColumn(TITLES.index("Result"), Qt.SortOrder.DescendingOrder)
    assert [cell(page, row, "Result")[:12] for row in range(3)] == ["success 90 %", "success 50 %", "success 10 %"]
    page.table.search.setText("failed")
    assert cell(page, 0, "Job") == "collect"
    assert len(COLUMNS) == page.table.filter.columnCount()


def test_that_a_run_is_deleted_and_put_back_with_buttons(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    run = finished(root)
    shown(page, qtbot, 1)
    page.table.select({str(run.path)})
    assert page.table.delete.isEnabled()
    qtbot.mouseClick(page.table.delete, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.table.filter.rowCount() == 0 and page.table.undo.isEnabled())
    assert not run.path.exists()
    qtbot.mouseClick(page.table.undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.table.filter.rowCount() == 1)
    assert run.path.is_dir()


def test_that_a_run_at_work_cannot_be_deleted_but_stopped(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    run = finished(root, state="running")
    shown(page, qtbot, 1)
    page.table.select({str(run.path)})
    assert not page.table.delete.isEnabled()
    assert page.table.stop.isEnabled()


def test_that_a_duplicate_has_the_settings_of_the_run_and_no_resume(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    config = pretrain.Config(Path("d.hdf5"), episodes=7, validate_every=9, resume=Path("old"))
    run = finished(root, config=config)
    shown(page, qtbot, 1)
    page.table.select({str(run.path)})
    qtbot.mouseClick(page.table.duplicate, Qt.MouseButton.LeftButton)
    assert page.jobs.kind.title == "pretrain"
    assert page.jobs.config() == replace(config, resume=None)


def test_that_the_planner_of_a_run_is_asked_to_be_watched(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    run = finished(root)
    shown(page, qtbot, 1)
    page.table.select({str(run.path)})
    assert not page.table.watch.isEnabled()
    (run.path / "planner.safetensors").touch()
    page.table._show_actions()
    with qtbot.waitSignal(page.watch_wanted) as asked:
        qtbot.mouseClick(page.table.watch, Qt.MouseButton.LeftButton)
    assert asked.args == [run.path / "planner.safetensors"]


def test_that_the_window_has_somebody_run_a_queue_that_was_left_alone(
    qtbot: QtBot, own_state: AppState, root: Path
) -> None:
    woken: list[Path] = []
    desk = QueueDesk(root, ensure_runner=lambda store: woken.append(store.root))
    desk.store.add("collect", [], {}, root.parent)
    page = TrainPage(own_state, desk)
    qtbot.addWidget(page)
    qtbot.waitUntil(lambda: woken == [root])
    page.close_workers()


# ---------------------------------------------------------------------- curves


def test_that_selected_runs_are_overlaid_and_new_lines_appear(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    runs = [finished(root), finished(root)]
    for run in runs:
        add_scalars(run, range(20), explore__success_rate=0.5, explore__success_low=0.4, explore__success_high=0.6)
    shown(page, qtbot, 2)
    page.table.select({str(run.path) for run in runs})
    qtbot.waitUntil(lambda: set(page.plots.cards) == {"success", "loss"} and len(page.plots.cards["loss"].lines) == 2)
    card = page.plots.cards["success"]
    assert {line.colour for line in card.lines} == {0, 1}
    assert card.readout() == ("50 (40–60)",) * 2
    add_scalars(runs[0], range(20, 30))
    qtbot.waitUntil(lambda: any(line.x[-1] == 29 for line in page.plots.cards["loss"].lines))


def test_that_axis_and_smoothing_change_the_lines(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    run = finished(root)
    add_scalars(run, range(10), explore__decisions=5.0)
    shown(page, qtbot, 1)
    loss = lambda: page.plots.cards["loss"].lines[0]  # noqa: E731
    qtbot.waitUntil(lambda: "loss" in page.plots.cards)
    page.plots.axis.setCurrentIndex(1)
    qtbot.waitUntil(lambda: loss().x[-1] == 50)
    before = loss().y
    page.plots.smoothing.setValue(15)
    qtbot.waitUntil(lambda: loss().raw is not None)
    assert np.abs(np.diff(loss().y)).max() < np.abs(np.diff(before)).max()


def test_that_other_numbers_of_a_run_can_be_plotted(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    run = finished(root)
    add_scalars(run, range(5), odd__number=3.0)
    shown(page, qtbot, 1)
    qtbot.waitUntil(lambda: page.plots.more.count() == 2)
    item = page.plots._model().item(1)
    assert item is not None
    item.setCheckState(Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: "odd/number" in page.plots.cards)


def test_that_curves_are_exported_as_picture_and_table(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    run = finished(root)
    add_scalars(run, range(4))
    shown(page, qtbot, 1)
    qtbot.waitUntil(lambda: "loss" in page.plots.cards)
    page.plots.export_to(root.parent / "c.png")
    assert QImage(str(root.parent / "c.png")).width() > 100
    with qtbot.waitSignal(page.plots.told):
        page.plots.export_to(root.parent / "c.csv")
    rows = list(csv.reader((root.parent / "c.csv").read_text().splitlines()))
    assert rows[0] == ["run", "scalar", "iteration", "minutes", "value"]
    assert rows[-1][:3] == [run.path.name, "train/loss", "3"]
    assert rows[-1][4] == "0.25"


def test_that_the_command_for_tensorboard_is_told(page: TrainPage, root: Path) -> None:
    page.tensorboard.copy.click()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text() == f"tensorboard --logdir {root}"


# ---------------------------------------------------------------------- readiness


def test_that_a_red_line_needs_an_explicit_start_anyway(page: TrainPage, root: Path, qtbot: QtBot) -> None:
    (root.parent / "broken.safetensors").write_bytes(b"no planner")
    page.jobs.choose("finetune")
    page.jobs.form.editor("checkpoint").set_value(Path("broken.safetensors"))
    assert not page.jobs.enqueue.isEnabled()
    box = page.jobs.readiness
    qtbot.waitUntil(lambda: box.judged, timeout=250_000)  # a process that loads torch
    assert [line.level for line in box.lines] == ["bad"]
    assert "broken.safetensors" in box.lines[0].says
    assert not page.jobs.enqueue.isEnabled()
    assert "start anyway" in page.jobs._lacks.text()
    box.anyway.click()
    qtbot.waitUntil(page.jobs.enqueue.isEnabled)
    page.jobs.add()
    shown(page, qtbot, 1)
    assert "--no-require-ready" in QueueDesk(root).store.get(1).arguments


def test_that_a_planner_that_is_still_to_be_made_is_judged_when_its_turn_comes(
    page: TrainPage, root: Path, qtbot: QtBot
) -> None:
    page.runs.enqueue("pretrain", pretrain.Config(Path("x.hdf5")), 0)
    shown(page, qtbot, 1)
    page.jobs.choose("finetune")
    page.jobs.form.editor("checkpoint").set_value(Path("@1"))
    assert [line.level for line in page.jobs.readiness.lines] == ["caution"]
    page.jobs.add()
    shown(page, qtbot, 2)
    assert "--require-ready" in QueueDesk(root).store.get(2).arguments
