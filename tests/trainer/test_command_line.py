"""A config becomes options and the same config again, for every job that can be queued."""

from dataclasses import replace
from pathlib import Path

import pytest

from core.policy.config import DitConfig, LearnerConfig, PlannerConfig
from core.rl.finetune_config import DppoConfig
from trainer.cli import parse
from trainer.command_line import options_of, replace_runs_folder, subcommand_words
from trainer.jobs import collect, evaluate, finetune, pretrain, readiness, train_controller

CONFIGS = {
    "collect": (collect.Config, collect.Config(Path("a b.hdf5"), episodes=7, success_only=True, safety="hardware")),
    "pretrain": (
        pretrain.Config,
        pretrain.Config(
            Path("x.hdf5"),
            successes_only=False,
            planner=PlannerConfig(dit=DitConfig(layers=2)),
            learner=LearnerConfig(steps=9, learning_rate=1.5e-7),
        ),
    ),
    "finetune": (
        finetune.Config,
        finetune.Config(Path("p"), dppo=DppoConfig(critic_hidden=(3, 4)), randomise=False, max_minutes=0.1),
    ),
    "readiness": (readiness.Config, readiness.Config(finetune.Config(Path("p"), max_minutes=2.0), json=True)),
    "evaluate": (evaluate.Config, evaluate.Config(Path("p"), json=Path("out.json"), executed_steps=4)),
    "train-controller": (train_controller.Config, train_controller.LowerJob()),
    "train-controller upper": (train_controller.Config, train_controller.UpperJob()),
}


@pytest.mark.parametrize("job", CONFIGS)
def test_that_all_options_give_back_the_config(job: str) -> None:
    kind, config = CONFIGS[job]
    words = [*subcommand_words(kind, config), *options_of(config)]
    assert parse(kind, job.split()[0], None, words) == config


@pytest.mark.parametrize("job", ["pretrain", "finetune"])
def test_that_options_beside_a_preset_are_only_what_differs(job: str) -> None:
    kind, config = CONFIGS[job]
    module = {"pretrain": pretrain, "finetune": finetune}[job]
    preset = module.PRESETS["quick"]
    words = options_of(config, preset)
    assert len(words) < len(options_of(config))
    assert parse(kind, job, None, words, preset) == config
    assert options_of(preset, preset) == []


def test_that_options_come_from_the_snapshot_not_from_defaults() -> None:
    words = options_of(collect.Config(Path("x.hdf5")))
    assert words[words.index("--worlds") + 1] == "64"
    assert "--no-success-only" in words


def test_that_a_value_with_no_spelling_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        options_of(replace(collect.Config(Path("x")), dataset=object()))


@pytest.mark.parametrize("job", CONFIGS)
def test_that_the_run_folder_is_moved_wherever_its_field_stands(job: str) -> None:
    _, config = CONFIGS[job]
    moved = replace_runs_folder(config, Path("/elsewhere"))
    words = options_of(moved)
    assert words[words.index("--runs") + 1] == "/elsewhere"
