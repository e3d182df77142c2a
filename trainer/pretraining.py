"""The job of `refine-dp pretrain`: data, training loop, validation, closed-loop evaluation, checkpoints."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.data.dataset import Dataset
from core.data.windows import choose_episodes, make_windows, read_recording, split_episodes
from core.policy.batches import WindowTensors, fit_normalizers
from core.policy.build import build_denoiser, build_planner
from core.policy.checkpoint import save_planner
from core.policy.chunks import ChunkPlayer
from core.policy.features import action_feature_names
from core.policy.layout import PlannerLayout
from core.policy.learner import Learner
from core.rl.checkpoint import Layout, load_checkpoint, save_checkpoint
from core.tasks.catalogue import make_task
from trainer.compute import pick_device, use_processor
from trainer.dataset_measures import dataset_measures
from trainer.evaluation import Evaluation, Evaluator
from trainer.jobs.pretrain import Config
from trainer.planner_files import PLANNER_FILE
from trainer.policy_evaluation import build_evaluator
from trainer.progress import StepProgress
from trainer.runs import Run, write_atomically
from trainer.typed_json import to_json

LOG_EVERY = 50
CHECKPOINT_PERIOD_S = 60.0
EVALUATION_WORLDS = 64
TRAINING_FILE = "training.safetensors"
DATA_FILE = "episodes.json"


@dataclass(frozen=True)
class Lesson:
    """What is learned from."""

    layout: PlannerLayout
    learn: WindowTensors
    validate: WindowTensors
    learner: Learner
    facts: dict[str, Any]
    "about the data, for the checkpoint"


def check_inputs(config: Config) -> None:
    """Before there is a run folder. Raises ValueError or DatasetError for what cannot be learned from."""
    if config.dataset is None:
        raise ValueError("a data set is needed: --dataset PATH (or --resume RUN to go on with a stopped run)")
    pick_device(config.device)
    dataset = Dataset(config.dataset)
    layout = PlannerLayout.of_dataset(dataset.spec)
    if config.planner.executed_steps > layout.action_chunk:
        raise ValueError(
            f"planner.executed_steps must not be above {layout.action_chunk}, the commands of a chunk, got "
            f"{config.planner.executed_steps}"
        )
    if config.planner.kind != "mlp":
        with torch.device("meta"):  # without weights: only whether the sizes fit the chunk
            build_denoiser(layout, config.planner)
    if config.evaluate_episodes:
        layout.check_fits(PlannerLayout.of_task(make_task(layout.task, 1)), "the task of today")
    choose_episodes(dataset, config.episodes, config.successes_only, config.teleoperated)


def pretrain(config: Config, run: Run, stop_requested: Callable[[], bool], resumed: bool = False) -> bool:
    """Train until all steps are taken or told to stop. Returns whether all were taken."""
    use_processor(config.threads)
    lesson = prepare(config, run, pick_device(config.device), resumed)
    job = Pretraining(config, run, lesson)
    if resumed:
        job.load()
    try:
        return job.train(stop_requested)
    finally:
        job.close()


def prepare(config: Config, run: Run, device: torch.device, resumed: bool) -> Lesson:
    """Read the data set, fit the normalisers, build planner and learner. A resumed run gets the same episodes."""
    assert config.dataset is not None
    dataset = Dataset(config.dataset)
    listed = run.path / DATA_FILE
    uuids = json.loads(listed.read_text()) if resumed and listed.is_file() else None
    recording = read_recording(dataset, config.episodes, config.successes_only, uuids, config.teleoperated)
    write_atomically(listed, json.dumps([info.uuid for info in recording.infos]))
    layout = PlannerLayout.of_dataset(recording.spec)
    observations, actions = (n.to(device) for n in fit_normalizers(recording))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        planner = build_planner(layout, config.planner, observations, actions).to(device)
    windows = make_windows(recording.lengths, layout.observation_horizon, layout.action_chunk)
    learn, validate = split_episodes(len(recording.lengths), config.validation_fraction, config.seed)
    data = WindowTensors.of(recording, windows.of_episodes(learn), observations, actions)
    learner = Learner(planner, data, config.learner, config.seed)
    facts = {
        "dataset": str(config.dataset),
        "episodes": len(recording.lengths),
        "sources": dict(Counter(info.source for info in recording.infos)),
        "samples": int(recording.lengths.sum()),
        "parameters": sum(p.numel() for p in learner.averaged.parameters()),
        "constant_observations": observations.constant_columns(layout.observation_components()),
        "constant_actions": actions.constant_columns(action_feature_names()),
        **dataset_measures(dataset, {info.uuid for info in recording.infos}),
    }
    return Lesson(layout, data, data.windows(windows.of_episodes(validate)), learner, facts)


class Pretraining:
    """The loop around a learner."""

    def __init__(self, config: Config, run: Run, lesson: Lesson) -> None:
        self.config = config
        self.run = run
        self.lesson = lesson
        self.learner = lesson.learner
        self.evaluations: list[dict[str, Any]] = []
        self._evaluator: Evaluator | None = None
        self._losses: list[Tensor] = []
        self._spent_s = 0.0
        "before this process"
        self._started_s = time.monotonic()
        self._validation = float("nan")

    # ------------------------------------------------------------------ checkpoints

    @property
    def wall_s(self) -> float:
        """Time spent, over all resumptions."""
        return self._spent_s + time.monotonic() - self._started_s

    def save(self) -> None:
        """Training state for a resume, and the averaged planner."""
        metadata = {"wall_s": self.wall_s, "evaluations": self.evaluations}
        save_checkpoint(self.run.checkpoints / TRAINING_FILE, self.learner.state_dict(), self._layout(), metadata)
        self._save_planner(self.run.path / PLANNER_FILE)

    def _save_planner(self, path: Path) -> None:
        training = {
            "run": self.run.path.name,
            "seed": self.config.seed,
            "code": to_json(self.run.info().code),
            "steps": self.learner.steps,
            "wall_s": self.wall_s,
            "data": self.lesson.facts,
            "learner": to_json(self.config.learner),
            "evaluations": self.evaluations,
        }
        save_planner(path, self.learner.averaged, self.config.planner, training)

    def load(self) -> None:
        """Go on from the training state; from the start when the run was killed before there was one.

        Raises CheckpointError.
        """
        path = self.run.checkpoints / TRAINING_FILE
        if not path.is_file():
            return
        tensors, metadata = load_checkpoint(path, self._layout())
        self.learner.load_state_dict(tensors)
        self._spent_s, self.evaluations = metadata["wall_s"], metadata["evaluations"]

    def _layout(self) -> Layout:
        return Layout("planner_training", 1, self.lesson.layout.observation, self.lesson.layout.action)

    # ------------------------------------------------------------------ the loop

    def train(self, stop_requested: Callable[[], bool]) -> bool:
        """Steps until the end or a stop; the state is saved either way. Returns whether all steps were taken."""
        config, learner = self.config, self.learner
        self._tell_data()
        saved_s = time.monotonic()
        self.run.event("progress", done=learner.steps, total=config.learner.steps, text="")
        with StepProgress(f"pretrain {config.planner.kind}", config.learner.steps, learner.steps) as progress:
            while not learner.done and not stop_requested():
                self._losses.append(learner.step())
                if learner.steps % config.validate_every == 0 or learner.done:
                    self._validate()
                if learner.steps % LOG_EVERY == 0 or learner.done:
                    self._tell(progress)
                if config.evaluate_every and learner.steps % config.evaluate_every == 0 and not learner.done:
                    self._evaluate(stop_requested)
                if time.monotonic() - saved_s > CHECKPOINT_PERIOD_S:
                    self.save()
                    saved_s = time.monotonic()
        self.save()
        if learner.done and not stop_requested():
            self._evaluate(stop_requested)
            self.save()
            print(f"{self.run.path / PLANNER_FILE}: {learner.steps} steps in {self.wall_s / 60:.1f} min")
        return learner.done

    def _tell_data(self) -> None:
        facts = self.lesson.facts
        self.run.event("data", **facts, windows=len(self.lesson.learn), validation_windows=len(self.lesson.validate))
        precision = "bf16" if self.learner.bf16 else "fp32"
        print(
            f"{facts['episodes']} episodes, {facts['samples']} samples; {facts['parameters'] / 1e6:.2f} M parameters, "
            f"{precision} on {self.learner.device}"
        )
        print(", ".join(f"{key} {value:.2f}" for key, value in facts.items() if isinstance(value, float)))
        for what in ("observations", "actions"):
            if facts[f"constant_{what}"]:
                print(f"{what} that never change in these data: {', '.join(facts[f'constant_{what}'])}")

    def _validate(self) -> None:
        if len(self.lesson.validate) == 0:
            return
        self._validation = self.learner.validation_loss(self.lesson.validate)
        error = self.learner.action_error(self.lesson.validate)
        self.run.scalars(self.learner.steps, validation__loss=self._validation, validation__action_error=error)

    def _tell(self, progress: StepProgress) -> None:
        loss = float(torch.stack(self._losses).mean())
        self._losses.clear()
        progress.update(self.learner.steps, f"loss {loss:.4f}" + self._validation_text())
        rate = progress.steps_per_second * self.config.learner.batch_size
        self.run.scalars(
            self.learner.steps,
            train__loss=loss,
            train__learning_rate=self.learner.optimizer.param_groups[0]["lr"],
            train__samples_per_s=rate,
        )
        self.run.event("progress", done=self.learner.steps, total=progress.total, text=progress.text)

    def _validation_text(self) -> str:
        return f"   validation {self._validation:.4f}" if math.isfinite(self._validation) else ""

    # ------------------------------------------------------------------ closed loop

    def _evaluate(self, stop_requested: Callable[[], bool]) -> None:
        """Success of the averaged planner in simulation, with the evaluator of `refine-dp evaluate`."""
        config = self.config
        known = any(evaluation["steps"] == self.learner.steps for evaluation in self.evaluations)
        if config.evaluate_episodes == 0 or known:
            return
        evaluator = self._ready_evaluator()
        player = ChunkPlayer(self.learner.averaged, evaluator.task, config.planner.executed_steps)
        seeds = range(config.evaluate_seed, config.evaluate_seed + config.evaluate_episodes)
        results = evaluator.run(player, seeds, stop_requested, lambda _: self.run.heartbeat())
        if len(results) < len(seeds):
            return  # stopped: what ended so far is not a fair sample
        evaluation = Evaluation.of(results)
        self.evaluations.append({"steps": self.learner.steps, **asdict(evaluation)})
        self.run.event("evaluation", step=self.learner.steps, **asdict(evaluation))
        low, high = evaluation.ci95
        self.run.scalars(
            self.learner.steps,
            evaluate__success_rate=evaluation.success_rate,
            evaluate__success_low=low,
            evaluate__success_high=high,
        )
        self._save_planner(self.run.checkpoints / f"planner_{self.learner.steps}.safetensors")
        print(f"step {self.learner.steps}: success {evaluation.success}", flush=True)

    def _ready_evaluator(self) -> Evaluator:
        """Built when it is first needed, then kept."""
        if self._evaluator is None:
            worlds = min(EVALUATION_WORLDS, self.config.evaluate_episodes)
            self._evaluator = build_evaluator(make_task(self.lesson.layout.task, worlds), self.config.backend)
        return self._evaluator

    def close(self) -> None:
        """Release the simulator."""
        if self._evaluator is not None:
            self._evaluator.backend.close()
