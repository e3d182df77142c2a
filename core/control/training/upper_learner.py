"""How pi_upper is trained: PPO in `UpperTraining`, an iteration at a time."""

from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from core.control.training.upper_config import UpperLearnerConfig
from core.control.training.upper_episodes import legs_path
from core.control.training.upper_training import UpperTraining, ramp
from core.control.upper import LAYOUT, UpperController
from core.rl.env import Observation
from core.rl.networks import Actor, ActorCritic
from core.rl.ppo import Ppo
from core.rl.ppo_config import PpoConfig

CRITIC_SHARE = 0.03
"""Share of a training from a given policy in which only the new critic learns."""


class UpperLearner:
    """One training of pi_upper; can be stopped and resumed bit for bit between iterations."""

    def __init__(self, config: UpperLearnerConfig, seed: int, num_threads: int = 0) -> None:
        torch.manual_seed(seed)
        self.config = config
        self.total_steps = 0
        self.progress = 0.0
        self.env = UpperTraining(config.env, seed, num_threads)
        size = LAYOUT.obs_size
        model = ActorCritic(size, size, LAYOUT.action_size, config.networks)
        if config.begin_with is not None:
            model.actor.load_state_dict(UpperController.load(config.begin_with).actor.state_dict())
        self.ppo = Ppo(model, config.ppo, seed)
        self._observation: Observation | None = None

    @property
    def done(self) -> bool:
        """The planned steps are made, or the time is spent."""
        return self.progress >= 1.0

    @property
    def phase_name(self) -> str:
        return "ppo"

    def iterate(self, time_share: float = 0.0) -> dict[str, float]:
        """One rollout and update; returns scalars. `time_share` is the part of the time budget that is spent."""
        if self._observation is None:
            self._observation = self.env.reset()
        self._teach_critic_first()
        self.env.progress = self.progress
        self.ppo.learning_rate_cap = final_anneal(self.config.ppo, self.progress)
        rollout, self._observation = self.ppo.collect(self.env, self._observation)
        scalars = self.ppo.update(rollout) | rollout.log
        self.total_steps += self.env.num_agents // 2 * self.config.ppo.steps_per_iteration
        self.progress = min(1.0, max(self.total_steps / self.config.steps, time_share))
        return scalars

    def _teach_critic_first(self) -> None:
        """A policy that was brought along is not to be changed by a critic that knows nothing."""
        if self.config.begin_with is None:
            return
        actor = self.ppo.model.actor
        learns = self.progress >= CRITIC_SHARE
        if learns and not actor.log_std.requires_grad:
            self.ppo.learning_rate = self.config.ppo.min_learning_rate
        actor.requires_grad_(learns)

    def headline(self, scalars: dict[str, float]) -> str:
        """What to show beside the progress bar."""
        names = (group.kind.name for group in self.env.groups)
        return ", ".join(
            f"{name} {scalars[f'{name}/position_error_cm']:.2f} cm {scalars[f'{name}/rotation_error_deg']:.1f} deg"
            for name in names
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Learner, optimiser, environment, simulator: all that the next iteration depends on."""
        state = {f"ppo.{name}": value for name, value in self.ppo.state_dict().items()}
        if self._observation is not None:
            state |= {f"env.{name}": value for name, value in self.env.state_dict().items()}
        state["total_steps"] = torch.tensor(self.total_steps)
        state["progress"] = torch.tensor(self.progress, dtype=torch.float64)
        return state

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Inverse of `state_dict`."""
        self.ppo.load_state_dict(_sub(state, "ppo."))
        self.total_steps, self.progress = int(state["total_steps"]), float(state["progress"])
        env = _sub(state, "env.")
        self._observation = self.env.load_state_dict(env) if env else None

    def deployed(self) -> tuple[Actor, dict[str, Any]]:
        """The network as shipped, and the metadata that `UpperController.load` needs; which legs walked."""
        episodes = self.config.env.episodes
        metadata: dict[str, Any] = {"actor_hidden": list(self.config.networks.actor_hidden)}
        if episodes.walk_worlds:
            metadata["legs_sha256"] = sha256(legs_path(episodes).read_bytes()).hexdigest()
        return self.ppo.model.actor, metadata

    def close(self) -> None:
        """Release the simulators."""
        self.env.close()


def final_anneal(ppo: PpoConfig, progress: float) -> float:
    """Cap of the learning rate: falls exponentially to a hundredth over the last 40 %, so that the last policy is
    not a random one of those that the updates jump between (0.3 to 0.5 cm within one training)."""
    return max(ppo.min_learning_rate, ppo.max_learning_rate * 0.01 ** ramp(progress, 0.6, 1.0))


def _sub(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
