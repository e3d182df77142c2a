"""The ladder on the wire: over DDS with the vendor's SDK, against the simulated robot."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from core.backends.t1 import T1Backend
from core.control.stop import StopLevel
from core.robot.agent.config import AgentConfig
from core.robot.client import AgentError
from core.robot.ladder_evidence import RobotId, Rung, Subject
from core.robot.ladder_store import LadderStore
from core.t1.model import DEFAULT_JOINT_POS
from core.tasks.scene import Scene
from core.types import JointTarget
from trainer.jobs.t1_sim import Config
from trainer.t1_sim_process import SimProcess

pytest.importorskip("booster_robotics_sdk_python")
SCENE = Scene("test", ())
QUESTIONS = {"GET_MODE", "GET_ROBOT_INFO"}
SUBJECT = Subject("heuristic", "a" * 64)
SIMULATED = RobotId("SIM000000", "t1-sim", "T1", simulated=True)


def target(velocity: float = 0.0, damping: bool = False) -> JointTarget:
    q = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32)[None]
    return JointTarget(
        q, torch.full((1, 2), 0.02), torch.tensor([damping]), torch.tensor([[velocity, 0.0, 0.0]])
    )  # fmt: skip


@pytest.fixture
def robot() -> Iterator[SimProcess]:
    with SimProcess(Config(balance=False, stand_up_s=0.7)) as made:
        yield made


def backend(robot: SimProcess, folder: Path, mode: str = "upper_body", **more: object) -> T1Backend:
    agent = AgentConfig(
        domain=robot.domain, interface="127.0.0.1", stand_up_s=1.0, settle_s=0.2, ramp_s=0.3, target_timeout_s=5.0,
        state_timeout_s=3.0, deadman_timeout_s=5.0, ladder_path=str(folder / "ladder.json"),
        log_path=str(folder / "safety.jsonl"), **more,
    )  # fmt: skip
    made = T1Backend(SCENE, agent, mode)  # type: ignore[arg-type]
    made.guard.declare(SUBJECT)
    return made


def test_that_a_shadow_puts_nothing_on_the_wire_not_even_when_it_is_stopped_or_killed(
    robot: SimProcess, tmp_path: Path
) -> None:
    robot.ask("remote prepare")
    made = backend(robot, tmp_path, "custom", hang="shadow")
    try:
        made.take_over()
        made.engage()
        for _ in range(60):
            made.step(target(velocity=0.2))
        state, while_running = made.read_state(), robot.status()
        made.step(target(damping=True))
        made.request_stop(StopLevel.HARD)
        words = made.session.ask("state", sensors=False)["stop_words"]
        with pytest.raises(AgentError, match=r"shadow sends nothing|shadow"):
            made.guard.stop_test()
        assert made.clear_stop() == ""
        made.take_over()
        made.engage()
        made.beat(0.0)
        os.kill(made.session.agent_pid, signal.SIGKILL)  # the dead-man is not armed by a shadow
        time.sleep(0.6)
        after = robot.status()
    finally:
        made.close()

    assert not state.joint_pos.isnan().any()
    assert "nothing was sent" in words
    for status in (while_running, after, robot.status()):
        assert status["commands"] == 0
        assert set(status["calls"]) == QUESTIONS
        assert status["mode"] == 1
        assert status["modes"][-1][2] == "remote"
        assert status["violations"] == {}


def test_that_the_same_session_on_the_gantry_is_seen_on_the_wire_and_leaves_evidence(
    robot: SimProcess, tmp_path: Path
) -> None:
    """So the shadow's zero is no blindness of the counter; and a kill leaves the record open."""
    made = backend(robot, tmp_path)
    store = LadderStore(tmp_path / "ladder.json")
    try:
        made.take_over()
        made.engage()
        for _ in range(40):
            made.note(0.01)
            made.step(target(velocity=0.3))
        driven = robot.status()
        made.disengage()
        deadline = time.monotonic() + 10
        while not (records := store.read()) or not records[-1].finished:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        made.take_over()
        made.engage()
        made.step(target())
        os.kill(made.session.agent_pid, signal.SIGKILL)
    finally:
        made.close()

    assert driven["commands"] > 500
    assert driven["velocity"] == pytest.approx([0.2, 0.0, 0.0], abs=1e-3), "the agent's own clamp"
    assert set(driven["calls"]) > QUESTIONS
    first, killed = store.read()
    assert (first.rung, first.robot, first.subject) == (Rung.ARMS, SIMULATED.key, SUBJECT.key)
    assert 0.5 < first.driven_s < 20
    assert (first.targets, first.hand_samples, first.breach) == (40, 40, "")
    assert not killed.finished


def test_that_a_locked_rung_is_refused_before_anything_moves_whoever_asks(robot: SimProcess, tmp_path: Path) -> None:
    made = backend(robot, tmp_path, "custom", ladder="every")
    try:
        with pytest.raises(RuntimeError, match=r"'gantry, whole body' is locked for SIM000000.*simulation: 0\.0 of 5"):
            made.take_over()
        for name in ("prepare", "custom", "upper_body"):
            made.session.ask(name)
            with pytest.raises(AgentError):
                made.session.wait_for("upper_body", "custom")
        found = made.guard.look()
    finally:
        made.close()

    status = robot.status()
    assert (status["mode"], status["commands"]) == (0, 0)
    assert set(status["calls"]) == QUESTIONS
    red = {line.what: line.remedy for line in found.lines if line.level == "bad"}
    assert set(red) == {"rung 'gantry, whole body'", "gantry", "remote", "stop test"}
    assert all(red.values())
    assert '"event": "gate_closed"' in (tmp_path / "safety.jsonl").read_text()
