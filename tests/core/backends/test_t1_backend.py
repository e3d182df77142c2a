"""The robot behind the border, over DDS, against the simulated robot: take-over, targets, estimates, stops."""

import pytest
import torch

from core.backends.base import LiveBackend
from core.backends.initial import default_initial_state
from core.backends.t1 import T1Backend
from core.control.stop import StopLevel
from core.robot.agent.config import AgentConfig
from core.t1.model import ARMS, DEFAULT_JOINT_POS, JOINT_NAMES
from core.tasks.scene import BoxObject, Scene
from core.types import JointTarget
from trainer.jobs.t1_sim import Config
from trainer.t1_sim_process import SimProcess

pytest.importorskip("booster_robotics_sdk_python")
SCENE = Scene("test", (BoxObject("box", (0.2, 0.2, 0.2), (1.0, 0.0, 0.1)),))
PATIENT = {"target_timeout_s": 5.0, "state_timeout_s": 3.0, "deadman_timeout_s": 5.0}


def test_that_a_robot_is_driven_through_the_border() -> None:
    q = torch.tensor(DEFAULT_JOINT_POS, dtype=torch.float32)[None]
    target = JointTarget(q, torch.full((1, 2), 0.02), torch.zeros(1, dtype=torch.bool), torch.tensor([[0.1, 0, 0.0]]))
    with SimProcess(Config(balance=False, stand_up_s=0.7)) as robot:
        agent = AgentConfig(
            domain=robot.domain, interface="127.0.0.1", stand_up_s=1.0, settle_s=0.2, ramp_s=0.3, **PATIENT
        )
        backend = T1Backend(SCENE, agent, "upper_body")
        try:
            assert isinstance(backend, LiveBackend)
            description = backend.describe()
            initial = default_initial_state(SCENE, 1)
            initial.base_pos_w[:, 0] = 0.4
            backend.reset(torch.tensor([0]), initial)
            backend.step(target)
            before = robot.status()

            steps: list[str] = []
            backend.take_over(steps.append)
            backend.engage()
            begun = backend.read_state()
            for _ in range(60):
                backend.step(target)
            state, driven, told = backend.read_state(), robot.status(), backend.status()

            backend.request_stop(StopLevel.SOFT)
            backend.step(target)
            soft = backend.trouble()
            assert backend.clear_stop() == ""
            backend.step(target)
            cleared = backend.trouble()
            backend.disengage()
            with pytest.raises(RuntimeError, match="only simulators"):
                backend.set_state(torch.tensor([0]), initial)
        finally:
            backend.close()
        after = robot.status()

    assert (description.name, description.simulated, description.joint_names) == ("booster", False, JOINT_NAMES)
    assert description.settings["serial_number"] == "SIM000000"
    assert before["mode"] == 0, "nothing may move before engage"
    assert (driven["mode"], driven["upper_body"]) == (2, True)
    assert driven["velocity"] == pytest.approx([0.1, 0.0, 0.0])
    torch.testing.assert_close(state.joint_pos[0, ARMS], q[0, ARMS], atol=0.15, rtol=0)
    assert float(state.base_pos_w[0, 0]) == pytest.approx(0.4, abs=0.2)
    assert float(state.objects["box"].pos_w[0, 0]) == pytest.approx(1.0)
    assert float(begun.time_s[0]) == pytest.approx(0.0, abs=0.2)
    assert float(state.time_s[0]) == pytest.approx(60 * 0.02, abs=1.0)
    assert "asking for prepare mode: the robot stands up" in steps
    assert (told.state, told.mode, told.stop, told.confirmation) == ("upper_body", "walking", "none", "")
    assert soft is not None
    assert (soft.level, soft.lost) == (StopLevel.SOFT, False)
    assert cleared is None
    assert (after["mode"], after["upper_body"]) == (2, False)
    assert after["violations"] == {}


def test_that_a_missing_robot_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.robot.session.CONNECT_S", 1.0)
    with pytest.raises(
        ConnectionError, match=r"no session with the robot: the agent is disconnected \(connecting on 127"
    ):
        T1Backend(SCENE, AgentConfig(domain=227, interface="127.0.0.1"))
