"""Vicon, Qualisys and VRPN: the bridge to the library, with a stand-in for the library and for its process."""

import json
import sys
from types import SimpleNamespace

import pytest

from core.mocap.frame import MocapFrame
from core.mocap.library import ASSUMED_DELAY_S, LibraryClient
from core.mocap.library_process import stream

TALK = """
import json, time
print("noise of a vendor's library")
for n in range(1, 4):
    print(json.dumps({"number": n, "received_s": 10.0 + n, "bodies": {"box": [1, 2, 3, 1, 0, 0, 0]}}), flush=True)
time.sleep(60)
"""


class FakeLibrary:
    """Has the attributes that libmotioncapture's binding has."""

    def __init__(self) -> None:
        turn = SimpleNamespace(w=0.8, x=0.0, y=0.0, z=0.6)
        self.rigidBodies = {"box": SimpleNamespace(position=[1.0, 2.0, 3.0], rotation=turn)}

    def waitForNextFrame(self) -> None:
        pass


def test_that_the_process_writes_a_line_a_frame() -> None:
    lines: list[str] = []
    stream(FakeLibrary(), lines.append, frames=2, now=lambda: 7.0)

    assert [json.loads(line) for line in lines] == [
        {"number": n, "received_s": 7.0, "bodies": {"box": [1.0, 2.0, 3.0, 0.8, 0.0, 0.0, 0.6]}} for n in (1, 2)
    ]


def test_that_lines_become_frames() -> None:
    heard: list[MocapFrame] = []
    client = LibraryClient("vicon", "lab", heard.append, [sys.executable, "-c", TALK])
    client.close()

    assert heard[0].number == 1
    assert heard[0].exposure_s == pytest.approx(11.0 - ASSUMED_DELAY_S)
    assert heard[0].bodies[0].pos_w == (1, 2, 3)


def test_that_a_system_that_does_not_answer_is_said_with_its_reason() -> None:
    talk = 'print(\'{"error": "no route to lab"}\')'
    with pytest.raises(ConnectionError, match="vicon at lab gives nothing: no route to lab"):
        LibraryClient("vicon", "lab", lambda frame: None, [sys.executable, "-c", talk])


def test_that_the_real_library_has_what_the_bridge_uses() -> None:
    library = pytest.importorskip("motioncapture")
    system = library.connect("mock", {"frequency": "1000"})
    lines: list[str] = []
    stream(system, lines.append, frames=2)

    assert [json.loads(line)["bodies"] for line in lines] == [{}, {}]
    assert {"position", "rotation", "name"} <= set(dir(library.RigidBody))
    assert {"w", "x", "y", "z"} <= set(dir(library.Quaternion))
