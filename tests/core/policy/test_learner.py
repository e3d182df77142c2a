"""Pre-training: it learns, it resumes exactly, it does not touch what it validates on."""

import numpy as np
import pytest
import torch

from core.data.schema import DatasetSpec
from core.data.windows import Recording, make_windows, split_episodes
from core.policy.batches import WindowTensors, fit_normalizers
from core.policy.build import build_planner
from core.policy.config import DitConfig, LearnerConfig, MlpConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.learner import Learner, learning_rate
from core.types import Command

NETWORK = PlannerConfig(
    kind="mlp-diffusion",
    dit=DitConfig(width=48, layers=1, heads=2, encoder_width=32, actions_per_token=2),
    mlp=MlpConfig(width=64, blocks=1),
    denoising_steps=10,
    sampler=SamplerConfig(steps=5),
)
LEARNER = LearnerConfig(steps=40, batch_size=32, learning_rate=3e-3, warmup_steps=5, ema_decay=0.9, precision="fp32")


def make_recording(episodes=6, length=30):
    """A point that walks towards a goal it sees; the hands do not move."""
    rng = np.random.default_rng(0)
    observations, actions = [], []
    for _ in range(episodes):
        point, goal = rng.normal(size=3), rng.normal(size=2)
        for _ in range(length):
            velocity = np.concatenate([goal - point[:2], [0.0]])
            observations.append(np.concatenate([point, goal]))
            hands = [0.3, 0.2, 0.1, 0.3, -0.2, 0.1, 1, 0, 0, 0, 1, 0, 0, 0, 0.07, 0.07]
            actions.append(np.concatenate([velocity, hands]))
            point = point + 0.1 * velocity
    spec = DatasetSpec("toy", {"hand": 3, "box": 2}, Command.component_names())
    arrays = (np.array(observations, np.float32), np.array(actions, np.float32))
    return Recording(spec, (), *arrays, np.full(episodes, length))


def make_learner(kind="mlp-diffusion", seed=0):
    recording = make_recording()
    layout = PlannerLayout("toy", (("hand", 3), ("box", 2)), Command.component_names(), 4, 6)
    normalizers = fit_normalizers(recording)
    config = PlannerConfig(kind, NETWORK.dit, NETWORK.mlp, NETWORK.denoising_steps, NETWORK.sampler)
    torch.manual_seed(seed)
    planner = build_planner(layout, config, *normalizers)
    windows = make_windows(recording.lengths, 4, 6)
    learn, validate = split_episodes(6, 0.2, 0)
    data = WindowTensors.of(recording, windows.of_episodes(learn), *normalizers)
    return Learner(planner, data, LEARNER, seed), data.windows(windows.of_episodes(validate))


def weights(learner):
    return torch.cat([p.detach().flatten() for p in learner.planner.base.parameters()])


@pytest.mark.parametrize("kind", ["dit", "mlp-diffusion", "mlp"])
def test_that_it_learns(kind):
    learner, validation = make_learner(kind)
    before = learner.validation_loss(validation), learner.action_error(validation)
    for _ in range(40):
        learner.step()
    after = learner.validation_loss(validation), learner.action_error(validation)
    assert learner.done
    assert after[0] < 0.95 * before[0]
    assert after[1] < 0.99 * before[1]


@pytest.mark.parametrize("kind", ["dit", "mlp-diffusion"])
def test_that_a_resumed_training_has_the_same_bits(kind):
    learner, validation = make_learner(kind)
    for _ in range(7):
        learner.step()
    state = learner.state_dict()
    for _ in range(9):
        learner.step()
    resumed, _ = make_learner(kind, seed=5)
    resumed.load_state_dict(state)
    for _ in range(9):
        resumed.step()
    assert torch.equal(weights(resumed), weights(learner))
    assert resumed.validation_loss(validation) == learner.validation_loss(validation)


def test_that_validation_changes_nothing():
    learner, validation = make_learner()
    watched, _ = make_learner()
    for _ in range(4):
        learner.step()
        watched.step()
        watched.validation_loss(validation)
        watched.action_error(validation)
    assert torch.equal(weights(learner), weights(watched))


def test_that_every_window_comes_once_in_a_pass():
    learner, _ = make_learner()
    passes = [learner._next_rows() for _ in range(len(learner.data) // 32)]
    rows = torch.cat(passes)
    assert len(rows.unique()) == len(rows)


def test_that_another_seed_gives_another_planner():
    one, other = make_learner(seed=0)[0], make_learner(seed=1)[0]
    assert not torch.equal(weights(one), weights(other))


def test_that_the_rate_warms_up_and_falls_to_nothing():
    rates = [learning_rate(LEARNER, step) for step in range(41)]
    assert rates[0] == pytest.approx(3e-3 / 5)
    assert max(rates) == rates[5] == pytest.approx(3e-3)
    assert rates[40] == pytest.approx(0.0, abs=1e-9)


def test_that_a_loss_that_is_not_finite_stops_the_step():
    learner, _ = make_learner()
    learner.data.observations[:] = torch.nan
    before = weights(learner)
    with pytest.raises(FloatingPointError, match="loss of step 0 is nan"):
        learner.step()
    assert torch.equal(weights(learner), before)


def test_that_bf16_learns_too():
    learner, validation = make_learner("dit")
    learner.bf16 = True
    before = learner.validation_loss(validation)
    for _ in range(40):
        learner.step()
    assert learner.validation_loss(validation) < 0.8 * before
    assert weights(learner).dtype == torch.float32
