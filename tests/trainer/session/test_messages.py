import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tasks.scene import BoxObject, Scene
from trainer.session.frames import MAX_MESSAGE_BYTES, MessageError
from trainer.session.messages import (
    Configure,
    Control,
    EpisodeFinished,
    Heartbeat,
    Hello,
    Keys,
    LogLine,
    LoopStats,
    SceneChanged,
    Stop,
    Telemetry,
    decode,
    encode,
)


def telemetry(**changes) -> Telemetry:
    values = {
        "tick": 1, "time_s": 0.02, "state": "running", "stop": "none", "holding": False, "hold_reason": "",
        "source": "heuristic", "stage": "approach", "episode": 0, "episodes_finished": 0, "episodes_succeeded": 0,
        "success": False, "recording": "off", "recorded_samples": 0, "recorded_episodes": 0,
        "base_pose_w": np.arange(7, dtype=np.float32), "joint_pos": np.zeros(29, np.float32),
        "gripper_opening": np.zeros(2, np.float32), "object_poses_w": {"box": np.ones(7, np.float32)},
        "object_sizes": {"box": np.ones(3, np.float32)}, "command_hand_poses_w": np.zeros((2, 7), np.float32),
        "hand_poses_w": np.zeros((2, 7), np.float32), "planned_steps_w": np.zeros((0, 4), np.float32),
        "planned_sides": np.zeros(0, np.int64), "velocity_command": np.zeros(3, np.float32),
        "velocity_actual": np.zeros(3, np.float32), "gripper_command": np.zeros(2, np.float32),
        "hand_pos_error_m": np.zeros(2, np.float32), "hand_rot_error_rad": np.zeros(2, np.float32),
        "foot_error_m": float("nan"), "interventions": {"speed": 3}, "loop": LoopStats(rate_hz=50.0),
    }  # fmt: skip
    return Telemetry(**{**values, **changes})


@pytest.mark.parametrize(
    "message",
    [
        Hello("client", pid=3),
        Configure(seed=4, dataset="a b.hdf5", safety="hardware"),
        Control("start"),
        Stop("hard_stop"),
        Keys(("w", "shift"), 1.25),
        Heartbeat(9),
        EpisodeFinished(0, 1, True, "success", 12.5, True),
        SceneChanged(Scene("s", (BoxObject("box", (0.1, 0.2, 0.3), (0.0, 0.0, 1.0)),)), "box_pickup", 30.0),
        LogLine("é"),
    ],
)
def test_that_a_message_comes_back_equal(message):
    assert decode(encode(message)) == message


def test_that_telemetry_arrays_come_back_bit_for_bit():
    sent = telemetry(planned_steps_w=np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32))
    got = decode(encode(sent))
    assert isinstance(got, Telemetry)
    np.testing.assert_array_equal(got.planned_steps_w, sent.planned_steps_w)
    np.testing.assert_array_equal(got.object_poses_w["box"], sent.object_poses_w["box"])
    assert got.base_pose_w.dtype == np.float32
    assert np.isnan(got.foot_error_m)
    assert got.loop == sent.loop


def frame(header: object, tail: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return b"RDP1" + struct.pack("<I", len(text)) + text + tail


HEADER = {"v": 1, "type": "Heartbeat", "body": {"count": 1}, "arrays": []}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "shorter than its head"),
        (b"XXXX\0\0\0\0", "begins with"),
        (b"RDP1" + struct.pack("<I", 1 << 31), "the header should have 2147483648 bytes"),
        (b"RDP1" + struct.pack("<I", 2) + b"{]", "not JSON"),
        (frame([]), "not an object"),
        (frame({**HEADER, "v": 2}), "protocol version 2, this program speaks 1"),
        (frame({**HEADER, "type": "Run"}), "unknown message 'Run'; known: Hello"),
        (frame({**HEADER, "type": ["x"]}), "unknown message"),
        (frame({**HEADER, "body": {"count": "1"}}), r"Heartbeat\.count: expected a whole number"),
        (frame({**HEADER, "body": None}), "expected an object"),
        (frame({**HEADER, "arrays": None}), "lists no arrays"),
        (frame({**HEADER, "arrays": [{"dtype": "object", "shape": [1]}]}), "array of 'object'"),
        (frame({**HEADER, "arrays": [{"dtype": "float32", "shape": [1 << 40]}]}), "array of shape"),
        (frame({**HEADER, "arrays": [{"dtype": "float32", "shape": [-1]}]}), "array of shape"),
        (frame({**HEADER, "arrays": [{"dtype": "float32", "shape": [9]}]}), "needs 36 bytes"),
        (frame(HEADER, b"extra"), "5 bytes after the last array"),
        (frame({**HEADER, "body": [[]] * 3}), "expected an object"),
        (b"RDP1" + struct.pack("<I", 200_000) + b"[" * 200_000, "not JSON|not an object"),
        (b"\0" * (MAX_MESSAGE_BYTES + 1), "allowed: 1048576"),
    ],
)
def test_that_a_bad_frame_is_refused_with_its_reason(data, message):
    with pytest.raises(MessageError, match=message):
        decode(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_that_no_mutation_of_a_frame_raises_anything_but_message_error(data):
    good = encode(telemetry())
    bad = bytearray(good[: data.draw(st.integers(0, len(good)))])
    for _ in range(data.draw(st.integers(0, 8))):
        if bad:
            bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MessageError):
        decode(bytes(bad))


def test_that_an_oversized_message_is_refused_before_it_is_sent():
    with pytest.raises(MessageError, match="allowed: 1048576"):
        encode(telemetry(planned_steps_w=np.zeros((100_000, 4), np.float32)))


def test_that_an_array_of_another_kind_is_refused_before_it_is_sent():
    with pytest.raises(MessageError, match="array of complex64"):
        encode(telemetry(joint_pos=np.zeros(29, np.complex64)))
