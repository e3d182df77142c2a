"""Tables and plots of a comparison, made from its numbers alone."""

import csv
import io
from typing import Any

from core.paired import format_p
from core.statistics import wilson_interval
from trainer.report import charts
from trainer.report.evaluation_page import bar, rate_text, time_text

Numbers = dict[str, Any]

WIDEST = "distance, bearing and heading at 320, 125 and 600 % of the demonstrations' ranges"
POOLED = 3
"""Iterations whose episodes are one point of a curve: those of a single one are too few to tell methods apart."""
HEAD = (
    "planner", "demonstrations", "success [95 %]", "difference to it", "p (exact, Holm)", "task time s (quartiles)",
    "time change", "hands off mm", "fell / missed / dropped / time", "training min",
)  # fmt: skip


def markdown_table(numbers: Numbers) -> str:
    """One row a planner, with what is needed to read it below."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(cells) + " |" for cells in table_rows(numbers)]
    return "\n".join(lines) + "\n\n" + explanation(numbers) + "\n"


def explanation(numbers: Numbers) -> str:
    """How the table is to be read."""
    first, count = numbers["first_seed"], numbers["episodes"]
    seeds = f"{first} to {first + count - 1}"
    if numbers["kind"] == "comparison":
        against = "*Difference to it*: success of DPPO minus that of the row"
    elif numbers["kind"] == "curriculum":
        against = (
            f"All start at the widest ({WIDEST}). *Difference to it*: success with the curriculum minus that of the row"
        )
    else:
        against = "*Difference to it*: success after fine-tuning minus before, with the same demonstrations"
    notes = "".join(f" {row['label']} ended early: {row['note']}." for row in numbers["rows"] if row["note"])
    return (
        f"{count} episodes of {numbers['task']} for each row, the same seeds {seeds}; intervals: Wilson. "
        f"{against}, paired (Newcombe), with the exact McNemar test, adjusted for the number of tests (Holm). "
        "*Time change*: median over the seeds that both solved. *Training*: minutes of pre-training + fine-tuning."
        + notes
    )


def table_rows(numbers: Numbers) -> list[tuple[str, ...]]:
    """The cells."""
    pairs = {pair_row(numbers, pair): pair for pair in numbers["paired"]}
    return [_cells(row, pairs.get(row["key"])) for row in numbers["rows"]]


def pair_row(numbers: Numbers, pair: Numbers) -> str:
    """The row in which a paired test stands: what DPPO is compared with; in a sweep of demonstrations DPPO itself."""
    return pair["first"] if numbers["kind"] == "demonstrations" else pair["second"]


def _cells(row: Numbers, pair: Numbers | None) -> tuple[str, ...]:
    training, failures = row["training"], row["failures"]
    difference = p = change = "-"
    if pair is not None:
        low, high = pair["ci95"]
        difference = f"{100 * pair['difference']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
        p = format_p(pair["p_holm"])
        change = "-" if pair["time_change"] is None else f"{100 * pair['time_change']:+.0f} %"
    minutes = [training.get(name) for name in ("pretrain_minutes", "finetune_minutes")]
    return (
        row["label"],
        str(training.get("demonstrations") or "-"),
        rate_text(row),
        difference,
        p,
        time_text(row),
        change,
        f"{1000 * row['hand_position_error_m']:.1f}",
        " / ".join(str(failures.get(name, 0)) for name in ("fell", "missed", "dropped", "time")),
        " + ".join(f"{value:.0f}" for value in minutes if value is not None) or "-",
    )


def csv_text(numbers: Numbers) -> str:
    """One line a planner, plain numbers in SI units."""
    pairs = {pair_row(numbers, pair): pair for pair in numbers["paired"]}
    lines = [_csv_line(row, pairs.get(row["key"], {})) for row in numbers["rows"]]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _csv_line(row: Numbers, pair: Numbers) -> dict[str, Any]:
    training = row["training"]
    return {
        "key": row["key"],
        "label": row["label"],
        "episodes": row["episodes"],
        "successes": row["successes"],
        "success_rate": row["success_rate"],
        "ci95_low": row["ci95"][0],
        "ci95_high": row["ci95"][1],
        "task_time_s": row["task_time_s"],
        "hand_position_error_m": row["hand_position_error_m"],
        "hand_orientation_error_rad": row["hand_orientation_error_rad"],
        "hand_speed_m_s": row["hand_speed_m_s"],
        "hand_jerk_m_s3": row["hand_jerk_m_s3"],
        **{f"failed_{name}": count for name, count in row["failures"].items() if name != "simulation"},
        "difference": pair.get("difference"),
        "difference_low": pair["ci95"][0] if pair else None,
        "difference_high": pair["ci95"][1] if pair else None,
        "p_value": pair.get("p_value"),
        "p_holm": pair.get("p_holm"),
        "time_change": pair.get("time_change"),
        **{name: training.get(name) for name in ("demonstrations", "steps", "iterations", "pretrain_minutes")},
        "finetune_minutes": training.get("finetune_minutes"),
        "note": row["note"],
    }


def plot(numbers: Numbers) -> str:
    """Bars of the methods (as Fig. 4 of the paper), or success against demonstrations (as Fig. 7). SVG."""
    starts = ", widest starts" if numbers["kind"] == "curriculum" else ""
    title = f"Success, {numbers['task']}{starts}, {numbers['episodes']} episodes each"
    if numbers["kind"] != "demonstrations":
        return charts.success_bars(title, [bar(row["label"], row) for row in numbers["rows"]])
    names = {"dit": "pre-trained", "dppo": "fine-tuned (DPPO)"}
    series: dict[str, list[charts.Point]] = {name: [] for name in names.values()}
    for row in numbers["rows"]:
        count = float(row["key"].rpartition("-")[2])
        series[names[row["method"]]].append(charts.Point(count, row["success_rate"], *row["ci95"]))
    return charts.curves(title, "demonstrations", {name: points for name, points in series.items() if points})


def learning_plots(numbers: Numbers) -> dict[str, str]:
    """Name -> SVG: success of every fine-tuned row while it explored, by iteration (Figs. 5 and 6 of the paper); in a
    sweep of the curriculum also how wide the starts were."""
    histories = {row["label"]: row["training"].get("history") for row in numbers["rows"]}
    learned = {label: history for label, history in histories.items() if history}
    if not learned:
        return {}
    success = {label: _success_points(history) for label, history in learned.items()}
    title = f"Success while exploring, {POOLED} iterations together"
    plots = {"learning": charts.curves(title, "iteration", success, linear=True)}
    if numbers["kind"] == "curriculum":
        width = {label: [_share_point(i, entry) for i, entry in enumerate(h, 1)] for label, h in learned.items()}
        title = "Starts: 0 % as in the demonstrations, 100 % the widest"
        plots["starts"] = charts.curves(title, "iteration", width, linear=True)
    return plots


def _success_points(history: list[Numbers]) -> list[charts.Point]:
    """One an iteration, with those before it."""
    points = []
    for last in range(1, len(history) + 1):
        window = history[max(0, last - POOLED) : last]
        rate = wilson_interval(*(sum(entry[name] for entry in window) for name in ("successes", "episodes")))
        points.append(charts.Point(float(last), rate.rate, rate.low, rate.high))
    return points


def _share_point(iteration: int, entry: Numbers) -> charts.Point:
    share = entry["start_share"]
    return charts.Point(float(iteration), share, share, share)
