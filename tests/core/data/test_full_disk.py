"""A disk that fills up while episodes are recorded: a small tmpfs, a small ext4 image, and a file size limit."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run_script(folder, mode, runs, mount=None):
    """Run full_disk.py, after `mount` in a mount namespace of its own; returns what it printed."""
    script = [sys.executable, str(HERE / "full_disk.py"), str(folder), mode, str(runs)]
    environment = os.environ | {"PYTHONPATH": f"{HERE.parents[2]}:{HERE}"}
    if mount is not None:
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        script = ["unshare", *user, "--mount", "sh", "-c", f"{mount} && exec {shlex.join(script)}"]
    result = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    if mount is not None and result.returncode != 0 and "Traceback" not in result.stderr:
        pytest.skip(f"this machine lets us mount no small disk: {result.stderr.strip()[-200:]}")
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout)


def test_that_a_file_size_limit_loses_nothing_finished(tmp_path):
    result = run_script(tmp_path, "limit", 6)
    assert result["runs"] == sum(result["full_at"].values()) == 6


def test_that_a_full_tmpfs_loses_nothing_finished(tmp_path):
    result = run_script(tmp_path, "disk", 20, f"mount -t tmpfs -o size=2m tmpfs {tmp_path}")
    assert set(result["full_at"]) >= {"append", "finish"}, "both kinds of write must have met the full disk"


@pytest.mark.slow
def test_that_a_full_ext4_loses_nothing_finished(tmp_path):
    folder, image = tmp_path / "disk", tmp_path / "image"
    folder.mkdir()
    image.write_bytes(bytes(6_000_000))
    make = f"PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -m 0 -F {image}"
    result = run_script(folder, "disk", 24, f"{make} && mount -o loop {image} {folder}")
    assert result["runs"] == 24
