"""refine-dp preflight against the simulated robot: the window's lines on the command line."""

import json

import pytest

from trainer import preflight
from trainer.jobs.preflight import NOT_READY, Config, main
from trainer.jobs.t1_sim import Config as SimConfig
from trainer.t1_sim_process import SimProcess

pytest.importorskip("booster_robotics_sdk_python")


def test_that_a_simulated_robot_is_looked_at_tested_and_locked_when_it_practises(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with SimProcess(SimConfig(balance=False, stand_up_s=0.7)) as robot:
        address = f"127.0.0.1:{robot.domain}"
        assert main(Config(robot=address, gantry="Ada", remote="Ada", stop_test=True)) == 0
        said = capsys.readouterr().out
        for _ in range(3):  # a busy computer may be red for a moment, and says so
            assert main(Config(robot=address, hang="shadow", practise=True, json=True)) == NOT_READY
            found = json.loads(capsys.readouterr().out)
            red = [line["what"] for line in found["lines"] if line["level"] == "bad"]
            if "network" not in red:
                break
        status = robot.status()

    assert "✔ stop test: the robot confirmed after" in said
    assert "from prepare" in said
    assert "✔ gantry: confirmed by Ada" in said
    assert "● motion capture: not configured" in said
    assert "locked gantry, whole body" in said
    assert "SIM000000 (simulated); heuristic, controllers" in said
    assert red == ["rung 'shadow'"]
    assert status["mode"] == 0
    assert status["violations"] == {}


def test_that_a_robot_that_is_not_there_is_one_red_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "CONNECT_S", 1.0)
    assert main(Config(robot="eth77")) == NOT_READY
    assert "✘ network: " in (said := capsys.readouterr().out)
    assert "interface 'eth77' does not exist" in said
    monkeypatch.setattr(preflight, "running_sessions", list)
    assert main(Config(attach=True)) == NOT_READY
    assert "running agents: none" in capsys.readouterr().out
    with pytest.raises(ValueError, match="belong together"):
        Config(source="policy")
