"""How pi_lower is trained: a residual teacher by PPO, distilled into the deployed form and tuned; or from scratch."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from core.control import lower
from core.control.training.lower_config import LowerLearnerConfig, PhaseName
from core.control.training.lower_distillation import Distillation
from core.control.training.lower_training import LowerTraining
from core.rl.env import Observation
from core.rl.networks import Actor, ActorCritic
from core.rl.ppo import Ppo
from core.rl.ppo_config import ActorCriticConfig


class LowerLearner:
    """Goes through the phases an iteration at a time; can be stopped and resumed between iterations."""

    def __init__(self, config: LowerLearnerConfig, seed: int, num_threads: int = 1) -> None:
        torch.manual_seed(seed)
        self.config = config
        self.phases = config.phases()
        self.phase = 0
        self.steps = 0
        "environment steps in this phase"
        self.finished_steps = 0
        "environment steps of the phases before it"
        self.phase_progress = 0.0
        self.generator = torch.Generator().manual_seed(seed)
        self.seed = seed
        self.env = LowerTraining(config.env, "residual", seed, num_threads)
        obs_size, critic_size = self.env.observation_sizes
        self.teacher = ActorCritic(obs_size, critic_size, 12, config.teacher)
        student = ActorCriticConfig(
            config.student_hidden, config.teacher.critic_hidden, config.scratch_std, min(0.02, config.scratch_std)
        )
        self.student = ActorCritic(lower.LAYOUT.obs_size, critic_size, 12, student)
        self._stages: dict[PhaseName, Any] = {}
        self._observation: Observation | None = None

    @property
    def done(self) -> bool:
        """No phase is left."""
        return self.phase >= len(self.phases)

    @property
    def phase_name(self) -> str:
        """Phase under way."""
        return self.phases[min(self.phase, len(self.phases) - 1)][0]

    @property
    def total_steps(self) -> int:
        """Environment steps so far."""
        return self.finished_steps + self.steps

    @property
    def progress(self) -> float:
        """Share of the training done, by steps or by time, 0 to 1."""
        if self.done:
            return 1.0
        steps = [steps for _, steps in self.phases]
        return (sum(steps[: self.phase]) + self.phase_progress * steps[self.phase]) / sum(steps)

    def headline(self, scalars: dict[str, float]) -> str:
        """The few numbers worth watching."""
        falls, error = scalars.get("falls_per_s", 0.0), scalars.get("placement_cm", float("nan"))
        return f"feet {error:.1f} cm  {falls:.2f} falls/s"

    def iterate(self, time_share: float = 0.0) -> dict[str, float]:
        """One iteration of the present phase; returns scalars.

        `time_share` is the part of the time budget that is spent: a phase also ends when its part of it is.
        """
        name, steps = self.phases[self.phase]
        start = sum(s for _, s in self.phases[: self.phase])
        total = sum(s for _, s in self.phases)
        in_phase = (time_share * total - start) / steps
        progress = min(1.0, max(self.steps / steps, in_phase))
        log = self._run(name, progress)
        self.steps += self.env.num_agents * self.config.ppo.steps_per_iteration
        log["phase_progress"] = self.phase_progress = progress
        if self.steps >= steps or in_phase >= 1.0:
            self.finished_steps += self.steps
            self.phase, self.steps, self.phase_progress, self._observation = self.phase + 1, 0, 0.0, None
        return log

    def _run(self, name: PhaseName, progress: float) -> dict[str, float]:
        env = self.env
        if name not in self._stages:
            self._stages = {name: self._begin(name)}
        env.progress = progress if name in ("teacher", "scratch") else 1.0
        if name == "tune":
            env.kick_m_s = self._tune_kick(progress)
        stage = self._stages[name]
        if isinstance(stage, Distillation):
            if self._observation is None:
                self._observation = env.reset()
            stage.progress = progress
            return stage.iterate()
        if self._observation is None:
            self._observation = env.reset()
        rollout, self._observation = stage.collect(env, self._observation)
        # a new critic must know the policy before it may judge it
        warm_up = name == "tune" and progress < 0.05
        kept = {k: v.clone() for k, v in self.student.actor.state_dict().items()} if warm_up else None
        log = stage.update(rollout) | rollout.log
        if kept is not None:
            self.student.actor.load_state_dict(kept)
        return log

    def _tune_kick(self, progress: float) -> float:
        """Velocity kicks of the last phase, m/s."""
        usual, largest = self.config.env.kick_m_s, self.config.tune_kick_m_s
        return usual + (largest - usual) * max(0.0, 2.0 * progress - 1.0)

    def _begin(self, name: PhaseName) -> Any:
        env, c = self.env, self.config
        make: dict[PhaseName, Callable[[], Any]] = {
            "teacher": lambda: Ppo(self.teacher, c.ppo, self.seed),
            "scratch": lambda: Ppo(self.student, c.ppo, self.seed),
            "student": lambda: Distillation(
                env, self.teacher.actor, self.student.actor, c.distillation, self.generator
            ),
            "tune": lambda: Ppo(self.student, c.tune_ppo, self.seed),
        }
        env.form = "offset" if name in ("scratch", "tune") else "residual"
        if name == "tune":
            self._hand_over()
        return make[name]()

    def _hand_over(self) -> None:
        """The tuned student starts with the teacher's critic and little noise."""
        self.student.critic.load_state_dict(self.teacher.critic.state_dict())
        self.student.critic_normalizer.load_state_dict(self.teacher.critic_normalizer.state_dict())
        with torch.no_grad():
            self.student.actor.log_std.fill_(torch.log(torch.tensor(self.config.tune_std)).item())

    def state_dict(self) -> dict[str, Tensor]:
        """Weights, optimiser, counters, generator. Episodes and the buffer of DAgger start anew after a resume."""
        state = {f"teacher.{k}": v for k, v in self.teacher.state_dict().items()}
        state |= {f"student.{k}": v for k, v in self.student.state_dict().items()}
        for name, stage in self._stages.items():
            if isinstance(stage, Ppo):
                state |= {f"ppo.{name}.{k}": v for k, v in stage.state_dict().items() if not k.startswith("model.")}
        state["counters"] = torch.tensor([self.phase, self.steps, self.finished_steps])
        state["generator"] = self.generator.get_state()
        return {k: v.detach().clone() for k, v in state.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        self.teacher.load_state_dict(_sub(state, "teacher."))
        self.phase, self.steps, self.finished_steps = (int(x) for x in state["counters"])
        self.generator.set_state(state["generator"])
        if not self.done:
            name = self.phases[self.phase][0]
            stage = self._begin(name)
            self._stages = {name: stage}
            saved = _sub(state, f"ppo.{name}.")
            if isinstance(stage, Ppo) and saved:
                stage.load_state_dict(saved | {f"model.{k}": v for k, v in stage.model.state_dict().items()})
        self.student.load_state_dict(_sub(state, "student."))
        self.teacher.load_state_dict(_sub(state, "teacher."))

    def deployed(self) -> tuple[Actor, dict[str, Any]]:
        """The network as shipped, and the metadata that `LowerController.load` needs."""
        timing = lower.StepTiming.of(self.config.env.footsteps)
        metadata = {"actor_hidden": list(self.config.student_hidden), "timing": vars(timing)}
        return self.student.actor, metadata

    def close(self) -> None:
        """Release the simulator."""
        self.env.close()


def small(config: LowerLearnerConfig, worlds: int, steps: int) -> LowerLearnerConfig:
    """The same training at toy size, for tests: every phase takes `steps` environment steps."""
    arms = replace(config.env.arms, poses=50)
    return replace(
        config,
        env=replace(config.env, num_worlds=worlds, arms=arms, bank=(20, 2.0)),
        teacher_steps=steps,
        student_steps=steps,
        tune_steps=steps,
        scratch_steps=steps,
        distillation=replace(config.distillation, batch_size=64, updates=2, buffer_size=5000),
    )


def _sub(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
