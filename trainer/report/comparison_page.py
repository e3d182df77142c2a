"""The page of `refine-dp compare`."""

import math
from typing import Any

from trainer.comparison.tables import HEAD, explanation, learning_plots, plot, table_rows
from trainer.failures import MEANING
from trainer.report import charts, page

WHAT = {
    "comparison": "methods",
    "demonstrations": "numbers of demonstrations",
    "curriculum": "ways to starts that no demonstration saw",
}
"""Kind of the numbers -> what is compared."""


def comparison_page(numbers: dict[str, Any]) -> str:
    """Table, plots and settings of a comparison as one HTML file."""
    rows = numbers["rows"]
    what = WHAT[numbers["kind"]]
    subtitle = f"run {numbers['created']}; {page.code_words(numbers['code'])}"
    motion = [
        (
            row["label"],
            f"{1000 * row['hand_position_error_m']:.1f}",
            f"{math.degrees(row['hand_orientation_error_rad']):.2f}",
            f"{row['hand_speed_m_s']:.3f}",
            f"{row['hand_jerk_m_s3']:.1f}",
        )
        for row in rows
    ]
    words = "; ".join(f"{name}: {meaning}" for name, meaning in MEANING.items())
    sections = [
        page.section("Result", page.charts(plot(numbers)), page.table(HEAD, table_rows(numbers))),
        f"<p>{explanation(numbers).replace('*', '')}</p>",
        *(
            [page.section("Fine-tuning", page.charts(*learned.values()))]
            if (learned := learning_plots(numbers))
            else []
        ),
        page.section(
            "Failures",
            page.charts(
                charts.stacked_bars("Failed episodes", "episodes", {row["label"]: row["failures"] for row in rows})
            ),
            f"<p class='sub'>{words}.</p>",
        ),
        page.section("Hands", page.table(("planner", "off mm", "off deg", "speed m/s", "jerk m/s³"), motion)),
        page.section("Settings", page.data({"config": numbers["config"], "code": numbers["code"]})),
    ]
    return page.page(f"Comparison of {what}: {numbers['task']}", subtitle, sections)
