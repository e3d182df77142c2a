"""Recorded episodes run again: the recorded commands through the one loop, or the recorded states one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from core.backends.base import Backend, InitialState, Physics
from core.control.safety import SafetyFilter
from core.data.dataset import Episode
from core.data.errors import DatasetError
from core.data.schema import ROBOT
from core.rigid import quat_rotate_inv, rotation_error
from core.rollout import CommandSent, Controller, EpisodeEnd, Observer, Rollout
from core.tasks.base import Task, TaskParameters
from core.types import CONTROL_STEPS_PER_COMMAND, PLANNER_HZ, BodyState, Command, WorldState

Arrays = Mapping[str, np.ndarray]
END_OF_RECORDING = "end of the recording"
"""Reason of a replay that ran out of commands before the task was decided."""


@dataclass(frozen=True)
class Replayed:
    """How far a replay was from the recording, one row a sample."""

    episode: str
    success: bool | None
    "the task's verdict on the replay; None when it ended undecided"
    base_position_m: np.ndarray
    "(T,) distance of the trunk from where it was"
    base_rotation_rad: np.ndarray
    "(T,)"
    joint_position_rad: np.ndarray
    "(T,) root mean square over the joints"
    object_position_m: dict[str, np.ndarray]
    "name -> (T,)"
    observation: dict[str, np.ndarray] = field(default_factory=dict)
    "replay of states only: name -> (T,) largest difference between the recorded observation and that of the state"


def _rows(arrays: Arrays, name: str) -> Tensor:
    if name not in arrays:
        raise DatasetError(f"the episode has no {name}: it cannot be replayed")
    return torch.as_tensor(np.asarray(arrays[name], np.float32))


def initial_states(arrays: Arrays, tree: str = "initial_state") -> InitialState:
    """The states below `tree` ('initial_state' 1 row, 'states' T rows). Raises DatasetError when one is missing."""
    robot = f"{tree}/articulation/{ROBOT}"
    pose, velocity_w = _rows(arrays, f"{robot}/root_pose"), _rows(arrays, f"{robot}/root_velocity")
    prefix = f"{tree}/rigid_object/"
    names = sorted({name.removeprefix(prefix).split("/")[0] for name in arrays if name.startswith(prefix)})
    return InitialState(
        base_pos_w=pose[:, :3],
        base_quat_w=pose[:, 3:],
        joint_pos=_rows(arrays, f"{robot}/joint_position"),
        joint_vel=_rows(arrays, f"{robot}/joint_velocity"),
        base_lin_vel_b=quat_rotate_inv(pose[:, 3:], velocity_w[:, :3]),
        base_ang_vel_b=quat_rotate_inv(pose[:, 3:], velocity_w[:, 3:]),
        gripper_opening=_rows(arrays, f"{robot}/gripper_opening"),
        objects={name: _body(arrays, f"{prefix}{name}") for name in names},
    )


def _body(arrays: Arrays, where: str) -> BodyState:
    pose, velocity = _rows(arrays, f"{where}/root_pose"), _rows(arrays, f"{where}/root_velocity")
    return BodyState(pose[:, :3], pose[:, 3:], velocity[:, :3], velocity[:, 3:])


def recorded_physics(arrays: Arrays) -> Physics:
    """The physical parameters of the episode (1 row); what was not recorded is nominal."""
    physics = Physics.nominal(1)
    for name, value in vars(physics).items():
        if isinstance(value, dict):
            prefix = f"physics/{name}/"
            value.update({k.removeprefix(prefix): _rows(arrays, k)[None] for k in arrays if k.startswith(prefix)})
        elif f"physics/{name}" in arrays:
            setattr(physics, name, _rows(arrays, f"physics/{name}")[None])
    return physics


def recorded_parameters(arrays: Arrays) -> TaskParameters:
    """What the task drew for the episode, 1 row."""
    prefix = "task_parameters/"
    return {name.removeprefix(prefix): _rows(arrays, name)[None] for name in arrays if name.startswith(prefix)}


def command_slots(time_s: np.ndarray) -> np.ndarray:
    """(T,) which command period each sample is of, from their times: a robot's loop may have dropped periods."""
    slots = np.round((time_s - time_s[0]) * PLANNER_HZ).astype(int)
    for i in range(1, len(slots)):
        slots[i] = max(slots[i], slots[i - 1] + 1)
    return slots


def held_between(slots: np.ndarray) -> np.ndarray:
    """(last slot + 1,) index of the sample whose command is in force in each command period."""
    return np.searchsorted(slots, np.arange(slots[-1] + 1), side="right") - 1


class RecordedSource:
    """Gives the commands of an episode one after the other. Implements `Source` for one world."""

    name = "recorded"

    def __init__(self, actions: Float[Tensor, "T 19"]) -> None:
        self._commands = actions
        self._next = 0

    def reset(self, worlds: Int[Tensor, "M"], state: WorldState) -> None:
        """From the first command."""
        self._next = 0

    def act(self, state: WorldState) -> Command:
        """The next command; the last one again after the end."""
        row = min(self._next, len(self._commands) - 1)
        self._next += 1
        return Command.from_vector(self._commands[row : row + 1].clone())


