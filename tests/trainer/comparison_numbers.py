"""Made-up results in the form in which compare and evaluate write them."""

from typing import Any


def row(key: str, successes: int, method: str | None = None, **changes: Any) -> dict[str, Any]:
    """A row with 100 episodes."""
    rate = successes / 100
    return {
        "key": key, "label": f"label of {key}", "method": method or key, "given": False, "success_rate": rate,
        "ci95": [max(rate - 0.08, 0.0), min(rate + 0.08, 1.0)], "episodes": 100, "successes": successes,
        "task_time_s": 15.0 if successes else None,
        "task_time_quartiles_s": [10.0, 13.0, 15.0, 18.0, 30.0] if successes else [],
        "hand_position_error_m": 0.0123, "hand_orientation_error_rad": 0.1, "hand_speed_m_s": 0.2,
        "hand_jerk_m_s3": 30.0, "failures": {"fell": 1, "missed": 99 - successes, "dropped": 0, "time": 0},
        "executed_steps": 8, "tuned_steps": 0,
        "training": {"demonstrations": 50, "pretrain_minutes": 4.2}, "note": "", "outcomes": "1" * successes,
        **changes,
    }  # fmt: skip


def pair(first: str, second: str, difference: float) -> dict[str, Any]:
    """A paired test."""
    return {
        "first": first, "second": second, "both": 50, "only_first": 30, "only_second": 5, "neither": 15,
        "difference": difference, "ci95": [difference - 0.1, difference + 0.1], "p_value": 0.0001, "p_holm": 0.0004,
        "time_change": -0.12,
    }  # fmt: skip


def comparison(**changes: Any) -> dict[str, Any]:
    """Of two methods."""
    return {
        "kind": "comparison", "version": 1, "task": "box_pickup", "episodes": 100, "first_seed": 100_000,
        "rows": [row("dit", 60), row("dppo", 93, training={"demonstrations": 50, "pretrain_minutes": 4.2,
                                                             "iterations": 40, "finetune_minutes": 33.0})],
        "paired": [pair("dppo", "dit", 0.33)], "created": "2026-01-02T03:04:05+00:00",
        "code": {"package": "0.1.0", "commit": "0123456789abcdef", "dirty": False},
        "config": {"dataset": "/somewhere/on/this/machine/box.hdf5", "counts": [10, 20]}, **changes,
    }  # fmt: skip


def sweep() -> dict[str, Any]:
    """Before and after fine-tuning for two numbers of demonstrations."""
    rows = [row("dit-10", 20, "dit"), row("dppo-10", 70, "dppo"), row("dit-50", 60, "dit"), row("dppo-50", 95, "dppo")]
    pairs = [pair("dppo-10", "dit-10", 0.5), pair("dppo-50", "dit-50", 0.35)]
    return comparison(kind="demonstrations", rows=rows, paired=pairs)


def curriculum() -> dict[str, Any]:
    """Before, fine-tuned at the widest starts at once, and led there in two iterations."""
    at_once = [{"iteration": i, "successes": 5, "episodes": 64, "start_share": 1.0} for i in range(3)]
    led = [{"iteration": i, "successes": 60, "episodes": 64, "start_share": 0.1 * i} for i in range(3)]
    rows = [
        row("dit", 7),
        row("direct", 30, "dppo", training={"demonstrations": 50, "history": at_once}),
        row("led", 93, "dppo", training={"demonstrations": 50, "history": led}),
    ]
    pairs = [pair("led", "dit", 0.86), pair("led", "direct", 0.63)]
    return comparison(kind="curriculum", rows=rows, paired=pairs)
