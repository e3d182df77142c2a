"""The whole way of a real robot: session, agent, dead-man, SDK over DDS, and motion capture over UDP, in real time."""

import functools

import pytest

import core.backends.t1  # noqa: F401  # what names the class is loaded before it is replaced
from core.robot.agent import config
from trainer.jobs.sim_to_real import Config
from trainer.session import parts
from trainer.sim_to_real import Proxy, report

pytest.importorskip("booster_robotics_sdk_python")


PATIENT = {"target_timeout_s": 5.0, "state_timeout_s": 3.0, "deadman_timeout_s": 5.0}


@pytest.fixture(autouse=True)
def patient(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy computer must not fail the test: the guards have tests of their own."""
    monkeypatch.setattr(config, "AgentConfig", functools.partial(config.AgentConfig, **PATIENT))
    monkeypatch.setattr(parts, "new_log", lambda: tmp_path / "safety.jsonl")


def test_that_the_robot_walks_towards_the_box_and_knows_where_it_is() -> None:
    proxy = Proxy(Config(episodes=1, seed=3, mocap="none"), print)
    try:
        looks = lambda: len(proxy.errors.base_m)  # noqa: E731
        proxy.run(lambda: looks() >= 6)  # three seconds
        status = proxy.sim.status()
        errors = proxy.errors.summary()
        told = proxy.session.telemetry()
    finally:
        proxy.close()

    assert not proxy.broken
    assert status["mode"] == 2
    assert errors["base_m"] < 0.03
    assert errors["box_b_m"] < 0.03
    assert told is not None
    assert told.stage == "approach"
    assert status["violations"] == {}


@pytest.mark.slow
def test_that_the_box_is_picked_up_with_errors_as_on_hardware() -> None:
    proxy = Proxy(Config(episodes=1, seed=1), print)
    try:
        proxy.run(lambda: False)
        violations = proxy.sim.status()["violations"]
    finally:
        proxy.close()

    (outcome,) = proxy.outcomes
    print(report(proxy.outcomes, violations))
    assert (outcome.seen, outcome.true) == (True, True)
    assert outcome.errors["base_velocity_m_s"] < 0.05
    assert violations == {}