class _RecordedTask:
    """A task of one world whose episode starts as it was recorded."""

    def __init__(self, task: Task, arrays: Arrays) -> None:
        self._task = task
        self._arrays = arrays

    def sample_initial(self, count: int, generator: torch.Generator) -> tuple[InitialState, Physics, TaskParameters]:
        """The recorded start."""
        assert count == 1
        arrays = self._arrays
        return initial_states(arrays), recorded_physics(arrays), recorded_parameters(arrays)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


@dataclass
class _Comparison(Observer):
    """Compares every state from which a command was made with the recorded one."""

    recorded: InitialState
    slots: np.ndarray
    "(T,) command period of each recorded state"
    rows: list[list[float]] = field(default_factory=list)
    commands: int = 0
    success: bool | None = None

    def command_sent(self, record: CommandSent) -> None:
        """One sample, where one was recorded."""
        row, self.commands = len(self.rows), self.commands + 1
        if bool(record.active[0]) and row < len(self.slots) and self.slots[row] == self.commands - 1:
            self.rows.append(distances(record.state, self.recorded.select(torch.tensor([row]))))

    def episode_ended(self, end: EpisodeEnd) -> None:
        """The verdict on the replay."""
        self.success = end.success


def distances(state: WorldState, recorded: InitialState) -> list[float]:
    """Base m, base rad, joints rad (rms), then each recorded object m, of one world."""
    base = (state.base_pos_w - recorded.base_pos_w).norm()
    turn = rotation_error(state.base_quat_w, recorded.base_quat_w).norm()
    joints = (state.joint_pos - recorded.joint_pos).square().mean().sqrt()
    objects = [(state.objects[name].pos_w - body.pos_w).norm() for name, body in recorded.objects.items()]
    return [float(value) for value in (base, turn, joints, *objects)]


def replay_commands(
    episode: Episode,
    task: Task,
    backend: Backend,
    controller: Controller,
    safety: SafetyFilter,
    observers: Sequence[Observer] = (),
) -> Replayed:
    """Run the recorded commands through the loop from the recorded start, one world; open loop, so errors may grow.

    Each command holds as long as it did in the recording. `observers` look on: a recorder, a progress bar.
    """
    arrays = episode.arrays()
    slots = command_slots(arrays["timestamps/sim_s"])
    comparison = _Comparison(initial_states(arrays, "states"), slots)
    task.time_limit_s = max(task.time_limit_s, episode.info.duration_s)  # a person had longer than a planner has
    seeds = iter([episode.info.seed])
    rollout = Rollout(
        _RecordedTask(task, arrays),  # type: ignore[arg-type]  # delegates what it does not override
        backend,
        RecordedSource(_rows(arrays, "actions")[held_between(slots)]),
        safety,
        controller,
        lambda: next(seeds, None),
        (comparison, *observers),
    )
    rollout.begin()
    # one command more than recorded: the verdict comes with the command after the last step
    for _ in range((int(slots[-1]) + 2) * CONTROL_STEPS_PER_COMMAND):
        if comparison.success is not None:
            break
        rollout.step()
    else:
        rollout.end(torch.tensor([0]), END_OF_RECORDING)
        comparison.success = None
    return _result(episode, comparison.success, comparison.recorded, np.array(comparison.rows))


def replay_states(episode: Episode, task: Task, backend: Backend) -> Replayed:
    """Put the backend into every recorded state and compare what it shows with what was recorded."""
    arrays = episode.arrays()
    recorded = initial_states(arrays, "states")
    world = torch.zeros(1, dtype=torch.long)
    task.reset(world, recorded_parameters(arrays))
    backend.reset(world, recorded.select(world), recorded_physics(arrays))
    rows, observed = [], []
    for t in range(episode.info.num_samples):
        wanted = recorded.select(torch.tensor([t]))
        backend.set_state(world, wanted)
        state = backend.read_state()
        rows.append(distances(state, wanted))
        observation = task.observation(state)
        observed.append([float((v - _rows(arrays, f"obs/{n}")[t]).abs().max()) for n, v in observation.items()])
    names = [term.name for term in task.observation_terms]
    differences = dict(zip(names, np.array(observed).reshape(len(rows), -1).T))
    return _result(episode, None, recorded, np.array(rows), differences)


def _result(
    episode: Episode,
    success: bool | None,
    recorded: InitialState,
    rows: np.ndarray,
    observation: dict[str, np.ndarray] | None = None,
) -> Replayed:
    objects = dict(zip(recorded.objects, rows[:, 3:].T))
    return Replayed(episode.info.name, success, rows[:, 0], rows[:, 1], rows[:, 2], objects, observation or {})
