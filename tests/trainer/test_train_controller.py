"""`refine-dp train-controller` as a process: run folder, clean stop, resume, a controller that loads and acts."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.control.upper import LAYOUT, UpperController
from core.rl.checkpoint import load_checkpoint
from trainer.command_line import portable_command
from trainer.controller_training import Clock
from trainer.jobs.train_controller import TrainingOptions, UpperJob
from trainer.runs import list_runs

SIZES = {"free-worlds": 2, "grasp-worlds": 1, "walk-worlds": 1, "scripts": 4}
SMALL = [word for name, value in SIZES.items() for word in (f"--env.episodes.{name}", str(value))]
SMALL += ["--ppo.steps-per-iteration", "4"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "trainer.cli", "train-controller", "upper", "--threads", "1", *arguments]


def test_that_a_training_makes_a_run_folder_and_a_controller(tmp_path: Path):
    out, runs = tmp_path / "out", tmp_path / "runs"
    command = _command("--seed", "3", "--steps", "32", "--runs", str(runs), "--out", str(out), *SMALL)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "controller.safetensors: 32 steps in" in done.stdout
    _, metadata = load_checkpoint(out / "controller.safetensors", LAYOUT)
    assert metadata["seed"] == 3
    assert metadata["training"]["steps"] == 32
    assert metadata["config"]["steps"] == 32
    assert "train-controller" in metadata["command"]
    assert json.loads((out / "controller.json").read_text())["layout"]["kind"] == "upper_controller"
    assert UpperController.load(out / "controller.safetensors").name == "pi_upper"
    (run,) = list_runs(runs)
    assert run.read_status().state == "finished"
    assert run.config(UpperJob).learner.env.episodes.free_worlds == 2
    scalars = [event for event in run.events() if event["kind"] == "scalars"]
    assert [event["step"] for event in scalars] == [16, 32]
    assert {"reward", "kl", "free/position_error_cm", "grasp/reward/rotation", "walk/rotation_error_deg"} <= scalars[0][
        "values"
    ].keys()


def test_that_a_stopped_training_is_saved_and_resumes(tmp_path: Path):
    command = _command("--steps", "1000000", "--runs", str(tmp_path), *SMALL)
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "run folder" in process.stdout.readline()
    assert "steps/s" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopped" in output
    assert "--resume" in output
    (run,) = list_runs(tmp_path)
    assert run.read_status().state == "stopped"
    steps = max(event["step"] for event in run.events() if event["kind"] == "scalars")

    again = _command("--resume", str(run.path), "--max-minutes", "0.0001")
    done = subprocess.run(again, env=ENVIRONMENT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    after = [event["step"] for event in run.events() if event["kind"] == "scalars"]
    assert after[-1] == steps + 16
    assert run.read_status().state == "finished"


def test_that_time_spent_before_a_resume_counts():
    clock = Clock(wall_s=50.0, cpu_s=20.0, now=iter([100.0, 107.0]).__next__, cpu=iter([5.0, 6.0]).__next__)
    assert clock.read() == (57.0, 21.0)


def test_that_the_recorded_command_names_no_folder_of_this_machine():
    command = ("/home/x/cli.py", "train-controller", "upper", "--seed", "3", "--out", "/tmp/a b", "--runs=/tmp/r")
    assert portable_command(command) == "refine-dp train-controller upper --seed 3"
    tuning = [
        "cli.py",
        "finetune",
        "--checkpoint",
        "/home/me/runs/a-pretrain",
        "--dataset=/data/box.hdf5",
        "--resume=/x",
    ]
    assert portable_command(tuning) == "refine-dp finetune --checkpoint a-pretrain --dataset=box.hdf5"


def test_that_impossible_options_are_refused():
    with pytest.raises(ValueError, match="max_minutes must be positive, got -1"):
        TrainingOptions(max_minutes=-1)
