"""Plays a planner: keeps each world's last observations, asks for chunks of commands, gives them out one by one."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.policy.layout import PlannerLayout
from core.policy.memory import Memory
from core.policy.planner import Planner
from core.tasks.base import Task, observation_vector
from core.types import Command, WorldState


class ChunkPlayer:
    """A `Source`: replans each world after `executed_steps` of its own commands.

    The noise of a world comes from its episode's seed, whatever the other worlds do. While the loop holds the robot,
    it is not asked: the history then has a gap and the chunk goes on where it was.
    """

    name = "policy"

    def __init__(self, planner: Planner, task: Task, executed_steps: int, seed: int = 0) -> None:
        """Raises LayoutError when the planner is not for this task, ValueError for a bad number of executed steps."""
        layout = planner.layout
        layout.check_fits(PlannerLayout.of_task(task), f"task {task.name!r}")
        if not 1 <= executed_steps <= layout.action_chunk:
            raise ValueError(
                f"executed_steps must lie between 1 and the chunk of {layout.action_chunk}, got {executed_steps}"
            )
        self.planner = planner.eval()
        self.task = task
        self.executed_steps = executed_steps
        n = task.num_worlds
        self.memory = Memory(n, layout.observation_horizon, layout.observation_size, seed)
        self.chunk = torch.zeros(n, layout.action_chunk, Command.SIZE)
        "(N, Tp, 19), the chunk being played"
        self.position = torch.zeros(n, dtype=torch.long)
        "(N,) commands of the chunk already given; 0: plan before the next one"
        self.plans = torch.zeros(n, dtype=torch.long)
        "(N,) chunks planned in the running episode"

    @property
    def history(self) -> Float[Tensor, "N To Do"]:
        """(N, To, Do) the last observations, the newest last."""
        return self.memory.history

    def seed(self, worlds: Int[Tensor, "M"], seeds: Sequence[int]) -> None:
        """Sample the next episodes of some worlds from these seeds."""
        self.memory.seed(worlds, seeds)

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """New episodes in some worlds: their histories begin anew with the next observation."""
        del state
        self.memory.begin(worlds)
        self.position[worlds] = 0
        self.plans[worlds] = 0

    def act(self, state: WorldState) -> Command:
        """The next command of each world's chunk."""
        self.memory.remember(observation_vector(self.task.observation(state)).cpu())
        worlds = (self.position == 0).nonzero()[:, 0]
        if len(worlds):
            self.chunk[worlds] = self._plan(worlds)
            self.plans[worlds] += 1
        vector = self.chunk[torch.arange(len(self.position)), self.position]
        self.position = (self.position + 1) % self.executed_steps
        return Command.from_vector(vector)

    @torch.inference_mode()
    def _plan(self, worlds: Int[Tensor, "M"]) -> Float[Tensor, "M Tp 19"]:
        device = self.planner.device
        obs = self.history[worlds].to(device)
        return self.planner.plan(obs, self._noise(worlds, self.planner.noise_count).to(device)).cpu()

    def _noise(self, worlds: Int[Tensor, "M"], count: int) -> Float[Tensor, "Z M Tp Da"]:
        """`count` chunks of standard normal noise, each world's from its own generator."""
        layout = self.planner.layout
        return self.memory.noise(worlds, count, (layout.action_chunk, layout.action_size))
