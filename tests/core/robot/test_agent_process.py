"""The agent and the dead-man as processes with the vendor's SDK, against the simulated robot over DDS."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.robot.agent.config import AgentConfig
from core.robot.client import AgentError, AgentGoneError, running_sessions
from core.robot.launch import RobotProcesses
from core.t1.model import DEFAULT_JOINT_POS
from trainer.jobs.t1_sim import Config
from trainer.t1_sim_process import SimProcess

pytest.importorskip("booster_robotics_sdk_python")


def quick(domain: int, **more: object) -> AgentConfig:
    """A robot that stands up quickly, and watchdogs that forgive a busy computer."""
    return AgentConfig(
        domain=domain, interface="127.0.0.1", stand_up_s=1.0, settle_s=0.2, ramp_s=0.2, target_timeout_s=5.0,
        state_timeout_s=2.0, deadman_timeout_s=5.0, **more,
    )  # fmt: skip


@pytest.fixture
def robot() -> Iterator[SimProcess]:
    with SimProcess(Config(balance=False, stand_up_s=0.7)) as made:
        yield made


def test_that_the_whole_chain_drives_the_robot_and_a_stop_ends_it(robot: SimProcess, tmp_path: Path) -> None:
    log = tmp_path / "safety.jsonl"
    processes = RobotProcesses(quick(robot.domain, log_path=str(log)))
    try:
        client = processes.client
        processes.wait_for("connected")
        client.ask("prepare")
        processes.wait_for("prepare")
        client.ask("custom")
        processes.wait_for("custom")
        for _ in range(25):
            sent = client.ask(
                "step", position=DEFAULT_JOINT_POS.tolist(), gripper=[0.03, 0.03], velocity=[0, 0, 0], damping=False
            )
            time.sleep(0.02)
        driven = robot.status()

        (session,) = [s for s in running_sessions() if s.pid == processes.agent.pid]
        pressed_s = time.monotonic()
        other = session.connect()
        other.stop("hard", "test", pressed_s)
        stopped = robot.wait_for(lambda s: s["mode"] == 0)
        deadline = time.monotonic() + 10
        while "confirmed" not in (words := client.ask("state", sensors=False)["stop_words"]):
            assert time.monotonic() < deadline, words
            time.sleep(0.01)
        other.close()

        client.ask("clear")
        assert client.ask("state", sensors=False)["state"] == "connected"
    finally:
        processes.close()

    assert sent["state"] == "custom"
    assert len(sent["q"]) == 29
    assert driven["mode"] == 3
    assert driven["gripper"][0] < 0.077
    assert stopped["limp_s"] > pressed_s
    assert stopped["violations"] == {}
    assert (processes.agent.returncode, processes.deadman.returncode) == (0, 0)
    assert '"event": "stop_confirmed"' in log.read_text()
    assert not session.path.exists()


def test_that_a_robot_that_is_not_there_is_reported_and_nothing_moves() -> None:
    processes = RobotProcesses(AgentConfig(domain=229, interface="127.0.0.1"))
    try:
        with pytest.raises(TimeoutError, match="connecting on 127"):
            processes.wait_for("connected", timeout_s=1.0)
        processes.client.ask("prepare")
        with pytest.raises(AgentError, match="cannot prepare in state disconnected"):
            processes.wait_for("prepare", timeout_s=5.0)
    finally:
        processes.close()


def test_that_an_interface_that_does_not_exist_ends_the_start_with_the_known_ones() -> None:
    with pytest.raises(RuntimeError, match=r"interface 'eth77' does not exist.*lo \(127.0.0.1\)"):
        RobotProcesses(AgentConfig(domain=228, interface="eth77"))


def test_that_strangers_without_the_key_are_not_heard(robot: SimProcess) -> None:
    processes = RobotProcesses(quick(robot.domain))
    try:
        stranger = running_sessions()[-1]
        from core.robot.client import AgentClient

        with pytest.raises(AgentGoneError):
            AgentClient(stranger.socket, "00" * 32)
        assert oct(os.stat(stranger.path).st_mode)[-3:] == "600"
        assert processes.client.ask("state")["state"] in ("disconnected", "connected")
    finally:
        processes.close()


def test_that_a_stop_key_stops_the_robot(robot: SimProcess, tmp_path: Path) -> None:
    """A named pipe stands for /dev/input/event*: the same bytes."""
    import struct

    device = tmp_path / "event7"
    os.mkfifo(device)
    opened: list[int] = []
    opener = threading.Thread(target=lambda: opened.append(os.open(device, os.O_WRONLY)))
    opener.start()
    processes = RobotProcesses(quick(robot.domain, stop_key_device=str(device)))
    try:
        opener.join(30)
        processes.wait_for("connected")
        os.write(opened[0], struct.pack("llHHi", 0, 0, 4, 4, 458792))  # the scan code before a key is no press
        os.write(opened[0], struct.pack("llHHi", 0, 0, 1, 28, 1))
        report = processes.wait_for("stopped")
        assert "stop key" in report["stop_words"]
    finally:
        processes.close()
        os.close(opened[0])
