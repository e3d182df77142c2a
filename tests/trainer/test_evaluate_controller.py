"""The controllers' evaluation as a job at toy size, and its table."""

import json
from pathlib import Path

import pytest
import torch

from core.control import lower
from core.rl.checkpoint import save_checkpoint
from core.rl.networks import Actor
from core.rl.ppo_config import ActorCriticConfig
from trainer.controller_table import arms_table, late_table, legs_table, page
from trainer.jobs.evaluate_controller import Config, leg_entries, main, rows
from trainer.runs import list_runs

REPORT = {
    "placement_median_m": 0.0123, "placement_p95_m": 0.031, "distance_ratio": 0.987, "turn_ratio": None,
    "falls_per_1000_s": 1.5, "falls_interval": [0.3, 4.4],
}  # fmt: skip


def checkpoint(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    actor = Actor(lower.LAYOUT.obs_size, 12, ActorCriticConfig(actor_hidden=(16,)))
    metadata = {
        "actor_hidden": [16],
        "timing": {"swing_s": 0.36, "double_support_s": 0.08},
        "seed": seed,
        "config": {"method": "scratch"},
        "training": {"cpu_minutes": 12.0, "steps": 1000},
    }
    save_checkpoint(folder / "controller.safetensors", actor.state_dict(), lower.LAYOUT, metadata)
    return folder


def test_that_rows_show_errors_in_cm_and_falls_with_their_interval():
    table = legs_table({"a": {"label": "legs a", "calm": REPORT, "kicked": REPORT, "cpu_minutes": 12.3, "steps": 6e6}})
    assert table.splitlines()[-1] == (
        "| legs a | 1.23 / 3.10 | 1.23 / 3.10 | 98.7 % | - | 1.5 [0.3, 4.4] | 1.5 [0.3, 4.4] | 6.0 | 12 |"
    )
    grasp = [{"success": 3, "episodes": 4}, {"success": 4, "episodes": 4}]
    arms = arms_table({"ik": {"label": "ik", "fixed_base": {"grasp": grasp}}})
    assert arms.splitlines()[-1] == "| ik | - | - | - | - | - | - | - | 75-100 % | - | - |"


def test_that_trembling_is_shown_in_mrad_per_second_with_the_worst_robot():
    trembling = {
        "joints_rad_s": 0.0012, "worst_joints_rad_s": 0.0204, "trunk_rad_s": 0.0001, "worst_trunk_rad_s": 0.0096,
    }  # fmt: skip
    row = {"label": "a", "fixed_base": {"grasp": [{"success": 4, "episodes": 4}]}, "cpu_minutes": 9.6}
    cells = arms_table({"a": row | {"trembling": trembling}}).splitlines()[-1].split(" | ")
    assert cells[-5:] == ["1.2 / 20.4", "0.1 / 9.6", "100-100 %", "-", "10 |"]


def test_that_a_row_with_late_targets_names_its_delay():
    trembling = {
        "joints_rad_s": 2.5, "worst_joints_rad_s": 3.1, "trunk_rad_s": 0.8, "worst_trunk_rad_s": 2.0,
    }  # fmt: skip
    late = {
        "delay_ms": 20.0,
        "hands": {"standing_m": [0.05, 0.25], "walking_m": [0.1, 0.26]},
        "walk": REPORT,
        "trembling": trembling,
        "blocked": {"force_n_median": 29.4, "ripple_n_median": 0.21},
    }
    table = late_table({"a": {"label": "a", "late": [late]}, "b": {"label": "never measured"}})
    assert table.splitlines()[2:] == [
        "| a | 20 ms | 5.00 / 25.00 | 10.00 / 26.00 | 1.5 [0.3, 4.4] | 2500.0 / 3100.0 | 800.0 / 2000.0 | 29, 0.21 |"
    ]


def test_that_only_the_rows_asked_for_are_measured_and_unknown_ones_are_refused(tmp_path: Path):
    config = Config(shipped=tmp_path, only=("arms/ik", "legs/model-based"))
    assert [row.name for row in rows(config)] == ["legs/model-based", "arms/ik"]
    with pytest.raises(ValueError, match="'arms/of_steel' does not exist; known: legs/model-based, arms/ik"):
        rows(Config(shipped=tmp_path, only=("arms/of_steel",)))


def test_that_the_page_can_be_made_from_stored_numbers_alone():
    stored = {"settings": {"walking_s": 2000.0, "kick_m_s": 0.25, "seed": 1}, "legs": {}, "arms": {}}
    assert page(stored).startswith("# The low-level controllers")


def test_that_run_folders_become_rows_with_their_seed(tmp_path: Path):
    runs = tuple(checkpoint(tmp_path / f"run{seed}", seed) for seed in (3, 4))
    entries = leg_entries(Config(runs=runs, shipped=tmp_path, baselines=False))
    assert [entry.key for entry in entries] == ["scratch seed 3", "scratch seed 4"]


def test_that_a_folder_without_a_controller_is_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"controller\.safetensors"):
        leg_entries(Config(runs=(tmp_path,), shipped=tmp_path))


def test_that_the_job_writes_numbers_and_table(tmp_path: Path):
    config = Config(
        runs=(checkpoint(tmp_path / "run", 3),),
        shipped=tmp_path,
        walking_s=2.0,
        worlds=3,
        threads=1,
        baselines=False,
        json_path=tmp_path / "evaluation.json",
        table=tmp_path / "controllers.md",
        folder=tmp_path / "runs",
    )
    assert main(config) == 0
    (run,) = list_runs(config.folder)
    assert run.read_status().state == "finished"
    stored = json.loads(config.json_path.read_text())
    row = stored["legs"]["scratch seed 3"]
    assert row["calm"]["walking_s"] >= 2.0
    assert row["kicked"]["falls"] >= 1
    assert "π_lower, scratch seed 3" in config.table.read_text()
