"""The job of `refine-dp evaluate`: one planner or two on the same seeds, to the end or until a question is decided."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from core.paired import compare_paired
from core.sequential import SequentialTest, anytime_interval, difference_of, paired_value
from core.tasks.base import Task
from core.tasks.start_scale import start_share
from trainer.episode_meter import EpisodeResult
from trainer.evaluation import Evaluation, EvaluationRun, Evaluator
from trainer.jobs.evaluate import Config
from trainer.policy_evaluation import (
    build_evaluator,
    build_task,
    describe,
    describe_starts,
    load_source,
    tell_progress,
    write_report,
)
from trainer.progress import EpisodeProgress
from trainer.report.clips import ClipRecorder
from trainer.runs import Run, code_version, write_atomically
from trainer.typed_json import to_json

WILSON = "Wilson, 95 %"
ANYTIME = "valid at any time, 95 %: betting (Waudby-Smith and Ramdas, 2024)"


@dataclass
class Side:
    """One of the planners."""

    label: str
    facts: dict[str, Any]
    evaluator: Evaluator
    run: EvaluationRun
    clips: ClipRecorder

    @property
    def task(self) -> Task:
        """What it does."""
        return self.evaluator.task


class Question:
    """What a sequential evaluation asks; looks only at first seeds that have all ended, in their order."""

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        self.paired = config.against is not None
        self.labels = labels
        self.threshold = 0.5 if config.threshold is None else config.threshold
        self.test = SequentialTest(0.5 if self.paired else self.threshold, config.alpha)
        self._seen = 0

    def look(self, sides: Sequence[Side]) -> None:
        """Take in what has become known."""
        rows = list(zip(*(side.run.prefix() for side in sides)))
        for row in rows[self._seen :]:
            outcomes = [result.success for result in row]
            self.test.add(paired_value(*outcomes) if self.paired else float(outcomes[0]))
        self._seen = len(rows)

    def answer(self) -> dict[str, Any]:
        """For the report."""
        low, high = self.test.interval()
        return {
            "question": self._question(),
            "verdict": self.test.verdict,
            "answer": self._answer(),
            "alpha": self.test.alpha,
            "episodes": self.test.count,
            "interval": [difference_of(low), difference_of(high)] if self.paired else [low, high],
            "method": "betting, Ville's inequality (Waudby-Smith and Ramdas, 2024)",
        }

    def _question(self) -> str:
        if self.paired:
            return f"Which is better, {self.labels[0]} or {self.labels[1]}?"
        return f"Does {self.labels[0]} succeed in more than {100 * self.threshold:g} %?"

    def _answer(self) -> str:
        if self.test.verdict == "undecided":
            return "not decided"
        first = self.test.verdict == "above"
        if self.paired:
            return f"{self.labels[0 if first else 1]} is better"
        return f"yes, above {100 * self.threshold:g} %" if first else f"no, below {100 * self.threshold:g} %"


def check_inputs(config: Config) -> None:
    """Before there is a run folder. Raises ValueError or CheckpointError for planners that cannot be measured."""
    task = build_task(config.task, 1, start_share(config.start_scale))
    for path in planners_of(config):
        load_source(_config_of(config, path), task)
    for output in (config.json, config.report):
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before the work


def planners_of(config: Config) -> tuple[Path | None, ...]:
    """Files or run folders of one planner or two; None is the heuristic."""
    return (config.checkpoint,) if config.against is None else (config.checkpoint, config.against)


def evaluate_job(config: Config, run: Run, stop_requested: Callable[[], bool]) -> bool:
    """Run the episodes, print and write the result. Returns whether all were run, or the question was decided."""
    started_s = time.monotonic()
    sides = open_sides(config)
    question = Question(config, [side.label for side in sides]) if config.until_decided else None
    try:
        _run(config, run, sides, question, stop_requested)
    finally:
        for side in sides:
            side.evaluator.backend.close()
    results = [finished_results(side, sides, question) for side in sides]
    if not results[0]:
        print("stopped before the first seed was decided: nothing to report")
        return False
    report = make_report(config, sides, results, question)
    report["wall_s"] = time.monotonic() - started_s
    _write(config, run, report)
    tell(report, results, question)
    if question is None and len(results[0]) < config.episodes:
        print(f"stopped: only the first {len(results[0])} seeds count; later ones that ended were the fast ones")
    if config.report is not None:
        write_page(config.report, report, sides)
    return (question is not None and question.test.decided) or len(results[0]) == config.episodes


def open_sides(config: Config) -> list[Side]:
    """The planners, each in worlds of its own."""
    paths = planners_of(config)
    names = _labels(paths)
    return [open_side(_config_of(config, path), name) for path, name in zip(paths, names)]


def _config_of(config: Config, path: Path | None) -> Config:
    """Of one of the planners; what is said about the heuristic is not about a stored one."""
    return replace(config, checkpoint=path, press_m=config.press_m if path is None else None)


def _labels(paths: Sequence[Path | None]) -> list[str]:
    """Folder or file of each planner; told apart by letters when they are the same."""
    names = ["heuristic" if path is None else _label(path) for path in paths]
    same = len(set(names)) < len(names)
    return [f"{letter}: {name}" for letter, name in zip("AB", names)] if same else names


def _label(path: Path) -> str:
    path = path.resolve()
    return path.name if path.is_dir() else f"{path.parent.name}/{path.stem}"


def open_side(config: Config, label: str) -> Side:
    """A planner with task, simulator and the episodes that it shall do."""
    task = build_task(config.task, min(config.worlds, config.episodes), start_share(config.start_scale))
    source, facts = load_source(config, task)
    facts |= describe_starts(task, config.start_scale)
    evaluator = build_evaluator(task, config.backend, config.controller, config.safety)
    clips = ClipRecorder(task.time_limit_s)
    observers = (clips,) if config.report is not None else ()
    seeds = range(config.seed, config.seed + config.episodes)
    return Side(label, facts, evaluator, evaluator.begin(source, seeds, observers), clips)


def _run(
    config: Config, run: Run, sides: Sequence[Side], question: Question | None, stop_requested: Callable[[], bool]
) -> None:
    """Step the planner that is behind, until all is done, decided or stopped."""
    title = "evaluate " + " against ".join(side.facts["source"] for side in sides)
    known = 0
    run.event("progress", done=0, total=config.episodes * len(sides), text="")  # the time left counts from here
    with EpisodeProgress(title, config.episodes * len(sides)) as progress:
        while not stop_requested() and not all(side.run.complete for side in sides):
            behind = min((s for s in sides if not s.run.complete), key=lambda s: len(s.run.results))
            behind.run.step()
            ended = [result for side in sides for result in side.run.results]
            if len(ended) > known or behind.run.ticks % 50 == 0:
                tell_progress(progress, run, ended)
            if len(ended) > known and question is not None:
                question.look(sides)
                if question.test.decided:
                    return
            known = len(ended)


def finished_results(side: Side, sides: Sequence[Side], question: Question | None = None) -> list[EpisodeResult]:
    """The episodes that count: the first seeds that ended for every planner; those that were asked about if it asks."""
    count = min(len(s.run.prefix()) for s in sides) if question is None else question.test.count
    return side.run.prefix()[:count]


def make_report(
    config: Config, sides: Sequence[Side], results: Sequence[Sequence[EpisodeResult]], question: Question | None
) -> dict[str, Any]:
    """Everything as JSON."""
    reports = [side_report(side, rows, question is not None) for side, rows in zip(sides, results)]
    report = {
        "kind": "evaluation",
        **reports[0],
        "requested_episodes": config.episodes,
        "first_seed": config.seed,
        "interval": WILSON if question is None else ANYTIME,
        "code": to_json(code_version()),
        "config": to_json(config),
    }
    if len(sides) == 2:
        report["against"] = reports[1]
    if len(sides) == 2 and question is None:  # the p value holds for a number of episodes that was fixed before
        outcomes = [[result.success for result in rows] for rows in results]
        report["comparison"] = asdict(compare_paired(*outcomes))
    if question is not None:
        report["decision"] = question.answer()
    return to_json(report)


def side_report(side: Side, results: Sequence[EpisodeResult], anytime: bool) -> dict[str, Any]:
    """Numbers of one planner; with an interval that may be stopped at when it was."""
    evaluation = asdict(Evaluation.of(results))
    if anytime:
        successes = evaluation["successes"]
        evaluation["ci95"] = anytime_interval({1.0: successes, 0.0: len(results) - successes})
    return {"label": side.label, **evaluation, **side.facts, "results": [asdict(result) for result in results]}


def _write(config: Config, run: Run, report: dict[str, Any]) -> None:
    write_report(run.path / "evaluation.json", report)
    if config.json is not None:
        write_report(config.json, report)
    left_out = {"results", "config", "against", "failed_seeds", "planner", "training", "kind", "code"}
    run.event("evaluation", **{key: value for key, value in report.items() if key not in left_out})


def tell(report: dict[str, Any], results: Sequence[Sequence[EpisodeResult]], question: Question | None) -> None:
    """Print the result."""
    from trainer.report.evaluation_page import comparison_words, decision_words, planners, rate_text

    for rows, (label, side) in zip(results, planners(report).items()):
        print(
            f"{label}: " + describe(Evaluation.of(rows)) if question is None else f"{label}: success {rate_text(side)}"
        )
    if "comparison" in report:
        print(comparison_words(report["comparison"]))
    if "decision" in report:
        print(decision_words(report["decision"]))


def write_page(path: Path, report: dict[str, Any], sides: Sequence[Side]) -> None:
    """The report as one HTML file, with a film of a success and of a failure of each planner."""
    from trainer.report.evaluation_page import evaluation_page
    from trainer.report.film import draw

    films = {}
    for side in sides:
        clips = [side.clips.clips[outcome] for outcome in (True, False) if outcome in side.clips.clips]
        films[side.label] = [draw(clip, side.task.scene()) for clip in clips]
        for item in films[side.label]:
            if isinstance(item, str):
                print(item)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, evaluation_page(report, films))
    print(f"report {path}")
