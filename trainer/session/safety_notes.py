"""What the loop adds to the safety log of a robot session: limits in force, interventions, holds, stops, episodes."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import torch

from core.control.safety import SafetyLimits
from core.robot.agent.log import SafetyLog
from core.rollout import CommandSent, EpisodeEnd, EpisodeStart, Observer
from core.types import Command

DIFFERENCE = 1e-5
"""Components of a command that differ by less are the same."""


class SafetyNotes(Observer):
    """Writes beside the agent and the dead-man into the same file; a disk that fails stops nothing."""

    def __init__(self, path: Path | str) -> None:
        """path: of the log, '' for none (a simulation)."""
        self.log = SafetyLog(str(path), "session")
        self._limits: SafetyLimits | None = None
        self._settings: dict[str, str] = {}
        self._holding = ""

    def began(self, **settings: str) -> None:
        """The session's settings; noted when they are others than before."""
        if settings != self._settings:
            self._settings = settings
            self.log.add("settings", **settings)

    def held(self, reason: str) -> None:
        """Why the loop holds the robot ('' it does not); noted when it changes."""
        if reason != self._holding:
            self._holding = reason
            self.log.add("hold" if reason else "hold_ended", reason=reason)

    def limits_in_force(self, limits: SafetyLimits, preset: str) -> None:
        """The limits that commands have from now on; noted when they are others than before."""
        if limits != self._limits:
            self._limits = limits
            self.log.add("limits", preset=preset, **dataclasses.asdict(limits))

    def note(self, event: str, **details: Any) -> None:
        """Anything else: a stop, a hold, a take-over."""
        self.log.add(event, **details)

    def episode_began(self, start: EpisodeStart) -> None:
        """Whose interventions follow."""
        self.log.add("episode_began", index=start.index, seed=start.seed)

    def command_sent(self, record: CommandSent) -> None:
        """One line a command in which the filter intervened: what was asked for and what was sent instead."""
        if not self.log.path:
            return
        kinds = [kind for kind, where in record.interventions.items() if bool(where[0])]
        if kinds:
            self.log.add("intervention", kinds=kinds, changed=changed_components(record.wanted, record.sent))

    def episode_ended(self, end: EpisodeEnd) -> None:
        """How it went."""
        self.log.add("episode_ended", index=end.index, success=end.success, reason=end.reason, seconds=end.duration_s)

    def close(self) -> None:
        """Write what waits."""
        self.log.close()


def changed_components(wanted: Command, sent: Command) -> dict[str, list[float | None]]:
    """name -> [asked for, sent] of world 0, for every component that differs; what is no finite number is None."""
    asked, given = wanted.to_vector()[0], sent.to_vector()[0]
    different = ~torch.isclose(asked, given, rtol=0.0, atol=DIFFERENCE)
    names = Command.component_names()
    return {names[i]: [_number(asked[i]), _number(given[i])] for i in different.nonzero()[:, 0].tolist()}


def _number(value: torch.Tensor) -> float | None:
    number = float(value)
    return round(number, 5) if math.isfinite(number) else None
