"""Rates of the loop (no torch: configs are checked against them)."""

CONTROL_HZ = 50
"""Low-level control rate (paper, section III-A)."""
CONTROL_PERIOD_S = 1.0 / CONTROL_HZ
PLANNER_HZ = 10
"""Planner rate: one command each 0.1 s (paper, section IV-A)."""
CONTROL_STEPS_PER_COMMAND = CONTROL_HZ // PLANNER_HZ
