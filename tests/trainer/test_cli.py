import importlib
import subprocess
import sys

import pytest

from trainer import cli
from trainer.jobs import train_controller
from trainer.queue.jobs import QUEUED_JOBS


def test_that_help_lists_every_subcommand_and_imports_nothing_heavy():
    script = (
        "import sys\nfrom trainer.cli import main\nstatus = main(['--help'])\n"
        "assert not {'torch', 'mujoco', 'PyQt6', 'numpy'} & set(sys.modules), 'heavy import'\nsys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in cli.JOBS)


@pytest.mark.parametrize("name", ["collect", "pretrain", "finetune", "evaluate", "compare", "train-controller"])
def test_that_help_says_what_every_preset_means(name, capsys):
    module = importlib.import_module(cli.JOBS[name].module)
    parts = getattr(module, "PART_PRESETS", None) or {"": module.PRESETS}
    assert set(module.PRESETS_HELP) == {preset for presets in parts.values() for preset in presets}
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    help_text = " ".join(capsys.readouterr().out.split())
    assert "--preset NAME: start from these values" in help_text
    for preset, meaning in module.PRESETS_HELP.items():
        assert f"{preset}: {meaning}" in help_text


def test_that_help_of_adding_to_the_queue_says_which_jobs_and_options_there_are(capsys):
    assert cli.main(["queue", "add", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {job:<16}  {cli.JOBS[job].help}" in said for job in QUEUED_JOBS)
    assert all(option in said for option in ("--priority P", "--after N", "--runs PATH", "--preset NAME", "@N, @last"))
    assert cli.main(["queue", "add"]) == 2


def test_that_an_unknown_subcommand_names_the_known_ones(capsys):
    assert cli.main(["colect"]) == 2
    assert "unknown subcommand 'colect'; known: window, run, collect" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"DISPLAY": ""}, "linux", False),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "darwin", True),
    ],
)
def test_that_a_display_is_recognised(environment, platform, expected):
    assert cli.has_display(environment, platform) is expected


def test_that_without_arguments_the_window_opens_or_the_loop_runs_headless_and_says_so(capsys):
    assert cli.open_window_or_run_headless(lambda: True, window=lambda: 7, headless=lambda: 8) == 7
    assert capsys.readouterr().out == ""
    assert cli.open_window_or_run_headless(lambda: False, window=lambda: 7, headless=lambda: 8) == 8
    assert "headless" in capsys.readouterr().out


def test_that_wrong_options_end_with_status_2(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["window", "--size", "3"])
    assert ended.value.code == 2
    capsys.readouterr()


@pytest.mark.parametrize(("part", "steps"), [("upper", 200_000), ("lower", 1_200_000)])
def test_that_a_job_with_parts_has_presets_for_each(monkeypatch, part, steps):
    seen = []
    monkeypatch.setattr(train_controller, "main", lambda config: seen.append(config) or 0)
    assert cli.main(["train-controller", part, "--preset", "quick", "--seed", "3"]) == 0
    (config,) = seen
    learner = config.learner
    assert (config.options.seed, train_controller.part_of(config)) == (3, part)
    assert steps == (learner.steps if part == "upper" else sum(count for _, count in learner.phases()))
    assert cli.main(["train-controller", part, "--preset", "slow"]) == 1
    assert cli.main(["train-controller", part]) == 0
    assert seen[1] == train_controller.PART_PRESETS[part]["paper"]
