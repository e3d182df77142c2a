"""Plays a planner that runs beside the loop: asks early, plays what is there, holds when nothing came for too long."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.control.safety import measured_hold
from core.policy.layout import PlannerLayout
from core.policy.live_config import LiveConfig, PlannerStats
from core.policy.memory import Memory
from core.tasks.base import Task, observation_vector
from core.types import Command, WorldState

LATENCIES_KEPT = 200
"""Percentiles are over so many chunks: under three minutes of replanning every 0.8 s."""
_numbers = itertools.count(1)
"""Of requests, over all players: an answer to the player before is not taken for one's own."""
NO_PLAN = "waiting for the planner's first chunk"


@dataclass(frozen=True)
class PlanRequest:
    """What a planner needs for one chunk."""

    number: int
    "counts up; the answer repeats it"
    obs: Float[Tensor, "To Do"]
    "the last observations, SI units"
    noise: Float[Tensor, "Z 1 Tp Da"]


@dataclass(frozen=True)
class PlanAnswer:
    """A chunk, or why there is none."""

    number: int
    chunk: Tensor | None
    "(Tp, 19) as the planner said it: whoever plays it looks at its shape and its numbers first"
    error: str = ""
    arrived_s: float | None = None
    "when it came, by the player's clock; None: just now. The player looks only ten times a second"


@runtime_checkable
class PlanLink(Protocol):
    """The planner, wherever it runs. No call blocks, except `take` for as long as it is told to."""

    @property
    def noise_count(self) -> int:
        """Chunks of noise that a plan consumes, Z."""
        ...

    @property
    def executed_steps(self) -> int:
        """Ta, commands of a chunk after which the next one is asked for."""
        ...

    @property
    def restarts(self) -> int:
        """How often the planner had to be started again."""
        ...

    def trouble(self) -> str:
        """Why it cannot plan just now, '' when it can."""
        ...

    def begin(self) -> None:
        """An episode begins: read the newest weights, forget what was asked."""
        ...

    def ask(self, request: PlanRequest) -> None:
        """Ask for a chunk; replaces a request that has not been answered."""
        ...

    def take(self, timeout_s: float) -> list[PlanAnswer]:
        """What has come, oldest first; waits at most `timeout_s` for the first answer to the last request."""
        ...


