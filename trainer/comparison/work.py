"""Does the steps of a comparison one after the other; what is done is found in its run folder and not done again."""

import json
import statistics
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from core.data.dataset import Dataset
from core.data.windows import choose_episodes
from core.policy.checkpoint import planner_layout
from core.policy.layout import PlannerLayout
from core.tasks.catalogue import make_task
from trainer.comparison.facts import TRAINING_FILE, check_given
from trainer.comparison.plan import Plan, Step, make_plan, rows_of, step_config
from trainer.compute import pick_device
from trainer.jobs import evaluate, finetune, pretrain
from trainer.jobs.compare import Config
from trainer.planner_files import PLANNER_FILE, planner_path
from trainer.progress import format_duration
from trainer.runs import Run, list_runs

COLLAPSED = ("CollapseError", "FloatingPointError")
"""How a fine-tuning fails that still leaves its best planner: that is a result, not a mistake."""


def compare_job(config: Config, run: Run, stop_requested: Callable[[], bool]) -> bool:
    """Do what is missing, then write tables, plot and page. Returns whether everything is done."""
    from trainer.comparison.outputs import write_outputs

    plan = make_plan(config)
    if not Work(config, run, plan).run(stop_requested):
        return False
    write_outputs(config, run, plan)
    return True


def check_inputs(config: Config) -> None:
    """Before there is a run folder: whether planners that are given are of this task and made as their rows say, and
    whether there are enough demonstrations. Raises ValueError, CheckpointError or DatasetError."""
    plan = make_plan(config)
    pick_device(config.device)
    task = PlannerLayout.of_task(make_task(config.task, 1))
    for row in rows_of(config):
        if row.key in plan.given:
            path = plan.given[row.key]
            planner_layout(planner_path(path)).check_fits(task, f"task {config.task!r} ({path})")
            check_given(row, path)
    needed = [step.row.demonstrations for step in plan.steps if step.kind == "pretrain"]
    if needed and config.dataset is not None:
        successes_only = pretrain.PRESETS[config.pretrain_preset].successes_only
        choose_episodes(Dataset(config.dataset), max(needed), successes_only)


class Work:
    """The steps, and where they stand."""

    def __init__(self, config: Config, run: Run, plan: Plan) -> None:
        self.config = config
        self.run_folder = run
        self.plan = plan

    def run(self, stop_requested: Callable[[], bool]) -> bool:
        """Do what is missing. Returns whether everything is done."""
        for number, step in enumerate(self.plan.steps):
            if finished_run(self.run_folder.path, step) is not None:
                continue
            self._tell(number, step)
            if stop_requested():
                return False
            if not self._do(step):
                return False
        self.run_folder.event("progress", done=len(self.plan.steps), total=len(self.plan.steps), text="")
        return True

    def _tell(self, number: int, step: Step) -> None:
        total, left = len(self.plan.steps), self.time_left()
        print(f"\n[{number + 1}/{total}] {step.title}   {left}", flush=True)
        self.run_folder.event("progress", done=number, total=total, text=f"{step.title}; {left}")
        self.run_folder.heartbeat()

    def time_left(self) -> str:
        """From what finished steps of the same kind took; a kind of which none is finished is not counted."""
        finished = [(step, finished_run(self.run_folder.path, step)) for step in self.plan.steps]
        todo = [step.kind for step, run in finished if run is None]
        spent: dict[str, list[float]] = {}
        for step, run in finished:
            if run is not None:
                spent.setdefault(step.kind, []).append(seconds_of(run))
        known = [statistics.fmean(spent[kind]) for kind in todo if kind in spent]
        if not known:
            return "time left not known yet"
        more = "more than " if len(known) < len(todo) else "about "
        return f"{more}{format_duration(sum(known))} left"

    def _do(self, step: Step) -> bool:
        """Run the job of a step, from where it stopped when it was begun. Returns whether it is done."""
        folder = step_folder(self.run_folder.path, step)
        begun = resumable_run(folder, step)
        found = {key: planner_of(self.run_folder.path, self.plan, key) for key in self._keys()}
        planners = {key: path for key, path in found.items() if path is not None}
        job = {"pretrain": pretrain, "finetune": finetune, "evaluate": evaluate}[step.kind]
        config: Any = step_config(self.config, step, planners, folder)
        if begun is not None:
            config = type(config)(resume=begun)
        job.main(config)
        return finished_run(self.run_folder.path, step) is not None

    def _keys(self) -> set[str]:
        """Rows of the table, and rows that others begin with."""
        return {step.row.key for step in self.plan.steps} | self.plan.given.keys()


def planner_of(root: Path, plan: Plan, key: str) -> Path | None:
    """The planner of a row, None while there is none."""
    if key in plan.given:
        return plan.given[key]
    for step in plan.steps:
        if step.row.key == key and step.kind != "evaluate":
            run = finished_run(root, step)
            return None if run is None else run.path
    return None


def step_folder(root: Path, step: Step) -> Path:
    """Where the run folders of a step are; more than one when it had to begin anew."""
    return root / "steps" / step.key


def finished_run(root: Path, step: Step) -> Run | None:
    """The run folder in which a step was completed."""
    for run in reversed(list_runs(step_folder(root, step))):
        status = run.read_status()
        if step.kind == "finetune" and collapse(run) and (run.path / PLANNER_FILE).is_file():
            return run
        if status.state == "finished" and (run.path / _product(step)).is_file():
            return run
    return None


def seconds_of(run: Run) -> float:
    """From the beginning of a run to its last sign of life."""
    return run.read_status().heartbeat_s - datetime.fromisoformat(run.info().created).timestamp()


def _product(step: Step) -> str:
    return "evaluation.json" if step.kind == "evaluate" else PLANNER_FILE


def collapse(run: Run) -> str:
    """Why a fine-tuning ended before its time, '' when it did not."""
    status = run.read_status()
    return status.message if status.state == "failed" and status.message.startswith(COLLAPSED) else ""


def resumable_run(folder: Path, step: Step) -> Path | None:
    """A training of this step that was stopped or killed, with a state to go on from."""
    if step.kind == "evaluate":
        return None
    for run in reversed(list_runs(folder)):
        if run.read_status().state in ("stopped", "killed") and (run.path / TRAINING_FILE).is_file():
            return run.path
    return None


def evaluation_of(root: Path, step: Step) -> dict[str, Any]:
    """What an evaluation step found. It must be finished."""
    run = finished_run(root, step)
    assert run is not None, step.key
    return json.loads((run.path / "evaluation.json").read_text())
