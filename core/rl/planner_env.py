"""A task as a decision process of chunks, on top of the one loop: N worlds explore, every decision is written down."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.backends.base import Backend
from core.control.safety import SafetyFilter, SafetyLimits
from core.policy.chunks import ChunkPlayer
from core.policy.features import command_from_features
from core.rl.chains import Chain
from core.rl.decisions import Decisions
from core.rollout import Controller, EpisodeEnd, Observer, Rollout
from core.tasks.base import Task, observation_vector
from core.types import CONTROL_PERIOD_S, WorldState


class Explorer(ChunkPlayer):
    """Plays exploring chunks of a chain and keeps what was seen and decided."""

    name = "exploring policy"

    def __init__(self, chain: Chain, task: Task, executed_steps: int) -> None:
        """Raises LayoutError when the planner is not for this task, ValueError for a bad number of executed steps."""
        super().__init__(chain.planner, task, executed_steps)
        self.chain = chain
        self.worlds: list[Tensor] = []
        self.obs: list[Tensor] = []
        self.chains: list[Tensor] = []
        self.decisions = 0
        self.sampling_s = 0.0
        "wall time spent on sampling chunks"

    @torch.no_grad()
    def _plan(self, worlds: Int[Tensor, "M"]) -> Float[Tensor, "M Tp 19"]:
        started_s = time.perf_counter()
        obs = self.normalized(self.history[worlds])
        noise = self._noise(worlds, self.chain.noise_count)
        chain = self.chain.sample(obs, noise.to(self.planner.device))
        self.worlds.append(worlds)
        self.obs.append(obs.cpu())
        self.chains.append(chain.cpu())
        self.decisions += len(worlds)
        commands = command_from_features(self.planner.actions.unnormalize(chain[:, -1])).cpu()
        self.sampling_s += time.perf_counter() - started_s
        return commands

    @torch.no_grad()
    def led_to(self, world: int, state: WorldState) -> Float[Tensor, "To Do"]:
        """Normalised observations of a world as they would be if it went on from this state."""
        now = observation_vector(self.task.observation(state))[world].cpu()
        return self.normalized(torch.cat((self.history[world, 1:], now[None]))).cpu()

    def normalized(self, history: Float[Tensor, "*n Do"]) -> Float[Tensor, "*n Do"]:
        """Observations as the planner sees them."""
        return self.planner.observations.normalize(history.to(self.planner.device))


@dataclass
class _Outcome:
    """How an episode that ended treated its last decision."""

    reward: float
    terminated: bool
    final_obs: Tensor | None
    "of a truncation"


@dataclass
class _Ledger(Observer):
    """Books the outcome of every episode under its world's last decision."""

    explorer: Explorer
    time_limit_s: float
    time_limit_truncates: bool
    last: list[int]
    "of each world: number of its newest decision, -1 before the first one of an episode"
    state: Callable[[], WorldState]
    ends: list[EpisodeEnd] = field(default_factory=list)
    outcomes: dict[int, _Outcome] = field(default_factory=dict)
    "decision -> what happened during it"

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Called before the world begins anew: the state is the episode's last one."""
        self.ends.append(end)
        late = not end.success and end.duration_s >= self.time_limit_s - 0.5 * CONTROL_PERIOD_S
        truncated = late and self.time_limit_truncates
        decision, self.last[end.world] = self.last[end.world], -1
        final_obs = self.explorer.led_to(end.world, self.state()) if truncated else None
        self.outcomes[decision] = _Outcome(float(end.success), not truncated, final_obs)

    def drop_running(self, first: list[bool]) -> set[int]:
        """Cut off the episodes that still run before their newest decisions, which were not executed to their ends.

        Returns those decisions. The ones before them led to what these saw.
        """
        running = {decision for decision in self.last if decision >= 0}
        obs, worlds = torch.cat(self.explorer.obs), torch.cat(self.explorer.worlds)
        for decision in running:
            if not first[decision]:
                before = int((worlds[:decision] == worlds[decision]).nonzero()[-1])
                self.outcomes[before] = _Outcome(0.0, False, obs[decision])
        return running


