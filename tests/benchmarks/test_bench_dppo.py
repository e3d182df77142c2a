"""The benchmark of DPPO's update measures what it says."""

from core.policy.config import MlpConfig, PlannerConfig
from core.rl.chains import DiffusionChain
from core.rl.dppo import Dppo
from core.rl.finetune_config import DppoConfig
from tests.benchmarks.bench_dppo import make_decisions, time_sampling, time_update
from tests.benchmarks.bench_policy import make_planner


def test_that_updates_and_sampling_are_timed():
    config = DppoConfig(critic_warmup=0, epochs=1, target_kl=1e9, batch_size=40)
    chain = DiffusionChain(make_planner(PlannerConfig("mlp-diffusion", mlp=MlpConfig(16, 1))), config)
    learner = Dppo(chain, config, 8, seed=0)
    decisions = make_decisions(chain, 16)
    assert int(decisions.terminated.sum()) == 2
    speed, scored_s = time_update(learner, decisions)
    assert speed.cpu > 0
    assert speed.wall > 0
    assert scored_s >= 0
    assert time_sampling(chain, 4) > 0
