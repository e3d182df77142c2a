"""The one loop: source (10 Hz) -> safety filter -> whole-body controller (50 Hz) -> backend, for N worlds at once.

Demonstrations, evaluation, teleoperation and hardware differ in the source and the backend, in nothing else.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from core.backends.base import Backend, HoldingBackend, InitialState, Physics, StepReport
from core.control.safety import Interventions, SafetyFilter
from core.control.stop import StopLatch, StopLevel
from core.planners.base import Source
from core.tasks.base import Task, TaskParameters
from core.types import CONTROL_STEPS_PER_COMMAND, Batched, Command, JointTarget, WorldState

B = TypeVar("B", bound=Batched)


@runtime_checkable
class SeededSource(Protocol):
    """A source that draws at random: told the seeds of the episodes so that each can be repeated by itself."""

    def seed(self, worlds: Int[Tensor, "M"], seeds: Sequence[int]) -> None:
        """Called before `reset` of the same worlds."""
        ...


@runtime_checkable
class TimedSource(Protocol):
    """A source whose commands come from outside and can be late."""

    def age_s(self) -> float:
        """Seconds since the last sign of the operator or the policy."""
        ...


@runtime_checkable
class HoldingSource(Protocol):
    """A source that may have nothing to say: then the robot holds, and the source goes on being asked."""

    def hold_reason(self) -> str:
        """Why the command that `act` gave last must not be sent, '' when it may."""
        ...


@runtime_checkable
class Controller(Protocol):
    """The whole-body controller, as the loop sees it."""

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """New episodes begin in some worlds."""
        ...

    def act(self, state: WorldState, command: Command, stop: Bool[Tensor, "N"] | None = None) -> JointTarget:
        """Joint targets of one control period; `stop` rows are damped."""
        ...


@dataclass(frozen=True)
class EpisodeStart:
    """An episode that begins in one world."""

    world: int
    index: int
    "0, 1, ... in this rollout"
    seed: int
    initial: InitialState
    "one row"
    physics: Physics
    "one row"
    parameters: TaskParameters
    "one row"


@dataclass(frozen=True)
class EpisodeEnd:
    """An episode that ended in one world."""

    world: int
    index: int
    seed: int
    success: bool
    reason: str
    duration_s: float


@dataclass(frozen=True)
class CommandSent:
    """One command period: what was seen, what was asked for and what was sent."""

    state: WorldState
    "from which the command was made; overwritten by the next step, so copy what is kept"
    wanted: Command
    "what the source asked for; the command sent where a stop or a hold kept the source from being asked"
    sent: Command
    active: Bool[Tensor, "N"]
    "(N,) worlds in which an episode runs"
    state_time_s: float
    "monotonic, when the state was read"
    sent_time_s: float
    "monotonic, when the command was handed to the controller"
    interventions: Interventions


class Observer:
    """Looks on: a recorder, telemetry, a progress bar. Override what is needed."""

    def episode_began(self, start: EpisodeStart) -> None:
        """An episode begins; its state is set, no command was sent yet."""

    def command_sent(self, record: CommandSent) -> None:
        """A command was handed to the controller (10 Hz)."""

    def episode_ended(self, end: EpisodeEnd) -> None:
        """An episode is decided or was ended from outside."""


@dataclass
class StageTimes:
    """Seconds that each stage took in the last control period."""

    source_s: float = 0.0
    safety_s: float = 0.0
    controller_s: float = 0.0
    backend_s: float = 0.0


NextSeed = Callable[[], int | None]
"""Seed of the next episode, None when no more shall begin: the world then stands and holds."""

NOT_FINITE_TARGET = "controller output was not a number"
DIVERGED = "simulation diverged"


class Rollout:
    """Runs episodes in N worlds; `step` advances all of them by one control period."""

    def __init__(
        self,
        task: Task,
        backend: Backend,
        source: Source,
        safety: SafetyFilter,
        controller: Controller,
        next_seed: NextSeed,
        observers: Sequence[Observer] = (),
        stop: StopLatch | None = None,
        hold_reason: Callable[[], str] = lambda: "",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """hold_reason says why every world must hold just now (no heartbeat), '' when it need not."""
        self.task = task
        self.backend = backend
        self.source = source
        self.safety = safety
        self.controller = controller
        self.next_seed = next_seed
        self.observers = list(observers)
        self.stop = stop or StopLatch()
        self.times = StageTimes()
        self.ticks = 0
        self._until_command = 0
        self.episodes_begun = 0
        n = task.num_worlds
        self.active = torch.zeros(n, dtype=torch.bool)
        self.episode_index: list[int] = [-1] * n
        self.episode_seed: list[int] = [-1] * n
        self.success = torch.zeros(n, dtype=torch.bool)
        self.stop_obeyed = StopLevel.NONE
        "the level that the last joint targets obeyed"
        self.stop_obeyed_s = 0.0
        "when that changed: the targets had been handed to the backend"
        self.holding = ""
        "why the last command was held, '' when it was not"
        self._external_hold = hold_reason
        self._blind = backend.hold_reason if isinstance(backend, HoldingBackend) else lambda: ""
        self._now = now
        self._diverged = torch.zeros(n, dtype=torch.bool)
        self._bad_target = torch.zeros(n, dtype=torch.bool)
        self.state: WorldState = backend.read_state()
        self._state_time_s = now()
        self.target: JointTarget | None = None

    # ------------------------------------------------------------------ episodes

    def begin(self, worlds: Int[Tensor, "M"] | None = None) -> None:
        """Begin an episode in each of the worlds (default: all), as far as there are seeds."""
        worlds = torch.arange(self.task.num_worlds) if worlds is None else worlds
        started = [self._draw(int(world)) for world in worlds]
        starts = [start for start in started if start is not None]
        if starts:
            if not bool(self.active.any()):
                self._until_command = 0  # nobody else keeps the rhythm: the first command comes at once
            self._reset(starts)
        for start in starts:
            for observer in self.observers:
                observer.episode_began(start)

    def _draw(self, world: int) -> EpisodeStart | None:
        """The start of the world's next episode, from a generator of its own seed; None when there is none."""
        seed = self.next_seed()
        if seed is None:
            return None
        generator = torch.Generator().manual_seed(seed)
        initial, physics, parameters = self.task.sample_initial(1, generator)
        index, self.episodes_begun = self.episodes_begun, self.episodes_begun + 1
        return EpisodeStart(world, index, seed, initial, physics, parameters)

    def _reset(self, starts: list[EpisodeStart]) -> None:
        worlds = torch.tensor([start.world for start in starts])
        initial = concatenate([start.initial for start in starts])
        physics = concatenate([start.physics for start in starts])
        parameters = {name: torch.cat([s.parameters[name] for s in starts]) for name in starts[0].parameters}
        self.backend.reset(worlds, initial, physics)
        self.task.reset(worlds, parameters)
        self._read_state()
        if isinstance(self.source, SeededSource):
            self.source.seed(worlds, [start.seed for start in starts])
        self.source.reset(worlds, self.state)
        self.safety.reset(worlds, self.state)
        self.controller.reset(worlds, self.state)
        for flags in (self.success, self._diverged, self._bad_target):
            flags[worlds] = False
        self.active[worlds] = True
        for start in starts:
            self.episode_index[start.world], self.episode_seed[start.world] = start.index, start.seed

    def begin_here(self) -> None:
        """The robots were moved from outside the loop: what remembers the past begins anew where they are now."""
        worlds = torch.arange(self.task.num_worlds)
        self._read_state()
        self.source.reset(worlds, self.state)
        self.safety.reset(worlds, self.state)
        self.controller.reset(worlds, self.state)
        self._until_command = 0

    def end(self, worlds: Int[Tensor, "M"], reason: str) -> None:
        """End running episodes from outside, as failures; the worlds hold until `begin`."""
        for world in worlds[self.active[worlds]].tolist():
            self._close(world, success=False, reason=reason)

    def _close(self, world: int, success: bool, reason: str) -> None:
        self.active[world] = False
        duration_s = float(self.state.time_s[world])
        end = EpisodeEnd(world, self.episode_index[world], self.episode_seed[world], success, reason, duration_s)
        for observer in self.observers:
            observer.episode_ended(end)

    def _judge(self) -> None:
        """Once a command: end what is decided and begin anew in those worlds."""
        status = self.task.update(self.state)
        self.success = status.success & self.active
        ended = self.active & (status.done | self._diverged | self._bad_target)
        if not bool(ended.any()):
            return
        worlds = ended.nonzero()[:, 0]
        reasons = status.reason
        for world in worlds.tolist():
            if self._diverged[world] or self._bad_target[world]:
                why = DIVERGED if self._diverged[world] else NOT_FINITE_TARGET
                self._close(world, success=False, reason=why)
            else:
                self._close(world, bool(status.success[world]), reasons[world])
        self.begin(worlds)

    # ------------------------------------------------------------------ the loop

    def step(self) -> None:
        """One control period. Every fifth asks the source, after episodes that are decided have been replaced."""
        if self._until_command == 0:
            if self.ticks:
                self._judge()
            self._command()
            self._until_command = CONTROL_STEPS_PER_COMMAND
        level = self.stop.level
        command = self._held_command(level)
        self._control(command, level)
        self.ticks += 1
        self._until_command -= 1

    def _hold_reason(self, level: StopLevel) -> str:
        if level != StopLevel.NONE:
            return "soft stop" if level == StopLevel.SOFT else "hard stop"
        return self._external_hold() or self._blind()

    def _command(self) -> None:
        """Ask the source and filter what it says; while the robot is stopped or held the source waits."""
        started = self._now()
        self.holding = self._hold_reason(self.stop.level)
        wanted = None if self.holding else self.source.act(self.state)
        if wanted is not None and isinstance(self.source, HoldingSource):
            self.holding = self.source.hold_reason()
        asked = self._now()
        if wanted is None or self.holding:
            wanted = sent = self.safety.hold(torch.ones(self.task.num_worlds, dtype=torch.bool))
            found: Interventions = {}
        else:
            sent, found = self._filter(wanted)
            self.holding = self._filter_hold(found)
        sent_time_s = self._now()
        self.times.source_s, self.times.safety_s = asked - started, sent_time_s - asked
        record = CommandSent(self.state, wanted, sent, self.active.clone(), self._state_time_s, sent_time_s, found)
        for observer in self.observers:
            observer.command_sent(record)

    def _filter(self, wanted: Command) -> tuple[Command, Interventions]:
        """What may be sent of it; worlds without an episode hold."""
        age_s = self.source.age_s() if isinstance(self.source, TimedSource) else 0.0
        sent, found = self.safety.filter(wanted, torch.full((self.task.num_worlds,), age_s), self.state)
        return (sent if bool(self.active.all()) else self.safety.hold(~self.active)), found

    def _filter_hold(self, found: Interventions) -> str:
        """Why world 0 holds, as the filter found it (live sessions have one world)."""
        if bool(found["stale"][0]):
            return "stale command"
        return "not a number" if bool(found["not_finite"][0]) else ""

    def _held_command(self, level: StopLevel) -> Command:
        """What was sent last, or a hold when a stop or a silent operator came between two commands."""
        reason = self._hold_reason(level)
        if not reason and isinstance(self.source, TimedSource):
            reason = "stale command" if self.source.age_s() > self.safety.limits.stale_after_s else ""
        if not reason:
            return self.safety.sent
        self.holding = reason
        return self.safety.hold(torch.ones(self.task.num_worlds, dtype=torch.bool))

    def _control(self, command: Command, level: StopLevel) -> None:
        started = self._now()
        damped = torch.full((self.task.num_worlds,), level == StopLevel.HARD)
        target = self.controller.act(self.state, command, damped)
        target = self._guard(target, damped)
        controlled = self._now()
        report: StepReport = self.backend.step(target)
        self._diverged |= report.diverged
        self.target = target
        self._read_state()
        self.times.controller_s = controlled - started
        self.times.backend_s = self._state_time_s - controlled
        if level != self.stop_obeyed:
            self.stop_obeyed, self.stop_obeyed_s = level, controlled

    def _guard(self, target: JointTarget, damped: Bool[Tensor, "N"]) -> JointTarget:
        """Joint targets that are not finite become damping; so does a hard stop, whatever the controller did."""
        bad = ~(target.position.isfinite().all(dim=-1) & target.gripper_opening.isfinite().all(dim=-1))
        if not bool(bad.any()):
            return replace(target, damping=target.damping | damped)
        self._bad_target |= bad
        return JointTarget(
            position=torch.where(bad[:, None], self.state.joint_pos, target.position),
            gripper_opening=torch.where(bad[:, None], self.state.gripper_opening, target.gripper_opening),
            damping=target.damping | damped | bad,
        )

    def _read_state(self) -> None:
        self.state = self.backend.read_state()
        self._state_time_s = self._now()


def concatenate(items: Sequence[B]) -> B:
    """Rows of several batched dataclasses with the same fields, one after the other."""
    first = items[0]
    if len(items) == 1:
        return first
    values: dict[str, Any] = {}
    for item in fields(first):  # type: ignore[arg-type]  # Batched subclasses are dataclasses
        column = [getattr(one, item.name) for one in items]
        values[item.name] = _concatenate_field(column)
    return replace(first, **values)  # type: ignore[type-var]


def _concatenate_field(column: Sequence[Any]) -> Any:
    if isinstance(column[0], Tensor):
        return torch.cat(list(column))
    if isinstance(column[0], dict):
        return {name: _concatenate_field([one[name] for one in column]) for name in column[0]}
    return concatenate(column)
