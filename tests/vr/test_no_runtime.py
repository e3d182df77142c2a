"""Without a runtime, or with one that does not answer: a state in words with its remedy, looked for again by itself."""

import json
import os
from pathlib import Path

import pytest
from input_probe import wait_until
from monado import Monado, RemoteOperator

from core.teleop.xr_input import XrInput
from core.teleop.xr_link import XrStatus
from trainer.vr_check import check_headset


def nowhere(tmp_path: Path, **variables: str) -> dict[str, str]:
    """The environment of a computer without any runtime."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("XR")}
    folders = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_RUNTIME_DIR")}
    return {**env, **folders, **variables}


def settled(environment: dict[str, str]) -> XrStatus:
    source = XrInput(lambda sample: pytest.fail("a sample without a runtime"), environment=environment)
    source.start()
    try:
        wait_until(lambda: source.status().state != "starting", "a verdict")
        pid = source.pid
        found = source.status()
        wait_until(lambda: source.status().state == found.state, "the same verdict again")
        assert source.pid == pid, "the process went on looking"
        return found
    finally:
        source.close()


def test_that_a_computer_without_a_runtime_is_told_what_to_install(tmp_path: Path):
    status = settled(nowhere(tmp_path))
    assert status.state == "no_runtime"
    assert "WiVRn" in status.remedy
    assert "SteamVR" in status.remedy


def test_that_a_runtime_whose_library_is_gone_is_named(tmp_path: Path):
    manifest = tmp_path / "gone.json"
    manifest.write_text(
        json.dumps({"file_format_version": "1.0.0", "runtime": {"name": "Gone", "library_path": "/nowhere/gone.so"}})
    )
    status = settled(nowhere(tmp_path, XR_RUNTIME_JSON=str(manifest)))
    assert status.state in ("no_answer", "failed")
    assert "Gone" in status.text
    assert status.remedy


def test_that_a_runtime_whose_service_is_not_running_is_named(tmp_path: Path, monado_files: dict[str, str]):
    service = Monado(monado_files)
    try:
        status = settled(service.environment())
    finally:
        service.close()
    assert status.state == "no_answer"
    assert "Monado" in status.text
    assert "start it" in status.remedy


def test_that_the_command_line_finds_the_headset(monado: Monado, operator: RemoteOperator):
    said: list[str] = []
    make = lambda take: XrInput(take, environment=monado.environment())  # noqa: E731
    assert check_headset(60.0, said.append, make) == 0  # type: ignore[arg-type]
    assert any(line.startswith("running: Monado") for line in said), said
    assert "both controllers are tracked" in said[-2]
    assert said[-1] == "finger joints are offered"


def test_that_the_command_line_says_so_when_nothing_comes(tmp_path: Path):
    said: list[str] = []
    make = lambda take: XrInput(take, environment=nowhere(tmp_path))  # noqa: E731
    assert check_headset(3.0, said.append, make) == 1  # type: ignore[arg-type]
    assert "docs/vr.md" in said[-1]
