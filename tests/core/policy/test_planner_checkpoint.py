"""Planners come back from files as they were, and go nowhere they do not belong."""

import json
from dataclasses import replace

import pytest
import torch

from core.policy.build import build_denoiser, build_planner
from core.policy.checkpoint import load_planner, planner_layout, save_planner
from core.policy.config import DitConfig, MlpConfig, PlannerConfig, SamplerConfig
from core.policy.diffusion import DiffusionPlanner
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.rl.checkpoint import CheckpointError, Layout, save_checkpoint
from core.types import Command

CONFIG = PlannerConfig(
    dit=DitConfig(width=32, layers=1, heads=2, encoder_width=16, actions_per_token=1),
    mlp=MlpConfig(width=32, blocks=1),
    denoising_steps=20,
    sampler=SamplerConfig(steps=5),
)


def make(layout, kind="dit", tuned_steps=0):
    torch.manual_seed(0)
    config = replace(CONFIG, kind=kind)
    spread = torch.rand(layout.observation_size) + 0.5
    planner = build_planner(
        layout, config, Normalizer(-spread, spread, 5.0), Normalizer(-torch.ones(23), 2 * torch.ones(23))
    )
    if tuned_steps:
        assert isinstance(planner, DiffusionPlanner)
        planner.use_tuned(build_denoiser(layout, config), tuned_steps)
    with torch.no_grad():
        for parameter in planner.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return planner.eval(), config


@pytest.mark.parametrize(("kind", "tuned"), [("dit", 0), ("dit", 3), ("mlp-diffusion", 5), ("mlp", 0)])
def test_that_a_planner_comes_back(layout, tmp_path, kind, tuned):
    planner, config = make(layout, kind, tuned)
    save_planner(tmp_path / "p.safetensors", planner, config, {"steps": 3})
    stored = load_planner(tmp_path / "p.safetensors", layout)
    obs = torch.randn(3, layout.observation_horizon, layout.observation_size)
    noise = torch.randn(planner.noise_shape(3))
    with torch.no_grad():
        assert torch.equal(planner.plan(obs, noise), stored.planner.plan(obs, noise))
    assert (stored.config, stored.tuned_steps, stored.training) == (config, tuned, {"steps": 3})
    assert planner_layout(tmp_path / "p.safetensors") == layout
    assert json.loads((tmp_path / "p.json").read_text())["metadata"]["tuned_steps"] == tuned


@pytest.fixture
def path(layout, tmp_path):
    planner, config = make(layout, tuned_steps=3)
    save_planner(tmp_path / "p.safetensors", planner, config, {})
    return tmp_path / "p.safetensors"


def test_that_another_task_is_refused(layout, path):
    with pytest.raises(CheckpointError, match=r"does not fit task 'door' \(task: the planner has 'toy'"):
        load_planner(path, replace(layout, task="door"))


def test_that_another_observation_or_chunk_is_refused(layout, path):
    with pytest.raises(CheckpointError, match=r"observation: the planner has .*'box', 2.*'box', 3"):
        load_planner(path, replace(layout, observation=(("hand", 3), ("box", 3))))
    with pytest.raises(CheckpointError, match="action_chunk: the planner has 6, task 'toy' has 12"):
        load_planner(path, replace(layout, action_chunk=12))


def test_that_another_number_of_steps_is_refused(path):
    with pytest.raises(CheckpointError, match="has 20 denoising steps, 100 were asked for"):
        load_planner(path, denoising_steps=100)
    with pytest.raises(CheckpointError, match="has 3 fine-tuned steps, 5 were asked for"):
        load_planner(path, tuned_steps=5)
    assert load_planner(path, denoising_steps=20, tuned_steps=3).tuned_steps == 3


def test_that_other_files_are_refused(tmp_path):
    other = tmp_path / "c.safetensors"
    save_checkpoint(other, {"w": torch.zeros(1)}, Layout("upper_controller", 1, (("a", 1),), ("b",)), {})
    with pytest.raises(CheckpointError, match="holds a 'upper_controller' of version 1; a 'planner'"):
        load_planner(other)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_planner(tmp_path / "none.safetensors")


def test_that_layouts_of_tasks_and_data_sets_agree():
    from core.data.schema import DatasetSpec
    from core.tasks.catalogue import make_task

    task = make_task("box_pickup", 1)
    spec = DatasetSpec(
        "box_pickup", {term.name: term.size for term in task.observation_terms}, Command.component_names()
    )
    assert PlannerLayout.of_task(task) == PlannerLayout.of_dataset(spec)
    assert PlannerLayout.of_task(task).observation_size == 50
    assert len(PlannerLayout.of_task(task).observation_components()) == 50
