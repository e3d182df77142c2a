"""An arm controller with a delay behind it."""

import torch

from core.backends.initial import default_initial_state
from core.backends.mujoco import MujocoBackend
from core.control.evaluation.late_arms import LateArms
from core.t1.model import ARMS
from core.tasks.scene import Scene
from core.types import WorldState


class Counting:
    """Targets 1, 2, 3, ... since the last reset of each world."""

    def __init__(self, num_worlds: int) -> None:
        self.count = torch.zeros(num_worlds, 1)

    def reset(self, worlds: torch.Tensor) -> None:
        self.count[worlds] = 0.0

    def act(self, state: WorldState, hand_pos_b: torch.Tensor, hand_quat_b: torch.Tensor) -> torch.Tensor:
        self.count = self.count + 1.0
        return self.count.expand(-1, len(ARMS)).clone()


def _state(num_worlds: int) -> WorldState:
    scene = Scene("stand")
    backend = MujocoBackend(scene, num_worlds, 1)
    backend.reset(torch.arange(num_worlds), default_initial_state(scene, num_worlds))
    state = backend.read_state().clone()
    backend.close()
    return state


def _run(arms: LateArms, state: WorldState, periods: int) -> list[torch.Tensor]:
    pose = torch.tensor([0.3, 0.2, 0.0, 1.0, 0.0, 0.0, 0.0]).expand(state.num_worlds, 2, 7)
    return [arms.act(state, pose[..., :3], pose[..., 3:]) for _ in range(periods)]


def test_that_joints_stay_where_they_are_until_a_late_target_arrives() -> None:
    state = _state(2)
    arms = LateArms(Counting(2), 0.02)
    first, second, third = _run(arms, state, 3)
    torch.testing.assert_close(first, state.joint_pos[:, ARMS])
    assert (second[0, 0].item(), third[1, 3].item()) == (1.0, 2.0)


def test_that_a_reset_concerns_its_world_only() -> None:
    state = _state(2)
    arms = LateArms(Counting(2), 0.02)
    _run(arms, state, 3)
    arms.reset(torch.tensor([1]))
    (after,) = _run(arms, state, 1)
    assert after[0, 0].item() == 3.0
    torch.testing.assert_close(after[1], state.joint_pos[1, ARMS])


def test_that_a_reset_before_the_first_use_is_harmless() -> None:
    state = _state(1)
    arms = LateArms(Counting(1), 0.0)
    arms.reset(torch.tensor([0]))
    assert _run(arms, state, 1)[0][0, 0].item() == 1.0
