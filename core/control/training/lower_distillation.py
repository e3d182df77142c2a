"""DAgger (Ross et al., 2011): the deployed form of pi_lower learns what its teacher would do where the student goes."""

import torch
from jaxtyping import Float
from torch import Tensor

from core.control import lower
from core.control.training import lower_teacher
from core.control.training.lower_config import DistillationConfig
from core.control.training.lower_training import LowerTraining
from core.rl.env import EnvStep
from core.rl.networks import Actor


class SampleBuffer:
    """A ring of observations and the actions that the teacher wants there."""

    def __init__(self, size: int, obs_size: int, action_size: int) -> None:
        self.obs = torch.zeros(size, obs_size)
        self.actions = torch.zeros(size, action_size)
        self.filled = 0
        self._next = 0

    def add(self, obs: Float[Tensor, "B Do"], actions: Float[Tensor, "B Da"]) -> None:
        """Append a batch, overwriting the oldest samples."""
        rows = (self._next + torch.arange(len(obs))) % len(self.obs)
        self.obs[rows], self.actions[rows] = obs, actions
        self._next = int((rows[-1] + 1) % len(self.obs))
        self.filled = min(self.filled + len(obs), len(self.obs))

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random rows."""
        rows = torch.randint(self.filled, (count,), generator=generator)
        return self.obs[rows], self.actions[rows]


def teacher_targets(env: LowerTraining, teacher: Actor) -> Float[Tensor, "N 12"]:
    """Leg targets (robot order) that the teacher would send now."""
    residual = lower.unmirror_action(teacher(env.teacher_observation()), env.command)
    return lower_teacher.residual_targets(env.reference, residual)


def residual_of(env: LowerTraining, targets: Float[Tensor, "N 12"]) -> Float[Tensor, "N 12"]:
    """The residual with which the teacher would have sent these targets."""
    reference = env.reference.joint_pos + env.reference.feed_forward
    return (targets - reference) / lower_teacher.RESIDUAL_SCALE


class Distillation:
    """Alternates between acting (a mixture of teacher and student) and regression on the teacher's actions."""

    def __init__(
        self, env: LowerTraining, teacher: Actor, student: Actor, config: DistillationConfig, generator: torch.Generator
    ) -> None:
        self.env, self.teacher, self.student, self.config = env, teacher, student, config
        self.generator = generator
        self.optimizer = torch.optim.Adam(student.parameters(), lr=config.learning_rate)
        self.buffer = SampleBuffer(config.buffer_size, len(student.normalizer.mean), lower.LAYOUT.action_size)
        self.progress = 0.0

    def iterate(self) -> dict[str, float]:
        """One round; returns scalars."""
        log = self._collect()
        rate = 0.05 + 0.95 * 0.5 * (1.0 + torch.cos(torch.tensor(torch.pi * self.progress)).item())
        for group in self.optimizer.param_groups:
            group["lr"] = rate * self.config.learning_rate
        log["imitation_loss"] = self._fit()
        return log

    @torch.no_grad()
    def _collect(self) -> dict[str, float]:
        env, steps = self.env, self.config.steps_per_iteration
        sums: dict[str, float] = {}
        teacher_acts = max(0.0, 1.0 - self.progress / self.config.teacher_share)
        for _ in range(steps):
            obs = env.student_observation()
            wanted = teacher_targets(env, self.teacher)
            label = lower.unmirror_action(lower.action_of(wanted), env.command)
            self.student.normalizer.update(obs)
            self.buffer.add(obs, label)
            chosen = lower.leg_targets(lower.unmirror_action(self.student(obs), env.command))
            by_teacher = torch.rand(len(obs), 1, generator=self.generator) < teacher_acts
            targets = torch.where(by_teacher, wanted, chosen)
            step: EnvStep = env.step_targets(targets, residual_of(env, targets))
            for name, value in step.log.items():
                sums[name] = sums.get(name, 0.0) + float(value) / steps
        return sums

    def _fit(self) -> float:
        total = 0.0
        for _ in range(self.config.updates):
            obs, action = self.buffer.sample(self.config.batch_size, self.generator)
            loss = torch.nn.functional.smooth_l1_loss(self.student(obs), action, beta=0.1)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
            self.optimizer.step()
            total += float(loss.detach()) / self.config.updates
        return total
