import pytest
import torch

from core.backends.mujoco import MujocoBackend
from core.control.safety import SafetyFilter, SafetyLimits
from core.control.whole_body import WholeBodyController
from core.planners.box_pickup import BoxPickupHeuristic
from core.rollout import EpisodeEnd, Observer, Rollout
from core.tasks.box_pickup import BoxPickup


class Ends(Observer):
    def __init__(self) -> None:
        self.ends: list[EpisodeEnd] = []

    def episode_ended(self, end: EpisodeEnd) -> None:
        self.ends.append(end)


@pytest.mark.slow
def test_that_the_robot_walks_up_to_boxes_and_lifts_them_with_the_shipped_controllers():
    torch.set_num_threads(1)
    worlds = 6
    task = BoxPickup(worlds)
    planner = BoxPickupHeuristic(task)
    backend = MujocoBackend(task.scene(), worlds)
    ends, seeds = Ends(), iter(range(worlds))
    safety = SafetyFilter(SafetyLimits())
    rollout = Rollout(
        task, backend, planner, safety, WholeBodyController.load_default(worlds), lambda: next(seeds, None), [ends]
    )

    rollout.begin()
    while len(ends.ends) < worlds:
        rollout.step()
    backend.close()

    assert sorted(end.seed for end in ends.ends) == list(range(worlds))
    assert sum(end.success for end in ends.ends) >= worlds - 1, [(end.seed, end.reason) for end in ends.ends]
    assert all(8.0 < end.duration_s < 40.1 for end in ends.ends if end.success)
    counted = {kind: int(count.sum()) for kind, count in safety.counts.items()}
    assert not any(counted.values()), "the planner keeps the limits by itself"
