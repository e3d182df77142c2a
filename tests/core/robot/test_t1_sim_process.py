"""The simulated robot as a process, spoken to by the vendor's SDK over DDS on loopback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.robot.announcer import announcement, metatraffic_port, spdp_port
from trainer.jobs.t1_sim import Config
from trainer.t1_sim_process import SimProcess

pytest.importorskip("booster_robotics_sdk_python")
CLIENT = Path(__file__).parent / "sdk_client.py"


def test_that_the_sdk_talks_to_the_simulated_robot() -> None:
    with SimProcess(Config(balance=False)) as robot:
        done = subprocess.run([sys.executable, CLIENT, str(robot.domain)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
        status = robot.wait_for(lambda s: "joint_count" in s["violations"])

    assert told["mode"] == 0
    assert told["info"] == "SIM000000"
    assert told["refused"] == 502
    assert told["motors"] == 29
    assert told["last_mode"] == 1
    assert (told["fall"], told["battery"]) == (0, 80.0)
    assert status["mode"] == 1
    assert {event["kind"] for event in robot.events if event["event"] == "violation"} == {
        "joint_count", "custom_without_frames",
    }  # fmt: skip


def test_that_the_console_breaks_and_mends_and_says_what_it_knows() -> None:
    with SimProcess(Config(balance=False)) as robot:
        robot.ask("fault hot 80")
        robot.ask("remote walking")
        with pytest.raises(ValueError, match="known: status, fault"):
            robot.ask("dance")
        status = robot.status()

    assert status["mode"] == 2
    assert status["modes"][-1][1:] == [2, "remote"]
    assert robot.process.returncode == 0


def test_that_the_announcement_has_the_parameters_that_fast_dds_reads() -> None:
    message = announcement(bytes(range(12)), "127.0.0.1", metatraffic_port(100, 60), 1, 1.5)

    assert message[:8] == b"RTPS\x02\x03\x01\x10"
    assert message[8:20] == bytes(range(12))
    assert b"\x07\x80" not in message[20:]
    assert bytes(range(12)) + b"\x00\x00\x01\xc1" in message
    assert message.endswith(b"\x01\x00\x00\x00")
    assert (spdp_port(100), metatraffic_port(100, 60)) == (32400, 32530)
