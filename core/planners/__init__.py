"""Heuristic planners, one a task."""
