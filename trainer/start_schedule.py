"""Where the episodes of a fine-tuning begin: fixed ranges, or ranges that grow with success (B103)."""

from dataclasses import dataclass

from core.rl.curriculum import Curriculum
from core.tasks.base import Task
from core.tasks.start_scale import start_share
from core.tasks.starts import StartRanges, Widening
from trainer.jobs.finetune import Config


@dataclass(frozen=True)
class Growth:
    """The ranges have become wider."""

    share: float
    "of the way to the widest ranges"
    ranges: StartRanges
    kept: float
    "share of the new ranges' starts that were possible before"


class StartSchedule:
    """Sets the start ranges of a task for exploring and for evaluating."""

    def __init__(self, task: Task, config: Config) -> None:
        """Raises ValueError when the ranges of a task that has none are to be widened."""
        share = start_share(config.start_scale)
        self.curriculum: Curriculum | None = None
        if config.curriculum:
            self.curriculum = Curriculum(config.curriculum_threshold, config.curriculum_growth, share)
        self._share = share
        self._widening = Widening(task) if config.curriculum or share > 0.0 else None

    @property
    def share(self) -> float:
        """Of the way from the start ranges of pre-training to the widest, in which episodes explore now."""
        return self._share if self.curriculum is None else self.curriculum.share

    @property
    def evaluated_share(self) -> float:
        """In which evaluations begin: where exploring begins, with a curriculum the widest, since they are its aim."""
        return self._share if self.curriculum is None else 1.0

    def begin_exploring(self) -> None:
        """Episodes that begin from now on explore."""
        self._set(self.share)

    def begin_evaluating(self) -> None:
        """Episodes that begin from now on are evaluated."""
        self._set(self.evaluated_share)

    def saw_success(self, successes: int, trials: int) -> Growth | None:
        """Told how an iteration went. Returns what has grown, if anything has."""
        before = self.share
        if self.curriculum is None or not self.curriculum.saw_success(successes, trials):
            return None
        assert self._widening is not None
        return Growth(self.share, self._widening.at(self.share), self._widening.kept(before, self.share))

    def scalars(self) -> dict[str, float]:
        """Of an iteration, by name; none for a task whose starts stay as they are."""
        if self._widening is None:
            return {}
        ranges = self._widening.at(self.share)
        ends = {"radial_m": ranges.radial_m, "polar_rad": ranges.polar_rad, "heading_rad": ranges.heading_rad}
        return {
            "curriculum__share": self.share,
            **{f"curriculum__{name}_{end}": ends[name][i] for name in ends for i, end in enumerate(("low", "high"))},
        }

    def state(self) -> dict[str, float]:
        """As JSON."""
        return {"share": self.share}

    def load(self, state: dict[str, float]) -> None:
        """Inverse of `state`."""
        if self.curriculum is not None:
            self.curriculum.share = state["share"]

    def _set(self, share: float) -> None:
        if self._widening is not None:
            self._widening.set(share)
