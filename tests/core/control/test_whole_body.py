"""The control stack puts each part's targets where they belong, and stops."""

from pathlib import Path

import pytest
import torch

from core.backends.mujoco import MujocoBackend
from core.control.ik_arms import IkArmController
from core.control.whole_body import WholeBodyController
from core.rl.checkpoint import CheckpointError
from core.t1.model import ARMS, DEFAULT_JOINT_POS, HEAD, LEGS, WAIST
from core.tasks.scene import Scene
from core.types import Command, gripper_open


class Legs:
    """Remembers what it was asked; targets are its call count."""

    def __init__(self) -> None:
        self.resets: list[list[int]] = []
        self.calls = 0

    def reset(self, worlds: torch.Tensor) -> None:
        self.resets.append(worlds.tolist())

    def act(self, state, command) -> torch.Tensor:
        self.calls += 1
        return torch.full((state.num_worlds, 12), float(self.calls))


@pytest.fixture
def backend():
    backend = MujocoBackend(Scene("stand"), 2, 1)
    yield backend
    backend.close()


def _command(n: int) -> Command:
    pos = torch.tensor([[0.32, 0.21, 0.02], [0.32, -0.21, 0.02]]).repeat(n, 1, 1)
    return Command(torch.zeros(n, 3), pos, torch.tensor([1.0, 0, 0, 0]).repeat(n, 2, 1), gripper_open(n) * 0.5)


def test_that_each_part_gets_its_joints(backend):
    controller = WholeBodyController(Legs(), IkArmController(), 2)
    state = backend.read_state()
    controller.reset(torch.arange(2), state)
    target = controller.act(state, _command(2))
    assert bool((target.position[:, LEGS] == 1.0).all())
    assert not target.position[:, HEAD].any()
    assert not target.position[:, WAIST].any()
    ready = torch.tensor(DEFAULT_JOINT_POS[ARMS], dtype=torch.float32)
    torch.testing.assert_close(target.position[:, ARMS], ready.repeat(2, 1), atol=0.05, rtol=0)
    torch.testing.assert_close(target.gripper_opening, gripper_open(2) * 0.5)
    assert not target.damping.any()
    assert controller.footsteps is not None


def test_that_a_hard_stop_damps_its_worlds_and_forgets_their_past(backend):
    legs = Legs()
    controller = WholeBodyController(legs, IkArmController(), 2)
    state = backend.read_state()
    controller.reset(torch.arange(2), state)
    target = controller.act(state, _command(2), torch.tensor([False, True]))
    assert target.damping.tolist() == [False, True]
    assert legs.resets == [[0, 1], [1]]


def test_that_sizes_that_do_not_fit_are_refused(backend):
    controller = WholeBodyController(Legs(), IkArmController(), 3)
    with pytest.raises(ValueError, match="for 3 worlds, got a state of 2"):
        controller.act(backend.read_state(), _command(2))


def test_that_a_missing_controller_is_told_with_the_command_that_makes_it(tmp_path: Path):
    with pytest.raises(CheckpointError, match="refine-dp train-controller lower"):
        WholeBodyController.load_default(1, folder=tmp_path)
