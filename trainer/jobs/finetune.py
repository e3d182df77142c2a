"""Fine-tune a planner in simulation by reinforcement learning with a sparse reward. Ctrl-C stops cleanly.

--resume RUN continues exactly where it stopped. Writes planner.safetensors and planner.json into the run folder: while
it learns the best planner so far, in the end the better one of that and of what the last update made.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

import tyro

from core.control.choices import ControllerName
from core.rl.finetune_config import DppoConfig, MlpFtConfig, ResidualFtConfig
from core.tasks.start_scale import PRETRAINING, start_share


@dataclass(frozen=True)
class Config:
    """What to fine-tune, in which worlds, and how it is watched."""

    checkpoint: Path | None = None
    "a planner (.safetensors), or a run folder that holds one; needed unless a run is resumed"
    from_scratch: bool = False
    "begin with random weights; the checkpoint only gives sizes and normalisers (shows what pre-training is worth, B89)"
    resume: Path | None = None
    "continue this run folder with its own config; all other options are ignored"
    iterations: int = 40
    "rounds of exploring and learning"
    max_minutes: float | None = None
    "begin no further iteration after so many minutes"
    worlds: int = 64
    "episodes simulated at once; an iteration lasts until the first one of every world is decided"
    executed_steps: int | None = None
    "Ta, commands of a chunk that are executed before the next one is planned; none: as the checkpoint says"
    method: Literal["dppo", "mlp-ft", "residual"] = "dppo"
    "dppo: denoising steps; mlp-ft: a deterministic planner; residual: a small correction of a frozen diffusion planner"
    dppo: tyro.conf.OmitArgPrefixes[DppoConfig] = field(default_factory=DppoConfig)
    mlp_ft: MlpFtConfig = field(default_factory=MlpFtConfig)
    "exploration of mlp-ft"
    residual: ResidualFtConfig = field(default_factory=ResidualFtConfig)
    "correction of residual"
    randomise: bool = True
    "domain randomisation: stiffness, damping, mass and centre of the trunk, friction, object mass; per episode (B71)"
    start_scale: str = PRETRAINING
    "where episodes begin: pretraining (as in the demonstrations), maximum (widest), or a share of the way, 0 to 1"
    curriculum: bool = False
    "let the start ranges grow from start_scale to maximum as success allows (B103); evaluations are at maximum then"
    curriculum_threshold: float = 0.9
    "success rate of an iteration, exploring, at which the ranges grow"
    curriculum_growth: float = 0.1
    "share of the way from pretraining to maximum by which they grow"
    require_ready: bool = False
    "do not begin when `refine-dp readiness` finds a reason against it"
    patience: int = 3
    "iterations in a row with a success below the best one's interval that count as a collapse"
    evaluate_episodes: int = 100
    "episodes of an evaluation without exploration and randomisation; 0: none"
    evaluate_every: int = 0
    "iterations between two evaluations; 0: only one at the end"
    evaluate_seed: int = 95_000
    "seed of the first episode of every evaluation"
    validate_episodes: int = 100
    "at the end the best and the last policy are compared on so many episodes; 0: the best of the exploration is kept"
    validate_seed: int = 80_000
    "seed of the first of these episodes; they must not be those of the evaluations, which would then flatter"
    seed: int = 0
    "of the critic, the exploration, the order of learning and the episodes"
    backend: Literal["mujoco", "fake"] = "mujoco"
    "simulator; fake has no physics and serves tests"
    controller: ControllerName = "learned"
    "arms as trained, as trained for a robot (late targets), or by inverse kinematics"
    device: str = "auto"
    "of the networks: cpu, cuda, or auto: cuda where there is one"
    threads: int = 0
    "threads of the networks on a CPU while they learn, 0: as many as torch likes"
    runs: Path = Path("runs")
    "folder in which the run folder is made"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        for name in ("iterations", "worlds", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.executed_steps is not None and self.executed_steps < 1:
            raise ValueError(f"executed_steps must be at least 1, got {self.executed_steps}")
        if self.max_minutes is not None and self.max_minutes <= 0:
            raise ValueError(f"max_minutes must be positive, got {self.max_minutes}")
        if start_share(self.start_scale) == 1.0 and self.curriculum:
            raise ValueError(
                f"a curriculum begins below the widest starts, got start_scale {self.start_scale!r}: leave start_scale "
                f"at {PRETRAINING}, or the curriculum out to begin at the widest"
            )
        for name in ("curriculum_threshold", "curriculum_growth"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie above 0 and not above 1, got {getattr(self, name)}")
        counts = ("evaluate_episodes", "evaluate_every", "validate_episodes", "threads")
        for name in (*counts, "evaluate_seed", "validate_seed", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        self._check_seeds()
        if self.dppo.bc_coefficient > 0 and self.method != "dppo":
            raise ValueError(
                f"bc_coefficient {self.dppo.bc_coefficient} imitates a diffusion planner, which method {self.method} "
                "does not train: set it to 0, or take method dppo"
            )

    def _check_seeds(self) -> None:
        validated = range(self.validate_seed, self.validate_seed + self.validate_episodes)
        evaluated = range(self.evaluate_seed, self.evaluate_seed + self.evaluate_episodes)
        if max(validated.start, evaluated.start) < min(validated.stop, evaluated.stop):
            raise ValueError(
                f"validate_seed {self.validate_seed} and the {self.validate_episodes} seeds after it choose what is "
                f"kept: they must not be among the {self.evaluate_episodes} that it is evaluated on, which begin at "
                f"{self.evaluate_seed}"
            )


PRESETS: dict[str, Config] = {
    "quick": Config(iterations=20, dppo=DppoConfig(epochs=3), validate_episodes=64),
    "paper": Config(evaluate_episodes=500),
}
PRESETS_HELP = {
    "quick": "20 iterations with fewer epochs, about 10 minutes on two cores, to see it climb",
    "paper": "40 iterations, evaluated on 500 episodes",
}


def main(config: Config) -> int:
    """Fine-tune until done, stopped or collapsed. Returns 0, 1 after a collapse, 130 when it was stopped."""
    from core.rl.guard import CollapseError
    from trainer.finetuning import finetune
    from trainer.job import open_run, resume_hint, work_in
    from trainer.readiness import check_inputs

    resumed = config.resume is not None
    run, config = open_run("finetune", config, config.runs, config.seed, config.resume, check_inputs)
    try:
        return work_in(run, lambda stop: finetune(config, run, stop, resumed), resume_hint("finetune", run))
    except (CollapseError, FloatingPointError) as error:
        print(f"stopped: {error}\nthe best planner so far is in {run.path}")
        return 1
