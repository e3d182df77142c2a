"""A backend that does not know where things are: every world holds, and the source waits."""

import torch

from core.backends.base import HoldingBackend
from core.backends.fake import FakeBackend
from core.control.safety import SafetyFilter, SafetyLimits
from core.rollout import Rollout
from core.tasks.catalogue import make_task
from core.types import Command, WorldState
from trainer.session.parts import PoseHolder


class Blind(FakeBackend):
    """Sees until told otherwise."""

    reason = ""

    def hold_reason(self) -> str:
        return self.reason


class Walker:
    """Always walks; counts how often it was asked."""

    name = "walker"
    asked = 0

    def reset(self, worlds: torch.Tensor, state: WorldState) -> None:
        pass

    def act(self, state: WorldState) -> Command:
        self.asked += 1
        hands = torch.zeros(1, 2, 3), torch.tensor([1.0, 0, 0, 0]).repeat(1, 2, 1)
        return Command(torch.tensor([[0.2, 0.0, 0.0]]), *hands, torch.zeros(1, 2))


def test_that_a_backend_that_lost_sight_holds_the_robot_until_it_sees_again() -> None:
    task, source = make_task("box_pickup", 1), Walker()
    backend = Blind(task.scene(), 1)
    rollout = Rollout(task, backend, source, SafetyFilter(SafetyLimits()), PoseHolder(), lambda: 0)
    rollout.begin()
    for _ in range(10):
        rollout.step()
    walking, asked = rollout.safety.sent.base_velocity.clone(), source.asked
    backend.reason = "motion capture: 'box' not seen"
    rollout.step()
    at_once = rollout.safety.sent.base_velocity.clone()
    for _ in range(10):
        rollout.step()
    held, why, asked_blind = rollout.safety.sent.base_velocity.clone(), rollout.holding, source.asked
    backend.reason = ""
    for _ in range(10):
        rollout.step()

    assert isinstance(backend, HoldingBackend)
    assert float(walking[0, 0]) > 0
    assert not at_once.any(), "in the same control period, not with the next command"
    assert not held.any()
    assert why == "motion capture: 'box' not seen"
    assert asked_blind == asked
    assert source.asked > asked
    assert float(rollout.safety.sent.base_velocity[0, 0]) > 0
