"""The controllers' table of docs/controllers.md, from the numbers that evaluate-controller stored."""

import math
from pathlib import Path
from typing import Any

from core.control.evaluation.trembling import CUTOFF_HZ

# ruff: noqa: E501
INTRODUCTION = """# The low-level controllers, measured

Written by `refine-dp evaluate-controller`; do not edit by hand. Numbers: `assets/controllers/evaluation.json`.

**Legs.** {walking_s:.0f} s of simulated steps for each cell (standing comes on top), in MuJoCo at the default 5 ms step:
random commands (|vx| <= 0.4 m/s, |vy| <= 0.2 m/s, |wz| <= 0.5 rad/s, 1.5-5 s each, one in five is standing), so starts
and stops all the time; arms moving between random collision-free poses (hands
mostly in front of the trunk) at 0.3-1.8 rad/s; 0-1 kg in each hand. "Pushed":
velocity kicks of the trunk, uniform within +-{kick_m_s} m/s per horizontal axis, every 2 s on average. *Foot error*:
distance between the swing sole and its commanded placement, relative to the stance sole, when the step's time is up.
*Distance*: way of the middle of the feet along each command over the way that it asks for. Falls per 1000 s of steps with
the exact 95 % Poisson interval. *M steps*, *CPU-min*: what the training cost.

π_lower as shipped is a *student*: its observation and action are the paper's (Table I, offset to the default pose). A
teacher (a residual on the reference gait, which it also sees) is trained by PPO; DAgger distils it into the student; PPO
then tunes the student on the rewards of Table II. "scratch" is PPO on the paper's form alone.
"""

HANDS = """
**Hands.** The shipped π_lower walks and stands under each arm controller; hand poses move between random configurations,
0-1 kg in each hand. *Standing*: feet and hand command at rest for 0.6 s; *walking*: steps under way. Median / 95th
percentile. *Trembling*: 64 robots stand with their hands told to stay where they are, each in another posture, 0-1 kg in
each hand; root mean square of what is faster than {cutoff_hz:.0f} Hz in the velocity of an arm joint and in the trunk's
angular velocity, mrad/s, all robots / the robot where it is largest. *Box*: share of boxes that are lifted on a fixed
base, worst and best squeeze depth.
"""

LATE = """
**Late targets.** The same measurements with arm targets that reach the joints late, as on a robot (about 10 ms through the
hardware agent; more where a network or a busy computer lies between). *Press*: force of palms that are commanded 4 cm
into an immovable box, and its ripple within a second.
"""


def write_table(stored: dict[str, Any], path: Path) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(stored))


def page(stored: dict[str, Any]) -> str:
    """The page as Markdown."""
    text = INTRODUCTION.format(**stored["settings"])
    hands = HANDS.format(cutoff_hz=CUTOFF_HZ)
    arms = stored.get("arms", {})
    text += "\n" + legs_table(stored.get("legs", {})) + hands + "\n" + arms_table(arms)
    return text + LATE + "\n" + late_table(arms)


def legs_table(rows: dict[str, Any]) -> str:
    """One row a leg controller."""
    head = (
        "| legs | foot error cm, median / p95 | pushed | distance | turn | falls per 1000 s | pushed | M steps | CPU-min |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(_leg_row(row) for row in rows.values())


def _leg_row(row: dict[str, Any]) -> str:
    calm, kicked = row["calm"], row["kicked"]
    cells = (
        row["label"],
        _cm(calm["placement_median_m"], calm["placement_p95_m"]),
        _cm(kicked["placement_median_m"], kicked["placement_p95_m"]),
        _percent(calm["distance_ratio"]),
        _percent(calm["turn_ratio"]),
        _falls(calm),
        _falls(kicked),
        *_cost(row),
    )
    return "| " + " | ".join(cells) + " |\n"


def arms_table(rows: dict[str, Any]) -> str:
    """One row an arm controller."""
    head = (
        "| arms | standing cm | standing deg | walking cm | walking deg | falls | trembling joints | trembling trunk | box "
        "| M steps | CPU-min |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(_arm_row(row) for row in rows.values())


def _arm_row(row: dict[str, Any]) -> str:
    hands = row.get("hands")
    grasps = row["fixed_base"]["grasp"]
    shares = [grasp["success"] / grasp["episodes"] for grasp in grasps]
    cells = [row["label"]]
    if hands is None:
        cells += ["-"] * 5
    else:
        cells += [_cm(*hands["standing_m"]), _deg(*hands["standing_rad"])]
        cells += [_cm(*hands["walking_m"]), _deg(*hands["walking_rad"]), _falls(row["walk"])]
    trembling = row.get("trembling")
    for part in ("joints", "trunk"):
        cells.append("-" if trembling is None else _mrad(trembling, part))
    cells.append(f"{100 * min(shares):.0f}-{100 * max(shares):.0f} %")
    cells += _cost(row)
    return "| " + " | ".join(cells) + " |\n"


def late_table(rows: dict[str, Any]) -> str:
    """One row an arm controller and delay."""
    head = (
        "| arms | targets late by | standing cm | walking cm | falls | trembling joints | trembling trunk | press N, ripple |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(_late_row(row["label"], late) for row in rows.values() for late in row.get("late", []))


def _late_row(label: str, late: dict[str, Any]) -> str:
    hands, trembling, press = late["hands"], late["trembling"], late["blocked"]
    cells = (
        label,
        f"{late['delay_ms']:.0f} ms",
        _cm(*hands["standing_m"]),
        _cm(*hands["walking_m"]),
        _falls(late["walk"]),
        _mrad(trembling, "joints"),
        _mrad(trembling, "trunk"),
        f"{press['force_n_median']:.0f}, {press['ripple_n_median']:.2f}",
    )
    return "| " + " | ".join(cells) + " |\n"


def _cm(median: float | None, p95: float | None) -> str:
    return "-" if median is None or p95 is None else f"{100 * median:.2f} / {100 * p95:.2f}"


def _deg(median: float, p95: float) -> str:
    return f"{math.degrees(median):.1f} / {math.degrees(p95):.1f}"


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.1f} %"


def _falls(report: dict[str, Any]) -> str:
    low, high = report["falls_interval"]
    return f"{report['falls_per_1000_s']:.1f} [{low:.1f}, {high:.1f}]"


def _mrad(trembling: dict[str, float], part: str) -> str:
    return f"{1000 * trembling[f'{part}_rad_s']:.1f} / {1000 * trembling[f'worst_{part}_rad_s']:.1f}"


def _cost(row: dict[str, Any]) -> tuple[str, str]:
    """Training steps in millions, processor minutes."""
    steps, minutes = row.get("steps"), row.get("cpu_minutes")
    return ("-" if steps is None else f"{steps / 1e6:.1f}", "-" if minutes is None else f"{minutes:.0f}")
