"""The episodes of a session: which seed is next, how many were begun, what is told when one ends."""

import torch

from core.rollout import EpisodeEnd
from trainer.session.context import SessionContext
from trainer.session.messages import EpisodeFinished
from trainer.session.telemetry import ABANDONED

WORLD = torch.tensor([0])


class Episodes:
    """Counts them."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self.seed = 0
        "of the next one"
        self._begun = 0
        self._ended = 0
        self._begin_asked = False

    @property
    def finished(self) -> bool:
        """Whether all the episodes that were asked for have been run."""
        asked_for = self._context.config.episodes
        return bool(asked_for) and self._ended >= asked_for

    @property
    def active(self) -> bool:
        """Whether one runs or is paused."""
        world = self._context.world
        return world is not None and bool(world.rollout.active[0])

    def begin(self) -> None:
        """Somebody asked for the next one."""
        assert self._context.world is not None
        self._begin_asked = True
        self._context.world.rollout.begin(WORLD)
        self._begin_asked = False

    def next_seed(self) -> int | None:
        """Seed of the episode that begins now, None when none shall begin by itself."""
        context = self._context
        if not self._begin_asked and (not context.config.auto_next or context.robot is not None):
            return None  # people put a robot and its objects back, then press Start
        if context.config.episodes and self._begun >= context.config.episodes:
            return None
        self._begun += 1
        seed, self.seed = self.seed, self.seed + 1
        return seed

    def abandon(self) -> None:
        """End the one that runs, which then does not count."""
        if self.active:
            assert self._context.world is not None
            self._context.world.rollout.end(WORLD, "reset")
            self._begun -= 1

    def ended(self, end: EpisodeEnd) -> None:
        """An episode of the rollout ended."""
        world, config = self._context.world, self._context.config
        assert world is not None
        self._ended += end.reason not in ABANDONED
        recorded = world.recorder.auto and end.reason not in ABANDONED and config.dataset is not None
        self._context.emit(
            EpisodeFinished(end.index, end.seed, end.success, end.reason, end.duration_s, recorded=recorded)
        )
