"""Measurements of a fine-tuning without exploration and randomisation, and the choice of what is kept at its end."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.policy.chunks import ChunkPlayer
from core.policy.planner import Planner
from core.statistics import Proportion
from trainer.evaluation import Evaluation, Evaluator
from trainer.progress import EpisodeProgress
from trainer.runs import Run
from trainer.start_schedule import StartSchedule

StopRequested = Callable[[], bool]


@dataclass(frozen=True)
class PlainEvaluation:
    """The evaluator of `refine-dp evaluate`, in the worlds in which a fine-tuning explores."""

    evaluator: Evaluator
    starts: StartSchedule
    executed_steps: int
    run: Run

    def measure(
        self,
        planner: Planner,
        seeds: range,
        stop: StopRequested,
        title: str = "",
        ended: Callable[[int], None] = lambda episodes: None,
    ) -> Evaluation | None:
        """Every seed once, with a bar where there is a title; None when it was stopped: what ended so far is no fair
        sample. `ended` is told how many episodes have ended."""
        player = ChunkPlayer(planner, self.evaluator.task, self.executed_steps)
        self.starts.begin_evaluating()
        with EpisodeProgress(title, len(seeds), silent=not title) as progress:

            def told(results: list[Any]) -> None:
                progress.update(len(results), len(results), sum(result.success for result in results))
                self.run.heartbeat()
                ended(len(results))

            results = self.evaluator.run(player, seeds, stop, told)
        return Evaluation.of(results) if len(results) == len(seeds) else None

    def tell(self, iteration: int, evaluation: Evaluation) -> dict[str, Any]:
        """Into the run folder and onto the terminal; returns what a checkpoint says of it."""
        share = self.starts.evaluated_share
        facts = {"start_share": share, **asdict(evaluation)}
        self.run.event("evaluation", step=iteration, **facts)
        low, high = evaluation.ci95
        self.run.scalars(
            iteration,
            evaluate__success_rate=evaluation.success_rate,
            evaluate__success_low=low,
            evaluate__success_high=high,
        )
        starts = f", starts {100 * share:.0f} %" if share > 0.0 else ""
        print(f"after {iteration} iterations, without exploration{starts}: success {evaluation.success}", flush=True)
        return {"iteration": iteration, **facts}


@dataclass(frozen=True)
class Choice:
    """Which planner a fine-tuning leaves behind.

    The best one was chosen by the success of a policy that explored, and what the last update made never explored.
    """

    best: Proportion
    last: Proportion
    first_seed: int

    @property
    def kept(self) -> Literal["best", "last"]:
        """The one with more successes on the same seeds; when they are equal, the one that also explored well."""
        return "last" if self.last.successes > self.best.successes else "best"

    @property
    def text(self) -> str:
        """For people."""
        return (
            f"without exploration, seeds from {self.first_seed}: best of the exploration {self.best}, after the last "
            f"update {self.last}; kept: {self.kept}"
        )

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        sides = {"best": self.best, "last": self.last}
        numbers = {
            name: {"success_rate": p.rate, "ci95": [p.low, p.high], "episodes": p.trials} for name, p in sides.items()
        }
        return {"kept": self.kept, "first_seed": self.first_seed, **numbers}
