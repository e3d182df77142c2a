"""Keeps the states of one success and one failure while an evaluation runs, so that they can be shown as they were."""

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from core.backends.base import InitialState, Physics
from core.rollout import CommandSent, EpisodeEnd, EpisodeStart, Observer, concatenate
from core.types import PLANNER_HZ

EVERY = 3
"""One state in so many commands: 0.3 s apart."""
FRAME_PERIOD_S = EVERY / PLANNER_HZ


@dataclass(frozen=True)
class Clip:
    """One episode as it went."""

    seed: int
    success: bool
    reason: str
    duration_s: float
    states: InitialState
    "T rows, FRAME_PERIOD_S apart"
    object_size: dict[str, Tensor]
    "name -> (3,) edge lengths in m"
    fixed_object_pos: dict[str, Tensor]
    "name -> (3,) centre in m"


class ClipRecorder(Observer):
    """Keeps the first success and the first failure that end."""

    def __init__(self, time_limit_s: float) -> None:
        self.clips: dict[bool, Clip] = {}
        "success -> clip"
        self._frames: deque[tuple[int, InitialState]] = deque(maxlen=int(time_limit_s / FRAME_PERIOD_S) + 3)
        "number and state of all worlds"
        self._commands = 0
        self._began: dict[int, tuple[int, Physics]] = {}
        "world -> number of the first command, physics"

    def episode_began(self, start: EpisodeStart) -> None:
        """Where its frames begin."""
        self._began[start.world] = (self._commands, start.physics)

    def command_sent(self, record: CommandSent) -> None:
        """A frame now and then, as long as a clip is missing."""
        if self._commands % EVERY == 0 and len(self.clips) < 2:
            self._frames.append((self._commands, InitialState.from_world_state(record.state).clone()))
        self._commands += 1

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Cut the clip out, unless there is one with this outcome."""
        first, physics = self._began.pop(end.world)
        if end.success in self.clips:
            return
        world = torch.tensor([end.world])
        rows = [state.select(world) for number, state in self._frames if number >= first]
        if rows:
            sizes = {name: value[0] for name, value in physics.object_size.items()}
            places = {name: value[0] for name, value in physics.fixed_object_pos.items()}
            self.clips[end.success] = Clip(
                end.seed, end.success, end.reason, end.duration_s, concatenate(rows), sizes, places
            )
