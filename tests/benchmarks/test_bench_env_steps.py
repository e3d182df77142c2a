"""The benchmark compares like with like."""

import pytest

from core.tasks.box_pickup_scene import build_scene
from core.tasks.scene import Scene
from tests.benchmarks.bench_env_steps import EnvStepsConfig, measure


@pytest.mark.parametrize("scene", [Scene("locomotion", contacts="locomotion"), build_scene()], ids=lambda s: s.name)
def test_that_loop_and_raw_rollout_do_the_same_physics_bit_for_bit(scene: Scene) -> None:
    result = measure(scene, 4, EnvStepsConfig(periods=3, repeats=1))  # asserts equal states inside
    assert result.loop_rate > 0
    assert result.raw_rate > 0
    assert 0 < sum(result.phase_share.values()) <= 1.0
