"""Frames between the processes, recordings of raw input, and the runtimes that a computer has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import hand

from core.teleop.openxr_bindings import ACTIONS, PROFILES
from core.teleop.openxr_runtimes import RuntimeFile, active_runtime, installed_runtimes
from core.teleop.poses import Pose
from core.teleop.presses import BUTTONS
from core.teleop.xr_joints import JOINTS, XrJoints
from core.teleop.xr_link import LinkError, Pulse, Quit, XrStatus, decode, encode
from core.teleop.xr_sample import TRACKED, XrSample
from core.teleop.xr_settings import VrSettings
from core.teleop.xr_tape import TapeError, TapeHeader, TapeWriter, read_header, read_tape

HEADER = TapeHeader("box_pickup", 7, "mujoco", "simulation", "learned", 0.8, "1.2.3")


def sample(k: int) -> XrSample:
    return XrSample(k, 100.0 + 0.01 * k, True, 0, TRACKED, left=hand((0.5, 0.25, 1.0)), right=hand((0.5, -0.25, 1.0)))


@pytest.mark.parametrize(
    "frame",
    [
        sample(3),
        XrJoints(100.5),
        XrJoints(100.5, left=tuple(Pose((0.25 * k, 0.5, -1.0)) for k in range(JOINTS))),
        XrStatus("running", runtime="Monado 25", controllers=("Oculus Touch", ""), rate_hz=119.5),
        Pulse("right", 0.5, 0.25, 3),
        Quit(),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_that_frames_survive_the_socket(frame):
    assert decode(encode(frame)) == frame


@given(st.binary(max_size=400))
def test_that_arbitrary_bytes_are_refused_and_never_crash(data):
    try:
        frame = decode(data)
    except LinkError:
        return
    assert encode(frame)[:1] == data[:1]


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        '{"controllers": 3}',
        '{"controllers": ["", ""], "state": "dancing"}',
        '{"controllers": ["", ""], "x": 1}',
    ],
)
def test_that_a_status_that_is_none_is_refused(body):
    with pytest.raises(LinkError):
        decode(b"J" + body.encode())


@pytest.mark.parametrize("wrong", [(0.0, 0.1, 1), (1.1, 0.1, 1), (0.5, 3.0, 1), (0.5, 0.1, 9)])
def test_that_a_pulse_that_cannot_be_felt_is_refused(wrong):
    with pytest.raises(ValueError, match="a pulse has amplitude 0 to 1"):
        Pulse("left", *wrong)


def test_that_a_recording_is_read_back_in_order(tmp_path: Path):
    path = tmp_path / "sub" / "a.operator"
    tape = TapeWriter(path, HEADER)
    for k in range(5):
        tape.sample(sample(k))
        tape.look(100.0 + 0.01 * k)
    tape.joints(XrJoints(100.1))
    tape.close()
    tape.sample(sample(9))  # after the end: dropped
    header, records = read_tape(path)
    assert header == read_header(path) == HEADER
    assert [r.sequence if isinstance(r, XrSample) else r for r in records] == [
        v for k in range(5) for v in (k, 100.0 + 0.01 * k)
    ] + [XrJoints(100.1)]
    with pytest.raises(FileExistsError):
        TapeWriter(path, HEADER)


def test_that_a_recording_cut_by_a_crash_is_read_up_to_there(tmp_path: Path):
    path = tmp_path / "a.operator"
    tape = TapeWriter(path, HEADER)
    tape.sample(sample(0))
    tape.look(100.0)
    tape.sample(sample(1))
    tape.close()
    path.write_bytes(path.read_bytes()[:-10])
    assert len(read_tape(path)[1]) == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "does not begin with"),
        (b"REFINE-DP operator 1\n{}\n", "the header has"),
        (b"REFINE-DP operator 1\nnonsense\n", "the header cannot be read"),
    ],
)
def test_that_another_file_is_refused(tmp_path: Path, data: bytes, words: str):
    path = tmp_path / "a.operator"
    path.write_bytes(data)
    with pytest.raises(TapeError, match=words):
        read_tape(path)


def manifest(path: Path, name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"file_format_version": "1.0.0", "runtime": {"name": name, "library_path": "x.so"}}))
    return path


def test_that_the_active_runtime_is_the_one_that_the_loader_takes(tmp_path: Path):
    home = {"HOME": str(tmp_path / "home")}
    assert active_runtime(home, tmp_path) is None
    shared = manifest(tmp_path / "etc/xdg/openxr/1/active_runtime.json", "SteamVR")
    assert active_runtime(home, tmp_path) == RuntimeFile(str(shared), "SteamVR")
    own = manifest(tmp_path / "home/.config/openxr/1/active_runtime.json", "WiVRn")
    assert active_runtime(home, tmp_path) == RuntimeFile(str(own), "WiVRn")
    chosen = manifest(tmp_path / "mine.json", "Monado")
    assert active_runtime({**home, "XR_RUNTIME_JSON": str(chosen)}, tmp_path) == RuntimeFile(str(chosen), "Monado")
    missing = active_runtime({**home, "XR_RUNTIME_JSON": "/nowhere.json"}, tmp_path)
    assert missing is not None
    assert "unreadable" in missing.name


def test_that_installed_runtimes_are_listed(tmp_path: Path):
    manifest(tmp_path / "usr/share/openxr/1/openxr_monado.json", "Monado")
    manifest(tmp_path / "home/.local/share/Steam/steamapps/common/SteamVR/steamxr_linux64.json", "SteamVR")
    (tmp_path / "usr/share/openxr/1/broken.json").write_text("{")
    names = {runtime.name for runtime in installed_runtimes({"HOME": str(tmp_path / "home")}, tmp_path)}
    assert names == {"Monado", "SteamVR"}


def test_that_every_binding_names_an_action_and_leaves_the_system_button_alone():
    names = {spec.name for spec in ACTIONS}
    for profile in PROFILES:
        bindings = profile.bindings()
        assert {action for action, _ in bindings} <= names, profile.name
        assert len(set(bindings)) == len(bindings)
        assert not any("system" in path for _, path in bindings)
        for side in ("left", "right"):
            own = {action for action, path in bindings if f"/{side}/" in path}
            assert {"grip", "aim", "haptic", "squeeze"} <= own, f"{profile.name} cannot take over with the {side} hand"


def test_that_every_used_button_is_bound_on_every_full_controller():
    for profile in PROFILES:
        bound = {(path.split("/")[3], action) for action, path in profile.bindings()}
        if profile.name == "simple controller":
            continue
        for use in BUTTONS:
            assert use.button.name is not None
            assert (use.side, use.button.name.lower()) in bound, f"{profile.name}: {use.name}"


@pytest.mark.parametrize("wrong", [{"lookahead_ms": 31.0}, {"lookahead_ms": -1.0}, {"latency_limit_ms": 10.0}])
def test_that_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        VrSettings(**wrong)


def test_that_the_input_process_and_its_parent_start_without_torch_and_the_parent_without_the_runtime():
    script = (
        "import sys, core.teleop.openxr_process, core.teleop.xr_input, core.teleop.xr_operator\n"
        "assert not {'torch', 'numpy', 'xr'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
