"""The list of planners that can be watched."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from core.rl.header import HEADER_KEY, CheckpointError
from trainer.planner_files import find_planners, planner_path, read_planner_file


def store(path: Path, written_s: float = 1.0, kind: str = "planner", tuned_steps: int = 0, **training) -> Path:
    """The header of a planner; its weights do not matter here."""
    metadata = {"layout": {"task": "box_pickup"}, "config": {"kind": "dit"}, "tuned_steps": tuned_steps}
    header = {"layout": {"kind": kind, "version": 1}, "metadata": {**metadata, "training": training}}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.zeros(1, np.float32)}, path, {HEADER_KEY: json.dumps(header)})
    os.utime(path, (written_s, written_s))
    return path


def test_that_shipped_planners_come_first_then_the_newest_run(tmp_path: Path) -> None:
    shipped = store(tmp_path / "planners" / "box_pickup" / "tuned.safetensors", tuned_steps=5)
    old = store(tmp_path / "runs" / "a-pretrain" / "planner.safetensors", written_s=10.0)
    new = store(tmp_path / "runs" / "b-compare" / "dppo" / "planner.safetensors", written_s=20.0)
    (tmp_path / "runs" / "c-pretrain").mkdir()
    (tmp_path / "runs" / "c-pretrain" / "planner.safetensors").write_bytes(b"half a file")
    found = find_planners(tmp_path / "runs", tmp_path / "planners")
    assert [planner.path for planner in found] == [shipped, new, old]
    assert found[0].title == "shipped: tuned · dit fine-tuned"
    store(tmp_path / "planners" / "box_pickup" / "pretrained.safetensors")
    both = find_planners(tmp_path / "none", tmp_path / "planners")
    assert [planner.name for planner in both] == ["shipped: tuned", "shipped: pretrained"]  # the better one is offered
    assert find_planners(tmp_path / "none", tmp_path / "nothing") == ()


def test_that_planners_of_deleted_runs_are_not_listed(tmp_path: Path) -> None:
    store(tmp_path / "runs" / ".trash" / "1" / "run" / "planner.safetensors")
    assert find_planners(tmp_path / "runs", tmp_path / "nothing") == ()


def test_that_the_title_says_how_good_it_is(tmp_path: Path) -> None:
    evaluations = [{"success_rate": 0.5, "ci95": [0.4, 0.6]}, {"success_rate": 0.625, "ci95": [0.553, 0.69]}]
    measured = store(tmp_path / "a" / "planner.safetensors", steps=6000, evaluations=evaluations)
    fresh = store(tmp_path / "b" / "planner.safetensors", steps=200, evaluations=[])
    assert read_planner_file(measured).title == "a · dit · 62 % (55–69)"
    assert read_planner_file(fresh).title == "b · dit · 200 steps"
    assert "200 training steps" in read_planner_file(fresh).hint
    packed = store(tmp_path / "c" / "tuned.safetensors", evaluations=evaluations, evaluation={**evaluations[0]})
    assert read_planner_file(packed).title == "c · dit · 50 % (40–60)"
    learned = store(tmp_path / "d" / "planner.safetensors", iterations=40)  # also without denoising steps to tune
    assert (read_planner_file(learned).title, read_planner_file(learned).tuned) == ("d · dit fine-tuned", True)


def test_that_what_is_no_planner_is_refused(tmp_path: Path) -> None:
    controller = store(tmp_path / "lower.safetensors", kind="lower_controller")
    with pytest.raises(CheckpointError, match="holds a 'lower_controller', not a planner"):
        read_planner_file(controller)


def test_that_a_run_folder_stands_for_its_planner(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no planner\.safetensors"):
        planner_path(tmp_path)
    store(tmp_path / "planner.safetensors")
    assert planner_path(tmp_path) == tmp_path / "planner.safetensors"
    assert planner_path(tmp_path / "x.safetensors") == tmp_path / "x.safetensors"