@dataclass(frozen=True)
class Experience:
    """An iteration's worth of exploring."""

    decisions: Decisions
    ends: tuple[EpisodeEnd, ...]
    "every episode that ended, in order"
    first_ends: tuple[EpisodeEnd, ...]
    "the first episode of every world: counting any others would favour short ones"
    sampling_s: float
    simulation_s: float

    @property
    def successes(self) -> int:
        """Of the first episodes."""
        return sum(end.success for end in self.first_ends)


@dataclass
class PlannerEnv:
    """A task with everything below the planner, built once."""

    task: Task
    backend: Backend
    controller: Controller
    executed_steps: int
    "Ta, commands of a chunk that are executed before the next decision"
    limits: SafetyLimits = field(default_factory=SafetyLimits)
    time_limit_truncates: bool = True
    "an episode that runs out of time is cut off, not ended: the planner sees no clock"

    def collect(
        self,
        chain: Chain,
        seeds: Iterator[int],
        observers: Sequence[Observer] = (),
        after_step: Callable[[Rollout], None] = lambda rollout: None,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> Experience | None:
        """Explore until the first episode of every world is decided; worlds that are done begin further ones.

        All worlds begin anew, so what comes out depends on weights and seeds alone. What then still runs is cut off.
        Reward is 1 when an episode succeeds and 0 otherwise (B70). `seeds` must not end. None when it was stopped.
        """
        started_s = time.perf_counter()
        explorer = Explorer(chain, self.task, self.executed_steps)
        n = self.task.num_worlds
        rollout: Rollout | None = None

        def state() -> WorldState:
            assert rollout is not None
            return rollout.state

        ledger = _Ledger(explorer, self.task.time_limit_s, self.time_limit_truncates, [-1] * n, state)
        watchers = (ledger, *observers)
        safety = SafetyFilter(self.limits)
        rollout = Rollout(self.task, self.backend, explorer, safety, self.controller, seeds.__next__, watchers)
        rollout.begin()
        first: list[bool] = []
        while sum(end.index < n for end in ledger.ends) < n:
            if stop_requested():
                return None
            known = len(explorer.worlds)
            rollout.step()
            _note_new_decisions(explorer, ledger, known, first)
            after_step(rollout)
        firsts = tuple(end for end in ledger.ends if end.index < n)
        spent_s = time.perf_counter() - started_s
        decisions = _decisions(explorer, ledger, first)
        return Experience(decisions, tuple(ledger.ends), firsts, explorer.sampling_s, spent_s - explorer.sampling_s)


def _note_new_decisions(explorer: Explorer, ledger: _Ledger, known: int, first: list[bool]) -> None:
    """After a control period: each decision it brought becomes its world's newest one."""
    decision = len(first)
    for worlds in explorer.worlds[known:]:
        for world in worlds.tolist():
            first.append(ledger.last[world] < 0)
            ledger.last[world] = decision
            decision += 1


def _decisions(explorer: Explorer, ledger: _Ledger, first: list[bool]) -> Decisions:
    """Every decision whose chunk was executed to its end or to its episode's."""
    dropped = ledger.drop_running(first)
    count = explorer.decisions
    reward, terminated, truncated = torch.zeros(count), torch.zeros(count).bool(), torch.zeros(count).bool()
    for decision, outcome in ledger.outcomes.items():
        reward[decision] = outcome.reward
        terminated[decision], truncated[decision] = outcome.terminated, not outcome.terminated
    keep = torch.tensor([decision not in dropped for decision in range(count)])
    obs = torch.cat(explorer.obs)
    cut = [ledger.outcomes[m].final_obs for m in truncated.nonzero()[:, 0].tolist()]
    final_obs = [one for one in cut if one is not None]
    return Decisions(
        obs=obs[keep],
        chain=torch.cat(explorer.chains)[keep],
        world=torch.cat(explorer.worlds)[keep],
        reward=reward[keep],
        first=torch.tensor(first)[keep],
        terminated=terminated[keep],
        truncated=truncated[keep],
        final_obs=torch.stack(final_obs) if final_obs else obs.new_zeros(0, *obs.shape[1:]),
    )
