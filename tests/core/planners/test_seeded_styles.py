import torch

from core.backends.fake import FakeBackend
from core.planners.box_pickup import BoxPickupHeuristic
from core.tasks.box_pickup import BoxPickup


def styles_after(seeds: dict[int, int], before: int) -> torch.Tensor:
    task = BoxPickup(4)
    planner = BoxPickupHeuristic(task)
    state = FakeBackend(task.scene(), 4).read_state()
    for _ in range(before):
        planner.reset(torch.arange(4), state)
    worlds = torch.tensor(list(seeds))
    planner.seed(worlds, list(seeds.values()))
    planner.reset(worlds, state)
    return torch.stack([planner.styles[name][worlds] for name in ("press_m", "lift_m", "carry_z_m")], dim=-1)


def test_that_a_seeded_episode_has_the_same_style_in_any_world_and_after_any_history():
    first = styles_after({0: 7, 1: 8}, before=0)
    again = styles_after({3: 7, 2: 8}, before=3)
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first[0], first[1])
