"""The job of `refine-dp finetune`: explore, learn, watch for collapse, keep the better planner, evaluate."""

import itertools
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.policy.build import fresh_planner
from core.policy.checkpoint import PlannerCheckpoint, load_planner, save_planner
from core.policy.chunks import ChunkPlayer
from core.policy.layout import PlannerLayout
from core.policy.planner import Planner
from core.rl.checkpoint import Layout, load_checkpoint, save_checkpoint
from core.rl.dppo import Dppo
from core.rl.guard import CollapseGuard
from core.rl.planner_env import Experience, PlannerEnv
from core.statistics import wilson_interval
from core.tasks.randomised import DomainRanges, RandomisedTask
from trainer.compute import single_thread, use_processor
from trainer.episode_meter import EpisodeResult, Meter
from trainer.evaluation import Evaluator
from trainer.iteration_report import iteration_line, iteration_scalars
from trainer.jobs.finetune import Config
from trainer.plain_evaluation import Choice, PlainEvaluation
from trainer.planner_files import PLANNER_FILE, planner_path
from trainer.policy_evaluation import build_task
from trainer.progress import StepProgress, format_duration
from trainer.runs import Run
from trainer.session.parts import load_controller, make_backend, safety_limits
from trainer.start_schedule import StartSchedule
from trainer.tuned_chain import learner_config, make_chain
from trainer.typed_json import to_json

START_FILE = "start.safetensors"
BEST_FILE, LAST_FILE = "best.safetensors", "last.safetensors"
"""Once all iterations are done: the best planner of the exploration, and what the last update made."""
TRAINING_FILE = "training.safetensors"
FIRST_SEED = 1_000_000_000
"""Episodes of fine-tuning have seeds from here on: far from those of demonstrations and evaluations."""
SEEDS_PER_ITERATION = 1_000_000
ITERATIONS_PER_SEED = 10_000


def episode_seeds(seed: int, iteration: int) -> Iterator[int]:
    """Seeds of an iteration's episodes; no two iterations or runs with different seeds share one."""
    return itertools.count(FIRST_SEED + (seed * ITERATIONS_PER_SEED + iteration) * SEEDS_PER_ITERATION)


def finetune(config: Config, run: Run, stop_requested: Callable[[], bool], resumed: bool = False) -> bool:
    """Run the iterations. Returns whether all were run.

    Raises CollapseError or FloatingPointError when the training goes wrong; the best planner so far is kept.
    """
    use_processor(config.threads)
    if not _is_complete(run.checkpoints / START_FILE):
        _keep_start(config, run)
    stored = load_planner(run.checkpoints / START_FILE)
    job = Finetuning(config, run, stored)
    try:
        if resumed:
            job.load()
        return job.train(stop_requested)
    finally:
        job.close()


def _is_complete(path: Path) -> bool:
    """Whether a checkpoint was written to its end: the JSON beside it is written last."""
    return path.is_file() and path.with_suffix(".json").is_file()


def _copy(path: Path, to: Path) -> None:
    """A checkpoint and the JSON beside it."""
    shutil.copyfile(path, to)
    shutil.copyfile(path.with_suffix(".json"), to.with_suffix(".json"))


def _keep_start(config: Config, run: Run) -> None:
    """A copy of what is fine-tuned, or the same with random weights: the run can be resumed without the original."""
    assert config.checkpoint is not None
    path = planner_path(config.checkpoint)
    stored = load_planner(path)  # a file that is no planner is named by its own path
    if config.from_scratch:
        fresh = fresh_planner(stored.planner, stored.config, config.seed)
        save_planner(run.checkpoints / START_FILE, fresh, stored.config, {"from_scratch": True, "like": path.name})
        return
    _copy(path, run.checkpoints / START_FILE)


