"""The report of `refine-dp evaluate`: one planner, or two on the same seeds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from core.paired import format_p
from trainer.failures import MEANING
from trainer.report import charts, page
from trainer.report.film import Film

Report = dict[str, Any]


def evaluation_page(report: Report, films: Mapping[str, Sequence[Film | str]]) -> str:
    """The page of a report as `evaluate` writes it (JSON); `films`: label of a planner -> films, or why there are none.

    Everything but the films is in the JSON.
    """
    sides = planners(report)
    first = report["first_seed"]
    subtitle = (
        f"task {report['config']['task']}, {report['episodes']} episodes, seeds {first} to "
        f"{first + report['episodes'] - 1}; {page.code_words(report['code'])}"
    )
    sections = [_headline(report, sides), _numbers(sides), _plots(sides)]
    sections += [page.section(f"Seen: {label}", *map(page.film, items)) for label, items in films.items() if items]
    sections.append(_settings(report))
    return page.page("Evaluation: " + " against ".join(sides), subtitle, sections)


def planners(report: Report) -> dict[str, Report]:
    """Label -> numbers of each planner in a report."""
    sides = {report["label"]: report}
    if "against" in report:
        sides[report["against"]["label"]] = report["against"]
    return sides


def rate_text(side: Report) -> str:
    """Success with its interval."""
    low, high = side["ci95"]
    return f"{100 * side['success_rate']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def bar(label: str, side: Report) -> charts.Bar:
    """For the bar plot."""
    return charts.Bar(label, side["success_rate"], *side["ci95"])


def start_points(results: Sequence[Report]) -> list[tuple[float, float, bool]]:
    """Where robots began, x and y in the object's frame, and whether they succeeded."""
    starts = [(result["start"], result["success"]) for result in results if result.get("start")]
    return [(-d * math.cos(bearing), -d * math.sin(bearing), success) for (d, bearing, _), success in starts]


def _headline(report: Report, sides: dict[str, Report]) -> str:
    lines = [f"<p><span class='big'>{rate_text(side)}</span> {label}</p>" for label, side in sides.items()]
    lines.append(f"<p>Intervals: {report['interval']}.</p>")
    if "comparison" in report:
        lines.append(page.note(comparison_words(report["comparison"])))
    if "decision" in report:
        lines.append(page.note(decision_words(report["decision"])))
    return "".join(lines)


def comparison_words(comparison: Report) -> str:
    """The paired comparison in a sentence."""
    low, high = comparison["ci95"]
    return (
        f"Difference on the same seeds: {100 * comparison['difference']:+.1f} points [{100 * low:+.1f}, "
        f"{100 * high:+.1f}]; {comparison['only_first']} seeds only the first solved, {comparison['only_second']} only "
        f"the second; exact McNemar test p = {format_p(comparison['p_value'])}."
    )


def decision_words(decision: Report) -> str:
    """The answer of a sequential evaluation in a sentence."""
    return (
        f"{decision['question']}: {decision['answer']} after {decision['episodes']} episodes "
        f"(a wrong answer has a probability of at most {decision['alpha']:g}, however often one looks: "
        f"{decision['method']})."
    )


def _numbers(sides: dict[str, Report]) -> str:
    rows = [_number_row(label, side) for label, side in sides.items()]
    head = ("planner", "success", "task time s (quartiles)", "hands off mm", "hands off deg", "speed m/s", "jerk m/s³")
    return page.section("Numbers", page.table(head, rows))


def _number_row(label: str, side: Report) -> tuple[str, ...]:
    return (
        label,
        rate_text(side),
        time_text(side),
        f"{1000 * side['hand_position_error_m']:.1f}",
        f"{math.degrees(side['hand_orientation_error_rad']):.2f}",
        f"{side['hand_speed_m_s']:.3f}",
        f"{side['hand_jerk_m_s3']:.1f}",
    )


def time_text(side: Report) -> str:
    """Median task time with its quartiles; '-' without a success."""
    if side["task_time_s"] is None:
        return "-"
    _, q1, median, q3, _ = side["task_time_quartiles_s"]
    return f"{median:.1f} ({q1:.1f} to {q3:.1f})"


def _plots(sides: dict[str, Report]) -> str:
    times = {label: [r["duration_s"] for r in s["results"] if r["success"]] for label, s in sides.items()}
    position = {label: [1000 * r["hand_position_error_m"] for r in s["results"]] for label, s in sides.items()}
    turn = {label: [math.degrees(r["hand_orientation_error_rad"]) for r in s["results"]] for label, s in sides.items()}
    maps = [
        charts.start_map(f"Where episodes began: {label}", start_points(s["results"])) for label, s in sides.items()
    ]
    plots = page.charts(
        charts.success_bars("Success", [bar(label, side) for label, side in sides.items()]),
        charts.count_bars("Failures", {label: side["failures"] for label, side in sides.items()}),
        charts.histogram("Task time of successes", "s", times),
        charts.histogram("Hands off their command: position", "mm, mean of an episode", position),
        charts.histogram("Hands off their command: orientation", "degrees, mean of an episode", turn),
        *maps,
    )
    words = "; ".join(f"{name}: {meaning}" for name, meaning in MEANING.items())
    return page.section("Plots", plots, f"<p class='sub'>{words}.</p>")


def _settings(report: Report) -> str:
    seeds = [result["seed"] for result in report["results"]]
    shown = {
        "config": report["config"],
        "code": report["code"],
        "seeds": f"{seeds[0]} .. {seeds[-1]} ({len(seeds)}, every one once)",
        "wall_s": round(report["wall_s"], 1),
    }
    for label, side in planners(report).items():
        facts = {
            name: side[name] for name in ("checkpoint", "planner", "executed_steps", "tuned_steps") if name in side
        }
        shown[label] = facts
    return page.section("Settings", page.data(shown))
