"""Start ranges that grow with success: the rule alone, and with a learner that needs it."""

from core.rl.chains import DiffusionChain
from core.rl.curriculum import Curriculum
from core.rl.dppo import Dppo
from core.rl.finetune_config import DppoConfig
from core.rl.guard import CollapseGuard
from tests.core.rl.plane import EXECUTED, Plane

NEAR, FAR = 0.5, 3.0
"""Half the edge of the square in which the point starts: as demonstrated, and at most."""


def test_that_the_ranges_grow_only_with_success_and_end_exactly_at_the_widest():
    curriculum = Curriculum(threshold=0.9, growth=0.1)
    assert not curriculum.saw_success(57, 64)  # 89.1 %
    assert Curriculum(threshold=0.55).saw_success(11, 20)  # 0.55 * 20 > 11 in floating point
    assert curriculum.share == 0.0
    assert curriculum.saw_success(9, 10)
    assert curriculum.share == 0.1
    assert [curriculum.saw_success(64, 64) for _ in range(10)] == [True] * 9 + [False]
    assert curriculum.share == 1.0


def test_that_a_growth_that_does_not_divide_the_way_ends_at_the_widest_too():
    curriculum = Curriculum(growth=0.4)
    for _ in range(3):
        curriculum.saw_success(1, 1)
    assert curriculum.share == 1.0


def test_that_a_learner_masters_starts_that_it_was_led_to(planner):
    config = DppoConfig(learning_rate=2e-4, batch_size=256, critic_hidden=(32, 32), target_kl=1.0, precision="fp32")
    learner = Dppo(DiffusionChain(planner, config), config, EXECUTED, seed=1)
    curriculum, guard = Curriculum(threshold=0.75, growth=0.5), CollapseGuard()

    def worlds(share: float) -> Plane:
        return Plane(start=NEAR + share * (FAR - NEAR), limit=6)

    before = worlds(1.0).explore(learner.chain, 7)[1] / 128
    shares = []
    for iteration in range(9):
        shares.append(curriculum.share)
        decisions, reached = worlds(curriculum.share).explore(learner.chain, 100 + iteration)
        guard.saw_success(reached, 128)
        learner.update(decisions)
        was = NEAR + curriculum.share * (FAR - NEAR)
        if curriculum.saw_success(reached, 128):
            guard.ranges_grew((was / (NEAR + curriculum.share * (FAR - NEAR))) ** 2)
    after = worlds(1.0).explore(learner.chain, 7)[1] / 128
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert after > before + 0.25