class Finetuning:
    """The loop around a learner."""

    def __init__(self, config: Config, run: Run, stored: PlannerCheckpoint) -> None:
        self.config = config
        self.run = run
        self.chain, self.planner_config = make_chain(stored, config)
        self.layout = stored.planner.layout
        self.before = stored.training
        executed_steps = self.planner_config.executed_steps
        self.learner = Dppo(self.chain, learner_config(config), executed_steps, config.seed)
        task = build_task(self.layout.task, config.worlds)
        self.starts = StartSchedule(task, config)
        self.layout.check_fits(PlannerLayout.of_task(task), f"task {task.name!r}")
        backend = make_backend(config.backend, task)
        controller = load_controller(config.controller, config.backend, config.worlds)
        limits = safety_limits("simulation")
        evaluator = Evaluator(task, backend, controller, limits)
        self.plain = PlainEvaluation(evaluator, self.starts, executed_steps, run)
        self.env = PlannerEnv(
            RandomisedTask(task, DomainRanges()) if config.randomise else task,
            backend,
            controller,
            executed_steps,
            limits,
            config.dppo.time_limit == "truncation",
        )
        self.guard = CollapseGuard(config.patience, kl_limit=config.dppo.kl_limit)
        self.evaluations: list[dict[str, Any]] = []
        self.choice: dict[str, Any] | None = None
        "which planner was kept at the end, and why; None before"
        self.history: list[dict[str, Any]] = []
        "success of every iteration"
        self.ended = False
        "whether the last evaluation was made and the planner that is kept is stored: nothing is left to do"
        self._spent_s = 0.0
        "before this process"
        self._started_s = time.monotonic()

    # ------------------------------------------------------------------ checkpoints

    @property
    def wall_s(self) -> float:
        """Time spent, over all resumptions."""
        return self._spent_s + time.monotonic() - self._started_s

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self.learner.iterations

    def save(self) -> None:
        """Training state for a resume."""
        metadata = {
            "wall_s": self.wall_s,
            "guard": self.guard.state(),
            "starts": self.starts.state(),
            "evaluations": self.evaluations,
            "choice": self.choice,
            "history": self.history,
            "ended": self.ended,
        }
        save_checkpoint(self.run.checkpoints / TRAINING_FILE, self.learner.state_dict(), self._layout(), metadata)

    def load(self) -> None:
        """Go on from the training state; from the start when the run was stopped before there was one."""
        path = self.run.checkpoints / TRAINING_FILE
        if not path.is_file():
            return
        tensors, metadata = load_checkpoint(path, self._layout())
        self.learner.load_state_dict(tensors)
        self.guard.load(metadata["guard"])
        self.starts.load(metadata["starts"])
        self._spent_s = metadata["wall_s"]
        self.evaluations, self.history = metadata["evaluations"], metadata["history"]
        self.choice = metadata.get("choice")
        self.ended = metadata.get("ended", False)

    def _layout(self) -> Layout:
        return Layout("planner_finetuning", 1, self.layout.observation, self.layout.action)

    def _training(self) -> dict[str, Any]:
        """How the present planner came about."""
        return {
            "run": self.run.path.name,
            "seed": self.config.seed,
            "code": to_json(self.run.info().code),
            "iterations": self.iteration,
            "wall_s": self.wall_s,
            "finetuning": to_json(self.learner.config),
            "start_share": self.starts.share,
            "history": self.history,
            "evaluations": self.evaluations,
            "before": self.before,
        }

    def _save_planner(self, name: str) -> None:
        save_planner(self.run.path / name, self.chain.planner, self.planner_config, self._training())

    # ------------------------------------------------------------------ the loop

    def train(self, stop_requested: Callable[[], bool]) -> bool:
        """Iterate until the end, a stop, or a collapse. A stopped iteration is not counted: it is run again."""
        if self.ended:
            print(
                f"{self.run.path} is finished ({self.iteration} iterations), nothing is left to do; to fine-tune its "
                f"planner further: refine-dp finetune --checkpoint {shlex.quote(str(self.run.path))}"
            )
            return True
        self._tell_start()
        total = self.config.iterations
        self._tell_done(self.iteration, "")  # the time left counts from here
        with StepProgress("finetune", total, self.iteration) as progress:
            while self.iteration < total and not self._out_of_time():
                if not self._evaluate_now_and_then(stop_requested) or not self._iterate(stop_requested):
                    return False
                self.save()
                self._tell_progress(progress)
        return self._end(stop_requested)

    def _out_of_time(self) -> bool:
        limit = self.config.max_minutes
        return limit is not None and self.iteration > 0 and self.wall_s > 60 * limit

    def _iterate(self, stop_requested: Callable[[], bool]) -> bool:
        """Explore and learn once. Returns whether it was completed."""
        meter = Meter(ChunkPlayer(self.chain.planner, self.env.task, self.env.executed_steps), self.config.worlds)
        seeds = episode_seeds(self.config.seed, self.iteration)
        self.starts.begin_exploring()

        def stopped() -> bool:
            self.run.heartbeat()
            return stop_requested()

        with single_thread():
            experience = self.env.collect(self.chain, seeds, (meter,), meter.tick, stopped)
        if experience is None:
            return False
        if self.guard.saw_success(experience.successes, len(experience.first_ends)):
            self._save_planner(PLANNER_FILE)
        iteration = self.iteration
        scalars = self.learner.update(experience.decisions)
        self._tell(iteration, experience, meter.results, scalars)
        self.guard.saw_kl(scalars["kl"])
        self._widen_starts(experience)
        return True

    def _widen_starts(self, experience: Experience) -> None:
        """As far as the curriculum says; success then falls without being a collapse."""
        growth = self.starts.saw_success(experience.successes, len(experience.first_ends))
        if growth is None:
            return
        self.guard.ranges_grew(growth.kept)
        text = f"the start ranges grow to {100 * growth.share:.0f} % of the way to the widest: {growth.ranges}"
        self.run.event("curriculum", step=self.iteration, share=growth.share, text=text)
        print(text, flush=True)

    def close(self) -> None:
        """Release the simulator."""
        self.env.backend.close()

    # ------------------------------------------------------------------ without exploration

    def _evaluate_now_and_then(self, stop_requested: Callable[[], bool]) -> bool:
        """Returns whether it was not stopped."""
        every, done = self.config.evaluate_every, {entry["iteration"] for entry in self.evaluations}
        if not every or self.iteration % every or self.iteration in done:
            return True
        self._save_planner(f"checkpoints/planner_{self.iteration}.safetensors")
        return self._evaluate(self.chain.planner, stop_requested)

    def _evaluate(self, planner: Planner, stop_requested: Callable[[], bool], title: str = "") -> bool:
        """Success of a planner of this iteration. Returns whether it was not stopped."""
        first, count = self.config.evaluate_seed, self.config.evaluate_episodes
        if count == 0:
            return True
        seeds, before = range(first, first + count), 2 * self.config.validate_episodes
        evaluation = self.plain.measure(planner, seeds, stop_requested, title, self._at_the_end(title, before))
        if evaluation is None:
            return False
        self.evaluations.append(self.plain.tell(self.iteration, evaluation))
        return True

    def _end(self, stop_requested: Callable[[], bool]) -> bool:
        """Choose what is kept, evaluate it, store it with its evaluation. Returns whether it was not stopped."""
        best = self.run.checkpoints / BEST_FILE
        if not _is_complete(best):
            _copy(self.run.path / PLANNER_FILE, best)
        self._save_planner(f"checkpoints/{LAST_FILE}")
        if self.choice is None and self.config.validate_episodes:
            choice = self._choose(stop_requested)
            if choice is None:
                return False
            self.choice = choice.facts()
            self.save()
        last = self.choice is not None and self.choice["kept"] == "last"
        kept = self._stored(LAST_FILE if last else BEST_FILE)
        self.ended = self._evaluate(kept.planner, stop_requested, "evaluate")
        facts = {**kept.training, "choice": self.choice, "evaluations": self.evaluations}
        save_planner(self.run.path / PLANNER_FILE, kept.planner, kept.config, facts)
        self.save()
        return self.ended

    def _stored(self, name: str) -> PlannerCheckpoint:
        """As others will load it."""
        stored = load_planner(self.run.checkpoints / name)
        return replace(stored, planner=stored.planner.to(self.learner.device))

    def _choose(self, stop_requested: Callable[[], bool]) -> Choice | None:
        """The best of the exploration against what the last update made, on the same seeds; None when stopped."""
        first, count = self.config.validate_seed, self.config.validate_episodes
        found = []
        for before, name in ((0, BEST_FILE), (count, LAST_FILE)):
            planner, title = self._stored(name).planner, f"compare {Path(name).stem}"
            told = self._at_the_end(title, before)
            measured = self.plain.measure(planner, range(first, first + count), stop_requested, title, told)
            if measured is None:
                return None
            found.append(measured.success)
        choice = Choice(*found, first_seed=first)
        self.run.event("validation", step=self.iteration, **choice.facts())
        print(choice.text, flush=True)
        return choice

    # ------------------------------------------------------------------ what is said

    def _tell_start(self) -> None:
        parameters = sum(p.numel() for p in self.chain.parameters())
        print(
            f"{parameters / 1e6:.2f} M parameters learn, {self.chain.length} steps a chunk, "
            f"{self.learner.values_per_chunk} values a step; {self.config.worlds} worlds"
        )

    def _tell(
        self, iteration: int, experience: Experience, results: list[EpisodeResult], scalars: dict[str, float]
    ) -> None:
        success = wilson_interval(experience.successes, len(experience.first_ends))
        share = self.starts.share
        self.history.append(
            {"iteration": iteration, "successes": success.successes, "episodes": success.trials, "start_share": share}
        )
        values = iteration_scalars(success, experience, results, scalars)
        self.run.scalars(iteration, **values, **self.starts.scalars())
        line = iteration_line(success, experience, scalars, share)
        print(f"iteration {iteration + 1}/{self.config.iterations}: {line}", flush=True)
        if success.successes == 0:
            text = "no episode succeeded: a sparse reward teaches nothing yet; a better pre-trained planner is needed"
            self.run.event("log", level="warning", text=text)
            print(text)

    def _tell_progress(self, progress: StepProgress) -> None:
        left_s = (progress.total - self.iteration) * self.wall_s / self.iteration
        progress.update(self.iteration, f"best {self.guard.standard}")
        text = f"{self.iteration}/{progress.total}, {format_duration(left_s)} left"
        self._tell_done(self.iteration, text)

    def _at_the_end(self, title: str, before: int) -> Callable[[int], None]:
        """Tells the run folder of episodes measured at the end, after `before` others; of those on the way nothing."""

        def ended(episodes: int) -> None:
            if title:
                self._tell_done(self.config.iterations + (before + episodes) / self.config.worlds, title)

        return ended

    def _tell_done(self, iterations: float, text: str) -> None:
        """The measurements at the end count as iterations of as many episodes."""
        config = self.config
        measured = 2 * config.validate_episodes + config.evaluate_episodes
        self.run.event("progress", done=iterations, total=config.iterations + measured / config.worlds, text=text)
