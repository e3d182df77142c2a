"""Checkpoints come back as written and refuse what they were not made for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.rl.checkpoint import CheckpointError, Layout, load_checkpoint, save_checkpoint

LAYOUT = Layout("upper_controller", 1, (("gravity", 3), ("joints", 7)), ("a", "b"))
TENSORS = {"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3, dtype=torch.int64)}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "c.safetensors"
    save_checkpoint(path, TENSORS, LAYOUT, {"seed": 4})
    return path


def test_that_tensors_and_metadata_come_back(checkpoint: Path):
    tensors, metadata = load_checkpoint(checkpoint, LAYOUT)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert metadata == {"seed": 4}
    assert json.loads(checkpoint.with_suffix(".json").read_text())["metadata"] == {"seed": 4}
    assert sorted(file.name for file in checkpoint.parent.iterdir()) == ["c.json", "c.safetensors"]


def test_that_another_layout_is_refused_by_name(checkpoint: Path):
    with pytest.raises(CheckpointError, match=r"observation: file has .*'joints', 7.* needs .*'joints', 6"):
        load_checkpoint(checkpoint, replace(LAYOUT, observation=(("gravity", 3), ("joints", 6))))
    with pytest.raises(CheckpointError, match="kind: file has 'upper_controller'"):
        load_checkpoint(checkpoint, replace(LAYOUT, kind="lower_controller"))


def test_that_a_missing_or_damaged_file_is_refused(checkpoint: Path, tmp_path: Path):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.safetensors", LAYOUT)
    checkpoint.write_bytes(checkpoint.read_bytes()[:40])
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        load_checkpoint(checkpoint, LAYOUT)


def test_that_a_checkpoint_needs_its_suffix(tmp_path: Path):
    with pytest.raises(ValueError, match="safetensors"):
        save_checkpoint(tmp_path / "c.pt", TENSORS, LAYOUT, {})
