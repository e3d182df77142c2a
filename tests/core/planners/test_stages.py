import torch

from core.planners.stages import Stages


def test_that_worlds_move_on_and_start_over_one_by_one():
    stages = Stages(3)
    stages.reset(torch.arange(3), torch.tensor([0.0, 5.0, 7.0]))

    stages.enter(2, torch.tensor([True, False, False]), torch.tensor([1.5, 6.0, 8.0]))

    assert stages.index.tolist() == [2, 0, 0]
    assert stages.elapsed_s(torch.tensor([2.0, 6.5, 8.5])).tolist() == [0.5, 1.5, 1.5]
    assert stages.at(2).tolist() == [True, False, False]
    stages.reset(torch.tensor([0]), torch.tensor([3.0]))
    assert stages.index.tolist() == [0, 0, 0]
    assert stages.since_s.tolist() == [3.0, 5.0, 7.0]