class LivePlayer:
    """A `Source` for one world. Row i of a chunk is for the command i periods after the observation it was made from.

    The next chunk is asked for after `executed_steps` commands, as in `ChunkPlayer`; the rest of the old one covers
    the time until it comes, and the new one begins at the row whose time it is. Times are those of the state, so a
    pause or a hold from outside leaves no plan behind that belongs to the past.
    """

    name = "policy"

    def __init__(
        self,
        link: PlanLink,
        task: Task,
        layout: PlannerLayout,
        config: LiveConfig,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ValueError for a task of several worlds: those are evaluated in lock-step, by `ChunkPlayer`."""
        if task.num_worlds != 1:
            raise ValueError(f"a live planner drives one world, the task has {task.num_worlds}")
        self.link = link
        self.task = task
        self.layout = layout
        self.config = config
        self.memory = Memory(1, layout.observation_horizon, layout.observation_size)
        self._now = now
        self._world = torch.tensor([0])
        self._chunk: Tensor | None = None
        self._origin = 0
        "command to which row 0 of the chunk belongs"
        self._asked: tuple[int, int, float] | None = None
        "number, command and time of the request that is out"
        self._wanted_since: int | None = None
        "command at which the next chunk began to be wanted"
        self._last: int | None = None
        "the command before"
        self._reason = ""
        self._complaint = ""
        "what was wrong with the last answer"
        self._latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._counts = dict.fromkeys(("chunks", "late", "late_commands", "held", "rejected"), 0)

    # ------------------------------------------------------------------ what the loop asks

    def seed(self, worlds: Int[Tensor, "M"], seeds: Sequence[int]) -> None:
        """The noise of the next episode."""
        self.memory.seed(worlds, seeds)

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """A new episode, planned with the newest weights."""
        del state
        self._forget()
        self.link.begin()

    def act(self, state: WorldState) -> Command:
        """The command for now; never waits for the planner in real time."""
        now = self._command(state)
        if self._last is not None and now - self._last not in (0, 1):
            self._forget()  # held from outside meanwhile: neither plan nor history belong to what is seen now
        self._last = now
        self.memory.remember(observation_vector(self.task.observation(state)).cpu())
        self._take(now, 0.0)
        if self._needs(now):
            if self._wanted_since is None and (self._chunk is not None or not self.link.trouble()):
                self._wanted_since = now  # while the planner is being loaded nothing is late
            if self._may_ask(now):
                self._ask(now)
                self._take(now, self.config.wait_s)
        self._reason = self._why_hold(now)
        if self._reason or self._chunk is None:
            self._counts["held"] += 1
            return measured_hold(state)
        return Command.from_vector(self._chunk[now - self._origin][None])

    def hold_reason(self) -> str:
        """Why the last command must be a hold, '' when it need not."""
        return self._reason

    def stats(self) -> PlannerStats:
        """For the status bar."""
        p50, p99 = np.percentile(self._latencies_ms, (50, 99)) if self._latencies_ms else (0.0, 0.0)
        return PlannerStats(
            **self._counts, latency_p50_ms=float(p50), latency_p99_ms=float(p99), restarts=self.link.restarts
        )

    # ------------------------------------------------------------------ chunks

    def _command(self, state: WorldState) -> int:
        """Index of the command that is due now."""
        return round(float(state.time_s[0]) * self.layout.command_hz)

    def _forget(self) -> None:
        self.memory.begin(self._world)
        self._chunk, self._asked, self._wanted_since, self._last = None, None, None, None
        self._reason, self._complaint = "", ""

    def _needs(self, now: int) -> bool:
        """Whether another chunk is due: the executed steps are over, or there is none."""
        return self._chunk is None or now - self._origin >= self.link.executed_steps

    def _may_ask(self, now: int) -> bool:
        """Whether asking helps: the planner can plan, and no request is out whose answer could still be played."""
        if self.link.trouble():
            return False
        return self._asked is None or now - self._asked[1] >= self.layout.action_chunk

    def _ask(self, now: int) -> None:
        shape = (self.layout.action_chunk, self.layout.action_size)
        noise = self.memory.noise(self._world, self.link.noise_count, shape)
        number = next(_numbers)
        if self._asked is not None:
            self._counts["rejected"] += 1  # never answered, and no use any more
        self._asked = number, now, self._now()
        self.link.ask(PlanRequest(number, self.memory.history[0].clone(), noise))

    def _take(self, now: int, timeout_s: float) -> None:
        for answer in self.link.take(timeout_s):
            if self._asked is None or answer.number != self._asked[0]:
                continue  # to a question of an earlier episode, or one that was given up and counted
            _, origin, asked_s = self._asked
            self._asked = None
            self._complaint = self._fault(answer, now - origin)
            if self._complaint:
                self._counts["rejected"] += 1
                continue
            assert answer.chunk is not None
            arrived_s = self._now() if answer.arrived_s is None else answer.arrived_s
            self._latencies_ms.append(1e3 * (arrived_s - asked_s))
            self._counts["chunks"] += 1
            self._chunk, self._origin, self._wanted_since = answer.chunk, origin, None

    def _fault(self, answer: PlanAnswer, row: int) -> str:
        """What is wrong with an answer, '' when it can be played from `row` on."""
        wanted = (self.layout.action_chunk, Command.SIZE)
        if answer.chunk is None:
            return answer.error or "the planner gave no chunk"
        if tuple(answer.chunk.shape) != wanted or answer.chunk.dtype != torch.float32:
            shape = "x".join(map(str, answer.chunk.shape))
            return f"the planner sent a chunk of {shape} {answer.chunk.dtype}, not {wanted[0]}x{wanted[1]} float32"
        if not bool(answer.chunk.isfinite().all()):
            return "the planner sent what is not a number"
        return "the planner's chunk came too late to be played" if row >= self.layout.action_chunk else ""

    def _why_hold(self, now: int) -> str:
        """Counts lateness; says why nothing can be played, '' when something can."""
        late = self._late(now)
        self._counts["late"] += late == 1
        self._counts["late_commands"] += late > 0
        over = self._chunk is None or now - self._origin >= self.layout.action_chunk
        if not over and late < self.config.hold_after:
            return ""
        cause = self.link.trouble() or self._complaint
        if self._chunk is None:
            return cause or NO_PLAN
        return cause or f"no chunk from the planner for {max(late, 0) / self.layout.command_hz:.1f} s"

    def _late(self, now: int) -> int:
        """How many commands ago the next chunk should have been there; 0 or less: it is not late."""
        if self._wanted_since is None:
            return 0
        return now - self._wanted_since - self.config.ahead + 1
