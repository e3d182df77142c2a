"""The planner benchmark compares like with like."""

import torch

from core.policy.config import PlannerConfig
from tests.benchmarks.bench_policy import PolicyConfig, batch, layout, make_planner, time_chunks, time_reference
from tests.benchmarks.reference_transformer import ReferenceTransformer


def test_that_the_reference_has_the_size_of_the_default_planner():
    sizes = [
        sum(p.numel() for p in net.parameters())
        for net in (ReferenceTransformer(layout()), make_planner(PlannerConfig()))
    ]
    assert 0.9 < sizes[0] / sizes[1] < 1.25


def test_that_the_reference_uses_all_its_inputs_and_learns():
    torch.manual_seed(0)
    net = ReferenceTransformer(layout(), width=32, layers=1, heads=2)
    obs, chunk = batch(4)
    level = torch.arange(4)
    out = net(chunk, level, obs)
    assert out.shape == chunk.shape
    assert (net(chunk, level + 5, obs) - out).abs().max() > 1e-4
    assert (net(chunk, level, obs + 1.0) - out).abs().max() > 1e-4
    before = net.embed.weight.clone()
    row = time_reference(net, PolicyConfig(batch_size=4, steps=2))
    assert row.samples_per_cpu_s > 0
    assert not torch.equal(net.embed.weight, before)


def test_that_chunks_are_timed_one_by_one():
    cpu_ms, wall_ms = time_chunks(make_planner(PlannerConfig("mlp-diffusion")), 5)
    assert len(cpu_ms) == len(wall_ms) == 5
    assert (wall_ms > 0).all()
