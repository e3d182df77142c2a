"""The result of a comparison: from the evaluations of its rows to numbers (JSON), table, plot and page."""

import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.paired import compare_paired, holm
from trainer.comparison.facts import training_facts
from trainer.comparison.plan import Plan, Row, Step
from trainer.comparison.tables import csv_text, markdown_table, plot
from trainer.comparison.work import collapse, evaluation_of, planner_of
from trainer.jobs.compare import Config
from trainer.policy_evaluation import write_report
from trainer.runs import Run, code_version, write_atomically
from trainer.typed_json import to_json

NUMBERS_FILE = "comparison.json"
KINDS = {"none": "comparison", "demonstrations": "demonstrations", "curriculum": "curriculum"}
"""Sweep -> what the numbers are called in their file."""
COPIED = (
    "success_rate", "ci95", "episodes", "successes", "task_time_s", "task_time_quartiles_s", "hand_position_error_m",
    "hand_orientation_error_rad", "hand_speed_m_s", "hand_jerk_m_s3", "failures", "executed_steps", "tuned_steps",
)  # fmt: skip
"""Numbers of an evaluation that a row shows."""


def write_outputs(config: Config, run: Run, plan: Plan) -> None:
    """Everything that a finished comparison leaves behind."""
    numbers = comparison_numbers(config, run, plan)
    write_report(run.path / NUMBERS_FILE, numbers)
    if config.json is not None:
        config.json.parent.mkdir(parents=True, exist_ok=True)
        write_report(config.json, numbers)
    write_tables(numbers, run.path, config.report)


def rebuild(path: Path, report: Path | None) -> None:
    """Tables, plot and page again from the numbers. Raises ValueError when the file holds something else."""
    path = path / NUMBERS_FILE if path.is_dir() else path
    numbers = json.loads(path.read_text())
    if not isinstance(numbers, dict) or numbers.get("kind") not in KINDS.values():
        raise ValueError(f"{path} is no result of refine-dp compare: give {NUMBERS_FILE} of its run folder")
    write_tables(numbers, path.parent, report)


def write_tables(numbers: dict[str, Any], folder: Path, report: Path | None) -> None:
    """table.md, table.csv, success.svg, report.html beside the numbers; the page once more where it is asked for."""
    from trainer.report.comparison_page import comparison_page

    table, page = markdown_table(numbers), comparison_page(numbers)
    files = {"table.md": table, "table.csv": csv_text(numbers), "success.svg": plot(numbers), "report.html": page}
    for name, content in files.items():
        write_atomically(folder / name, content)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(report, page)
    print(f"\n{table}\n{', '.join(str(folder / name) for name in files)}")


def comparison_numbers(config: Config, run: Run, plan: Plan) -> dict[str, Any]:
    """All numbers as JSON."""
    evaluations = {row.key: evaluation_of(run.path, Step("evaluate", row)) for row in plan.rows}
    rows = [row_numbers(row, evaluations[row.key], run.path, plan) for row in plan.rows]
    return to_json(
        {
            "kind": KINDS[config.sweep],
            "version": 1,
            "task": config.task,
            "episodes": config.episodes,
            "first_seed": config.seed,
            "rows": rows,
            "paired": paired_numbers(plan, evaluations),
            "created": run.info().created,
            "code": code_version(),
            "config": config,
        }
    )


def row_numbers(row: Row, evaluation: dict[str, Any], root: Path, plan: Plan) -> dict[str, Any]:
    """One planner: how it was measured, and what it cost."""
    folder = planner_of(root, plan, row.key)
    return {
        "key": row.key,
        "label": row.label,
        "method": row.method,
        "given": row.key in plan.given,
        **{name: evaluation[name] for name in COPIED},
        "training": training_facts(evaluation["training"], folder),
        "note": _collapse_note(folder),
        "outcomes": "".join("1" if result["success"] else "0" for result in evaluation["results"]),
    }


def _collapse_note(folder: Path | None) -> str:
    """Why the fine-tuning of a planner ended before its time; also of one that was given as a run folder."""
    return collapse(Run.open(folder)) if folder is not None and (folder / "run.json").is_file() else ""


def paired_numbers(plan: Plan, evaluations: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """DPPO (the curriculum) against every other row; in the sweep of demonstrations, after against before."""
    keys = pairs_of(plan)
    tests = [compare_paired(*([r["success"] for r in evaluations[key]["results"]] for key in pair)) for pair in keys]
    adjusted = holm([test.p_value for test in tests])
    return [
        {
            "first": pair[0],
            "second": pair[1],
            **asdict(test),
            "p_holm": p,
            "time_change": time_change(*(evaluations[key]["results"] for key in pair)),
        }
        for pair, test, p in zip(keys, tests, adjusted)
    ]


def pairs_of(plan: Plan) -> list[tuple[str, str]]:
    """Keys of the rows that are compared."""
    keys = [row.key for row in plan.rows]
    for first in ("dppo", "led"):
        if first in keys:
            return [(first, key) for key in keys if key != first]
    return [(row.key, row.base) for row in plan.rows if row.base in keys]


def time_change(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> float | None:
    """Median change of the task time over the seeds that both solved: -0.15 is 15 % faster; None without one."""
    ratios = [a["duration_s"] / b["duration_s"] for a, b in zip(first, second) if a["success"] and b["success"]]
    return statistics.median(ratios) - 1.0 if ratios else None
