"""Planners on an NVIDIA GPU say what they say on the processor."""

import pytest
import torch

from core.policy.build import build_planner
from core.policy.config import DitConfig, LearnerConfig, MlpConfig, PlannerConfig, SamplerConfig
from core.policy.learner import Learner

from .test_learner import LEARNER, make_learner

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")]


@pytest.mark.parametrize("kind", ["dit", "mlp-diffusion", "mlp"])
def test_that_plans_and_losses_are_those_of_the_processor(kind):
    learner, validation = make_learner(kind)
    for _ in range(20):
        learner.step()
    planner = learner.averaged
    rows = torch.arange(8)
    obs, _ = validation.batch(rows)
    noise = torch.randn(planner.noise_shape(8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = planner.plan(planner.observations.unnormalize(obs), noise)
        planner.to("cuda")
        on_gpu = planner.plan(planner.observations.unnormalize(obs.cuda()), noise.cuda())
    assert planner.device.type == on_gpu.device.type == "cuda"
    assert torch.allclose(on_gpu.cpu(), expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["dit", "mlp-diffusion"])
def test_that_it_learns_on_the_gpu_and_resumes(kind):
    cpu, _ = make_learner(kind)
    planner = cpu.planner.to("cuda")
    data = type(cpu.data)(**{name: value.cuda() for name, value in vars(cpu.data).items()})
    learner = Learner(planner, data, LearnerConfig(**{**vars(LEARNER), "precision": "auto"}), 0)
    assert learner.bf16
    before = learner.validation_loss(data)
    for _ in range(20):
        learner.step()
    state = {name: value.cpu() for name, value in learner.state_dict().items()}  # as it comes from a file
    for _ in range(20):
        learner.step()
    assert learner.validation_loss(data) < 0.95 * before
    other = build_planner(
        planner.layout,
        PlannerConfig(
            kind,
            DitConfig(width=48, layers=1, heads=2, encoder_width=32, actions_per_token=2),
            MlpConfig(width=64, blocks=1),
            10,
            SamplerConfig(steps=5),
        ),
        planner.observations,
        planner.actions,
    ).cuda()
    resumed = Learner(other, data, learner.config, 1)
    resumed.load_state_dict(state)
    for _ in range(20):
        resumed.step()
    assert resumed.steps == learner.steps
    assert resumed.validation_loss(data) == pytest.approx(learner.validation_loss(data), rel=1e-2)
