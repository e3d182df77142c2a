"""Whether a planner is ready to be fine-tuned: what speaks for and against it, and what to do about it.

DPPO learns from a sparse reward alone. Where hardly an episode succeeds, no decision can be told from another; where
nearly all succeed, there is next to nothing left to learn.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.checks import Line
from core.data.check import check
from core.data.dataset import Dataset
from core.data.errors import DatasetError
from core.policy.checkpoint import PlannerCheckpoint, load_planner
from core.policy.chunks import ChunkPlayer
from core.policy.layout import LayoutError, PlannerLayout
from core.rl.checkpoint import CheckpointError
from core.statistics import wilson_interval
from core.tasks.start_scale import PRETRAINING, start_share
from trainer.jobs.finetune import Config
from trainer.planner_files import planner_path
from trainer.policy_evaluation import build_task
from trainer.runs import RunError, list_runs
from trainer.tuned_chain import make_chain

GOOD_SUCCESS = (0.20, 0.85)
"""Success before, in which fine-tuning works: the paper starts from 50 to 70 %; below 20 % a batch of 64 episodes holds
a dozen successes, which one iteration to the next hardly repeats; above 85 % what is left is within the interval."""
LEAST_SUCCESS = 0.05
"""Below it an iteration hardly holds a success to learn from."""
ENOUGH_EPISODES = 50
"""Fewer say little: the 95 % interval of 60 % of 50 episodes is 46 to 72 %."""


@dataclass(frozen=True)
class Measured:
    """A success rate and where it is from."""

    successes: int
    episodes: int
    origin: str


def inspect(config: Config) -> tuple[Line, ...]:
    """Everything that speaks for or against fine-tuning with this config, the planner first."""
    if config.checkpoint is None:
        return (Line("bad", "planner", "none is chosen", "choose a pre-trained planner, or a run that holds one"),)
    path = planner_path(config.checkpoint)
    try:
        stored = load_planner(path)
    except (CheckpointError, OSError) as error:
        return (Line("bad", "planner", str(error), "choose a pre-trained planner, or a run that holds one"),)
    return (
        _planner_line(config, stored),
        _task_line(config, stored),
        _success_line(config, path, stored),
        _data_line(stored.training),
    )


def check_inputs(config: Config) -> None:
    """Before there is a run folder of finetune. Raises ValueError or CheckpointError for what cannot be fine-tuned."""
    if config.checkpoint is None:
        raise ValueError("a planner is needed: --checkpoint PATH (or --resume RUN to go on with a stopped run)")
    stored = load_planner(planner_path(config.checkpoint))
    chain, played = make_chain(stored, config)
    task = build_task(stored.planner.layout.task, 1, start_share(config.start_scale))
    stored.planner.layout.check_fits(PlannerLayout.of_task(task), "the task of today")
    ChunkPlayer(chain.planner, task, played.executed_steps)
    if config.require_ready:
        require_ready(config)


def require_ready(config: Config) -> None:
    """Raises ValueError with what speaks against fine-tuning and what to do about it."""
    against = [f"{line.what}: {line.says}; {line.remedy}" for line in inspect(config) if line.level == "bad"]
    if against:
        raise ValueError(f"not ready to be fine-tuned. {' '.join(against)} (--no-require-ready starts anyway)")


def _planner_line(config: Config, stored: PlannerCheckpoint) -> Line:
    kind = f"{stored.config.kind}, {stored.config.denoising_steps} denoising steps"
    try:
        make_chain(stored, config)
    except ValueError as error:
        return Line("bad", "planner", str(error), "choose another method or another planner")
    if config.from_scratch:
        return Line("good", "planner", f"{kind}; gives sizes and normalisers only (from_scratch)")
    if stored.tuned_steps:
        return Line("caution", "planner", f"{kind}; was fine-tuned before", "fine: its fine-tuning goes on from there")
    return Line("good", "planner", f"{kind}; {config.method} can fine-tune it")


def _success_line(config: Config, path: Path, stored: PlannerCheckpoint) -> Line:
    """Of what is fine-tuned: the planner as it was measured, or random weights."""
    if config.from_scratch:
        says = "the weights will be random (from_scratch): hardly any episode will succeed"
        remedy = "leave from_scratch out, unless you want to show what pre-training is worth"
        return Line("bad", "success before", says, remedy)
    share = start_share(config.start_scale)
    return success_line(measured_success(path, stored.training, config.runs, share), config.worlds)


def _task_line(config: Config, stored: PlannerCheckpoint) -> Line:
    layout = stored.planner.layout
    try:
        layout.check_fits(
            PlannerLayout.of_task(build_task(layout.task, 1, start_share(config.start_scale))), "the task of today"
        )
    except (LayoutError, ValueError) as error:
        return Line("bad", "task", str(error), "pre-train a planner with this version of the program")
    return Line("good", "task", f"{layout.task}, {layout.observation_size} observed values: fits")


def measured_success(planner: Path, training: dict[str, Any], runs: Path, share: float = 0.0) -> Measured | None:
    """The evaluation of this planner on these starts with the most episodes; else the last one of its own training."""
    packed = training.get("evaluation")
    found = [*_evaluated(planner, runs, share), *(_reported(packed, "packed with it", share) if packed else ())]
    if found:
        return max(found, key=lambda measured: measured.episodes)
    own = training.get("evaluations") or []
    if own and own[-1].get("start_share", 0.0) == share:
        last = own[-1]
        return Measured(round(last["success_rate"] * last["episodes"]), last["episodes"], "the end of its training")
    return None


def _evaluated(planner: Path, runs: Path, share: float) -> Iterator[Measured]:
    for run in list_runs(runs):
        path = run.path / "evaluation.json"
        try:
            if run.info().job != "evaluate" or path.stat().st_mtime < planner.stat().st_mtime:
                continue  # another job, or an evaluation of what the planner was before
            report = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RunError):
            continue
        if _same_file(report.get("checkpoint"), planner):
            yield from _reported(report, run.path.name, share)


def _reported(report: dict[str, Any], origin: str, share: float) -> Iterator[Measured]:
    """What an evaluation says, if it was of these starts."""
    scale = report.get("config", {}).get("start_scale", PRETRAINING)
    if start_share(scale) == share and report.get("episodes"):
        yield Measured(round(report["success_rate"] * report["episodes"]), report["episodes"], origin)


def _same_file(name: Any, path: Path) -> bool:
    return isinstance(name, str) and Path(name).resolve() == path.resolve()


def success_line(measured: Measured | None, worlds: int) -> Line:
    """Whether success before lies in the range in which a sparse reward teaches."""
    if measured is None:
        remedy = "evaluate the planner (100 episodes or more) before it is fine-tuned"
        return Line("caution", "success before", "was never measured", remedy)
    p = wilson_interval(measured.successes, measured.episodes)
    says = f"{p} ({measured.origin}); works between {GOOD_SUCCESS[0]:.0%} and {GOOD_SUCCESS[1]:.0%}"
    few = f"{worlds} worlds give about {p.rate * worlds:.0f} successes an iteration"
    if p.rate < LEAST_SUCCESS:
        remedy = f"{few}: a sparse reward teaches nothing; more demonstrations or a longer pre-training first"
        return Line("bad", "success before", says, remedy)
    if p.rate < GOOD_SUCCESS[0]:
        return Line("caution", "success before", says, f"{few}; more worlds or more demonstrations make it likelier")
    if p.rate > GOOD_SUCCESS[1]:
        remedy = "little is left to learn: widen the starts (start_scale, curriculum), or keep the planner as it is"
        return Line("caution", "success before", says, remedy)
    if measured.episodes < ENOUGH_EPISODES:
        return Line("caution", "success before", says, f"{ENOUGH_EPISODES} episodes or more say it with less doubt")
    return Line("good", "success before", says)


def _data_line(training: dict[str, Any]) -> Line:
    """The data set that the planner learned from, looked at again."""
    while "before" in training:
        training = training["before"]
    name = training.get("data", {}).get("dataset")
    if name is None:
        return Line("caution", "data", "the planner does not say what it learned from", "nothing, if you know its data")
    if not Path(name).exists():
        return Line("caution", "data", f"{name} is not here any more", "nothing, if it was checked before")
    try:
        findings = check(Dataset(Path(name)))
    except DatasetError as error:
        return Line("bad", "data", str(error), f"refine-dp dataset check {name}")
    errors = sum(finding.level == "error" for finding in findings)
    if errors:
        return Line("bad", "data", f"{name} has {errors} errors", f"refine-dp dataset check {name} lists them")
    warnings = len(findings)
    if warnings:
        says = f"{name}: no errors, {warnings} warnings"
        return Line("caution", "data", says, f"refine-dp dataset check {name} lists them")
    return Line("good", "data", f"{name}: checked, nothing found")
