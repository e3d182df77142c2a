"""The chunk player in a world where observations and plans can be read off."""

from dataclasses import replace
from typing import ClassVar

import pytest
import torch

from core.backends.fake import FakeBackend
from core.planners.base import Source
from core.policy.chunks import ChunkPlayer
from core.policy.layout import LayoutError, PlannerLayout
from core.policy.normalizer import Normalizer
from core.policy.planner import Planner
from core.rollout import SeededSource
from core.tasks.base import ObservationTerm, TaskParameters
from core.tasks.scene import Scene
from core.types import Command

N = 3


class CountingPlanner(Planner):
    """Row i of a chunk says i as the forward velocity, the last observation as the sideways one."""

    def __init__(self, layout, noise_count=1):
        sizes = (layout.observation_size, layout.action_size)
        super().__init__(layout, *(Normalizer.identity(s) for s in sizes))
        self.seen, self.noises, self._noise_count = [], [], noise_count

    @property
    def noise_count(self):
        return self._noise_count

    def loss(self, obs, chunk, generator):
        raise NotImplementedError

    def plan_normalized(self, obs, noise):
        self.seen.append(obs.clone())
        self.noises.append(noise.clone())
        chunk = torch.zeros(obs.shape[0], self.layout.action_chunk, self.layout.action_size)
        chunk[..., 0] = torch.arange(self.layout.action_chunk)
        chunk[..., 1] = obs[:, -1:, 0]
        return chunk


LAYOUT = PlannerLayout("toy", (("hand", 3), ("box", 2)), Command.component_names())
BLANK = FakeBackend(Scene("empty"), N).read_state()


def state(values):
    """A state whose observation is one number a world."""
    number = torch.as_tensor(values, dtype=torch.float32).expand(N)
    return replace(BLANK, base_pos_w=number[:, None].repeat(1, 3))


class ToyTask:
    """Observes where the trunk is; nothing else of a task is needed here."""

    name = "toy"
    title = "Toy"
    time_limit_s = 1.0
    num_worlds = N
    parameters: ClassVar[TaskParameters] = {}
    observation_terms = tuple(ObservationTerm(name, size, "1", "") for name, size in LAYOUT.observation)

    def observation(self, state):
        x = state.base_pos_w[:, :1]
        return {"hand": x.repeat(1, 3), "box": x.repeat(1, 2)}

    def scene(self):
        return Scene("empty")

    def sample_initial(self, count, generator):
        raise NotImplementedError

    def reset(self, worlds, parameters):
        raise NotImplementedError

    def update(self, state):
        raise NotImplementedError


@pytest.fixture
def player():
    return ChunkPlayer(CountingPlanner(LAYOUT), ToyTask(), executed_steps=5)


def test_that_it_is_a_seeded_source(player):
    assert isinstance(player, Source)
    assert isinstance(player, SeededSource)


def test_that_a_chunk_is_played_row_by_row_and_planned_anew_after_ta(player):
    player.reset(torch.arange(N), BLANK)
    rows = [player.act(state(torch.tensor([1.0, 2.0, 3.0]) + 10 * t)).base_velocity for t in range(12)]
    assert [float(row[0, 0]) for row in rows] == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert [float(row[1, 1]) for row in rows] == [2, 2, 2, 2, 2, 52, 52, 52, 52, 52, 102, 102]
    assert player.plans.tolist() == [3, 3, 3]


def test_that_an_episode_begins_with_its_first_observation_repeated(player):
    player.reset(torch.arange(N), BLANK)
    player.act(state([1.0, 2.0, 3.0]))
    player.act(state([4.0, 5.0, 6.0]))
    assert player.history[0, :, 0].tolist() == [1, 1, 1, 1, 1, 1, 1, 4]
    for t in range(8):
        player.act(state(10.0 + t))
    assert player.history[0, :, 0].tolist() == [10, 11, 12, 13, 14, 15, 16, 17]


def test_that_a_reset_forgets_one_world_and_no_other(player):
    player.reset(torch.arange(N), BLANK)
    for t in range(3):
        player.act(state(float(t)))
    player.reset(torch.tensor([1]), BLANK)
    command = player.act(state(7.0))
    assert command.base_velocity[:, 0].tolist() == [3, 0, 3]
    assert player.history[0, :, 0].tolist() == [0, 0, 0, 0, 0, 1, 2, 7]
    assert player.history[1, :, 0].tolist() == [7] * 8
    assert player.plans.tolist() == [1, 1, 1]
    assert player.planner.seen[-1].shape[0] == 1  # only that world was planned


def test_that_noise_follows_the_seed_of_the_episode(player):
    def noise_of(worlds, seeds):
        player.seed(torch.tensor(worlds), seeds)
        player.reset(torch.tensor(worlds), BLANK)
        player.position[:] = 1
        player.position[worlds] = 0
        player.act(BLANK)
        return player.planner.noises[-1]

    together = noise_of([0, 1, 2], [11, 12, 13])
    alone = noise_of([0], [12])
    assert torch.equal(together[:, 1], alone[:, 0])
    assert not torch.equal(together[:, 0], alone[:, 0])


def test_that_a_planner_of_another_task_is_refused():
    task = ToyTask()
    task.name = "door"
    with pytest.raises(LayoutError, match="does not fit task 'door'"):
        ChunkPlayer(CountingPlanner(LAYOUT), task, 8)
    with pytest.raises(ValueError, match="executed_steps must lie between 1 and the chunk of 12, got 13"):
        ChunkPlayer(CountingPlanner(LAYOUT), ToyTask(), executed_steps=13)
