"""The gate in the agent: what it refuses, what it measures, and that a shadow sends nothing."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_link import WALL_S, Rig
from ladder_records import SIMULATED, SUBJECT, climbed, session

from core.control.stop import StopLevel
from core.robot.agent.config import AgentConfig
from core.robot.agent.sequences import Sequences
from core.robot.agent.state import AgentState, RefusedError
from core.robot.ladder_evidence import Evidence, RobotId, Rung, Subject
from core.robot.ladder_store import LadderStore
from core.robot.wire import Code, Mode
from core.t1.model import DEFAULT_JOINT_POS

REAL_INFO = {"serial_number": "T1-0042", "model": "T1", "version": "1.6", "name": "t1"}
REAL = RobotId.from_info(REAL_INFO)


class Bench:
    """A rig with a ladder's file of its own; as a real robot unless told."""

    def __init__(self, folder: Path, real: bool = True, rungs: Rung | None = None, **config: Any) -> None:
        self.path = folder / "ladder.json"
        self.patience_s = 10.0
        self.store = LadderStore(self.path)
        self.rig = Rig(ladder_path=str(self.path), **config)
        self.agent, self.robot = self.rig.agent, self.rig.robot
        self.sequences = self.rig.sequences = Sequences(self.agent, self.wait_for_the_stop)
        if real:
            self.robot.says = dict(REAL_INFO)
            self.agent.meet(self.robot.info())
        self.agent.gate.subject = SUBJECT
        for record in climbed(rungs, REAL if real else SIMULATED) if rungs is not None else []:
            self.store.put(record)

    def wait_for_the_stop(self, condition: Any, seconds: float) -> bool:
        """The hard stop has a thread of its own, which the rig's clock must not run away from."""
        if self.agent.stop.level != StopLevel.HARD:
            return self.rig.wait(condition, seconds)
        deadline = time.monotonic() + self.patience_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.rig.tick()
            threading.Event().wait(0.001)
        return True

    def vouch(self) -> None:
        for what in ("gantry", "remote"):
            self.agent.gate.confirm(what, "Ada")
        self.agent.gate.tested(2.0, 1)

    def drive(self, seconds: float, **note: Any) -> None:
        for _ in range(round(seconds / 0.02)):
            for _ in range(10):
                self.rig.tick()
            self.agent.usage.note(note.get("hand_error_m", 0.01), note.get("interventions", 0))
            self.rig.send(DEFAULT_JOINT_POS)

    def last(self) -> Evidence:
        """The newest record, once it is written."""
        for thread in self.agent.usage.writers:
            thread.join(10.0)
        return max(self.store.read(), key=lambda record: record.began_s)

    def log(self, event: str) -> list[dict[str, Any]]:
        return [entry for entry in self.rig.log.entries if entry["event"] == event]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    made: list[Bench] = []

    def build(**values: Any) -> Bench:
        made.append(Bench(tmp_path, **values))
        return made[-1]

    yield build
    for bench in made:
        bench.rig.close()


def test_that_a_real_robot_without_evidence_is_not_even_stood_up(make: Any) -> None:
    bench = make()
    bench.vouch()
    with pytest.raises(RefusedError) as refused:
        bench.sequences.prepare()
    text = str(refused.value)
    for part in ("gantry, arms only", "T1-0042", "simulation: 0.0 of 5 min", "run it in MuJoCo"):
        assert part in text, text
    assert bench.agent.state == AgentState.CONNECTED
    assert 2000 not in [api for api, _ in bench.robot.calls], "no change of mode was asked for"
    assert bench.robot.frames == []


def test_that_whole_body_is_refused_while_only_the_arms_are_open(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.sequences.prepare()
    with pytest.raises(RefusedError, match=r"'gantry, whole body'.*0\.0 of 10 min.*backend t1"):
        bench.sequences.custom()
    assert bench.robot.firmware.mode == 1
    assert bench.robot.frames == []
    bench.sequences.upper_body()
    assert bench.agent.state == AgentState.UPPER_BODY


def test_that_on_its_own_feet_nothing_is_open_before_free_is(make: Any) -> None:
    bench = make(rungs=Rung.ARMS, hang="free")
    bench.vouch()
    with pytest.raises(RefusedError, match="rung 'free'"):
        bench.sequences.prepare()


def test_that_every_rung_is_open_after_the_climb(make: Any) -> None:
    bench = make(rungs=Rung.WHOLE_BODY)
    bench.vouch()
    bench.rig.into("custom")
    assert bench.agent.state == AgentState.CUSTOM
    assert bench.rig.breaches == {}


@pytest.mark.parametrize("what", ["gantry", "remote"])
def test_that_nothing_moves_before_a_person_vouched(make: Any, what: str) -> None:
    bench = make(rungs=Rung.WHOLE_BODY)
    bench.vouch()
    del bench.agent.gate.confirmed[what]
    with pytest.raises(RefusedError, match=f"{what}: nobody confirmed"):
        bench.sequences.prepare()
    with pytest.raises(RefusedError, match="give a name"):
        bench.agent.gate.confirm(what, "  ")
    with pytest.raises(RefusedError, match="'roof' cannot be confirmed; known: gantry, remote"):
        bench.agent.gate.confirm("roof", "Ada")
    bench.agent.gate.confirm(what, "Grace  Hopper")
    assert bench.log("confirmed")[-1] | {"what": what, "by": "Grace Hopper"} == bench.log("confirmed")[-1]
    bench.sequences.prepare()


def test_that_the_arms_are_not_taken_without_a_stop_test_of_this_session(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.agent.gate.stop_test = None
    bench.sequences.prepare()
    with pytest.raises(RefusedError, match="stop test: not done in this session"):
        bench.sequences.upper_body()


def test_that_the_stop_test_stands_the_robot_up_and_measures(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.agent.gate.stop_test = None

    bench.sequences.stop_test()

    test = bench.agent.gate.stop_test
    assert test is not None
    assert test.from_mode == 1, "from standing"
    assert bench.robot.firmware.mode == 0
    assert bench.agent.state == AgentState.CONNECTED
    assert bench.agent.stop.level == StopLevel.NONE
    bench.agent.gate.stop_test = replace(test, ms=2.0)  # the rig's clock runs ahead of the stop's own thread
    bench.rig.into("upper_body")
    assert bench.agent.state == AgentState.UPPER_BODY


def test_that_a_stop_test_never_makes_a_free_robot_fall(make: Any) -> None:
    bench = make(rungs=Rung.WHOLE_BODY, hang="free")
    bench.vouch()
    bench.robot.firmware.enter(Mode.PREPARE, bench.robot.now_s, bench.robot.q)
    bench.rig.run(0.1)
    with pytest.raises(RefusedError, match="would make it fall"):
        bench.sequences.stop_test()
    assert bench.robot.firmware.mode == 1


def test_that_a_stop_test_that_the_robot_does_not_confirm_leaves_the_gate_closed(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.agent.gate.stop_test = None
    bench.sequences.prepare()
    bench.robot.faults.silent = True
    bench.patience_s = 0.3
    with pytest.raises(RefusedError, match="the stop test failed"):
        bench.sequences.stop_test()
    assert bench.agent.gate.stop_test is None


def test_that_another_robot_on_the_same_cable_is_refused_and_must_be_vouched_for_anew(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.robot.says = REAL_INFO | {"serial_number": "T1-0043"}
    with pytest.raises(RefusedError, match="another robot answers now: T1-0043, it was T1-0042"):
        bench.sequences.prepare()
    assert bench.agent.gate.confirmed == {}
    with pytest.raises(RefusedError, match="T1-0043 with policy"):
        bench.sequences.prepare()


def test_that_no_setting_opens_the_gate_of_a_real_robot(make: Any) -> None:
    bench = make(ladder="real")
    assert bench.agent.gate.enforced
    assert set(AgentConfig.__dataclass_fields__["ladder"].type.__args__) == {"real", "every"}
    with pytest.raises((ValueError, TypeError), match="real"):
        AgentConfig(ladder="off")  # type: ignore[arg-type]


def test_that_a_simulated_robot_climbs_only_when_told_to(make: Any) -> None:
    free = make(real=False)
    assert not free.agent.gate.enforced
    free.rig.into("upper_body")
    assert free.agent.state == AgentState.UPPER_BODY
    strict = make(real=False, ladder="every")
    strict.vouch()
    with pytest.raises(RefusedError, match=r"SIM000000 \(simulated\)"):
        strict.sequences.prepare()


def test_that_a_file_that_was_tampered_with_locks_everything(make: Any) -> None:
    bench = make(rungs=Rung.WHOLE_BODY)
    bench.vouch()
    bench.path.write_text(bench.path.read_text().replace('"driven_s": 360.0', '"driven_s": 361.0'))
    with pytest.raises(RefusedError, match="its seal is broken"):
        bench.sequences.prepare()


def test_that_a_frozen_joint_closes_the_gate(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.robot.low = replace(bench.robot.low, dq=np.full(29, 0.2))
    bench.rig.run(1.1)
    with pytest.raises(RefusedError, match="did not change within a second"):
        bench.sequences.prepare()


# ---------------------------------------------------------------------- evidence


def test_that_driving_is_measured_and_filed_under_robot_controllers_and_persons(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.rig.into("upper_body")
    bench.drive(6.0, hand_error_m=0.012, interventions=1)
    bench.sequences.leave()
    record = bench.last()
    assert (record.rung, record.robot, record.subject) == (Rung.ARMS, REAL.key, SUBJECT.key)
    assert record.finished
    assert record.driven_s == pytest.approx(6.0, abs=0.1)
    assert record.targets == 300
    assert (record.stops, record.hard_stops, record.holds, record.breach) == (0, 0, 0, "")
    assert record.interventions == 300
    assert (record.hand_samples, record.hand_error_p95_m) == (300, pytest.approx(0.013))
    assert (record.gantry_by, record.remote_by) == ("Ada", "Ada")
    assert (record.speed_m_s, record.hand_speed_m_s) == (0.2, 0.05)
    assert WALL_S < record.began_s < record.ended_s


def test_that_enough_clean_driving_opens_the_next_rung_and_a_fall_closes_it(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    now_s = bench.rig.wall()
    bench.store.put(session(Rung.ARMS, 9.95, 0.0, REAL, began_s=now_s - 700, ended_s=now_s - 90, id="before"))
    bench.vouch()
    bench.rig.into("upper_body")
    bench.drive(6.0)
    bench.sequences.leave()
    bench.last()
    assert [state.open for state in bench.agent.gate.rungs()] == [True, True, True, True, False]

    bench.rig.into("custom")
    bench.drive(0.5)
    bench.robot.view.fall = 2
    bench.rig.run(0.1)
    assert bench.agent.state == AgentState.STOPPED
    assert bench.last().breach == "the robot reports a fall"
    assert [state.open for state in bench.agent.gate.rungs()] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (lambda b: b.agent.press(StopLevel.SOFT, "window"), {"stops": 1, "hard_stops": 0, "breach": ""}),
        (lambda b: b.agent.press(StopLevel.HARD, "window"), {"stops": 1, "hard_stops": 1, "breach": ""}),
        (lambda b: b.rig.send(DEFAULT_JOINT_POS, damping=True), {"hard_stops": 1, "breach": ""}),
        (lambda b: b.rig.send(np.full(29, np.nan)), {"breach": "a joint target was not a number"}),
        (lambda b: b.agent.deadman_triggered(StopLevel.SOFT, "the window is silent"), {"breach": "dead-man: the win"}),
        (lambda b: b.robot.firmware.enter(Mode.PREPARE, b.robot.now_s, b.robot.q), {"hard_stops": 1, "breach": ""}),
        (lambda b: b.rig.run(0.3), {"holds": 1, "breach": ""}),
    ],
    ids=["soft", "hard", "damping", "nan", "dead-man", "remote", "late"],
)
def test_that_stops_guards_and_take_overs_are_told_apart(make: Any, stop: Any, expected: dict) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.rig.into("upper_body")
    bench.drive(0.5)
    stop(bench)
    bench.rig.run(0.2)
    bench.agent.usage.end()
    record = bench.last()
    for name, value in expected.items():
        found = getattr(record, name)
        assert found.startswith(value) if name == "breach" and value else found == value, (name, found)


def test_that_a_press_that_damps_the_loop_as_well_counts_once(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.rig.into("upper_body")
    bench.drive(0.5)
    bench.agent.press(StopLevel.HARD, "window")
    bench.rig.send(DEFAULT_JOINT_POS, damping=True)
    bench.rig.run(0.1)
    assert (bench.last().stops, bench.last().hard_stops) == (1, 1)


def test_that_a_killed_agent_leaves_an_open_record_that_counts_against_the_robot(make: Any) -> None:
    bench = make(rungs=Rung.WHOLE_BODY)
    bench.vouch()
    bench.rig.into("custom")
    bench.drive(0.5)
    # what another process reads while nothing more is ever written
    other = Bench(bench.path.parent)
    try:
        assert not bench.last().finished
        assert [state.open for state in bench.agent.gate.rungs()] == [True] * 5, "its own session is not lost"
        assert [state.open for state in other.agent.gate.rungs()] == [True, True, True, False, False]
    finally:
        other.rig.close()


def test_that_nothing_moves_when_the_evidence_cannot_be_written(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.sequences.prepare()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bench.agent.usage._store, "put", full)
    with pytest.raises(RefusedError, match=r"cannot be written.*No space left.*free space"):
        bench.sequences.upper_body()
    assert bench.agent.state == AgentState.PREPARE or bench.robot.frames == []


def test_that_a_session_in_which_nothing_was_driven_leaves_nothing(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    before = bench.store.read()
    bench.rig.into("upper_body")
    bench.sequences.leave()
    for thread in bench.agent.usage.writers:
        thread.join(10.0)
    assert bench.store.read() == before


# ---------------------------------------------------------------------- shadow


def test_that_a_shadow_runs_and_sends_nothing_whatever_happens(make: Any) -> None:
    bench = make(rungs=Rung.SIMULATION, hang="shadow")
    bench.robot.firmware.enter(Mode.WALKING, bench.robot.now_s, bench.robot.q)
    bench.sequences.shadow("custom")
    asked = len(bench.robot.calls)
    bench.drive(2.0)
    bench.rig.send(DEFAULT_JOINT_POS, velocity=(0.2, 0.0, 0.0))
    bench.agent.send_moves()
    bench.robot.low = replace(bench.robot.low, rpy=np.array([0.0, 1.3, 0.0]))
    bench.drive(0.2)
    assert bench.agent.state == AgentState.SHADOW, "what the robot does is not ours to judge"
    bench.rig.run(0.3)
    bench.rig.send(np.full(29, np.nan))
    bench.rig.run(0.2)
    assert bench.agent.stop.level == StopLevel.HARD
    assert "nothing was sent" in bench.agent.stop.record.words
    assert not bench.agent.armed
    bench.rig.run(0.6)
    assert bench.robot.frames == []
    assert bench.robot.calls[asked:] == []
    bench.sequences.clear()
    assert bench.agent.state == AgentState.CONNECTED
    assert bench.last().breach == "a joint target was not a number"
    for name in ("prepare", "custom", "upper_body", "stop_test"):
        with pytest.raises(RefusedError, match=r"shadow|needs state"):
            getattr(bench.sequences, name)()
    assert bench.robot.frames == []
    assert {api for api, _ in bench.robot.calls} <= {2017}


def test_that_a_clean_shadow_opens_the_arms(make: Any) -> None:
    bench = make(rungs=Rung.SIMULATION, hang="shadow")
    now_s = bench.rig.wall()
    bench.store.put(session(Rung.SHADOW, 2.95, 0.0, REAL, began_s=now_s - 300, ended_s=now_s - 90, id="before"))
    bench.sequences.shadow()
    bench.drive(4.0, hand_error_m=None)
    bench.sequences.leave()
    assert (bench.last().breach, bench.last().hand_samples) == ("", 0)
    assert [state.open for state in bench.agent.gate.rungs()] == [True, True, True, False, False]


def test_that_late_targets_are_noted_in_a_shadow(make: Any) -> None:
    bench = make(rungs=Rung.SIMULATION, hang="shadow")
    bench.sequences.shadow()
    bench.drive(1.0)
    bench.rig.run(0.3)
    bench.drive(0.2)
    bench.robot.faults.silent = True
    bench.rig.run(0.3)
    assert [entry["would_be"] for entry in bench.log("shadow_finding")] == ["hold", "hard"]
    bench.agent.usage.end()
    assert "no state of the robot" in bench.last().breach


def test_that_a_shadow_needs_its_rung_too(make: Any) -> None:
    bench = make(hang="shadow")
    with pytest.raises(RefusedError, match=r"rung 'shadow'.*run it in MuJoCo"):
        bench.sequences.shadow()
    moving = make(rungs=Rung.SIMULATION)
    with pytest.raises(RefusedError, match="no shadow"):
        moving.sequences.shadow()


# ---------------------------------------------------------------------- speeds


def test_that_the_walking_speed_is_clamped_again_in_the_agent(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.vouch()
    bench.rig.into("upper_body")
    bench.drive(0.1)
    bench.rig.send(DEFAULT_JOINT_POS, velocity=(0.3, 0.4, 0.1))
    assert bench.agent.velocity == pytest.approx([0.12, 0.16, 0.1])
    assert bench.agent.limited_walk == 1
    bench.rig.send(DEFAULT_JOINT_POS, velocity=(0.2, 0.0, 0.1))
    assert bench.agent.limited_walk == 1


def test_that_loosened_limits_need_a_name_and_are_logged_with_it(make: Any) -> None:
    with pytest.raises(ValueError, match=r"walking at 0\.3 m/s are more than the 0\.2 m/s.*name of the person"):
        AgentConfig(walk_speed_m_s=0.3)
    with pytest.raises(ValueError, match="hands may be limited to 0 to"):
        AgentConfig(hand_speed_m_s=float("nan"), loosened_by="Ada")
    with pytest.raises(ValueError, match=r"walking may be limited to 0 to 0\.4 m/s, got 1\.0"):
        AgentConfig(walk_speed_m_s=1.0, loosened_by="Ada")
    bench = make(walk_speed_m_s=0.3, hand_speed_m_s=0.1, loosened_by="Ada")
    (entry,) = bench.log("limits")
    assert (entry["walk_m_s"], entry["hand_m_s"], entry["loosened_by"]) == (0.3, 0.1, "Ada")


def test_that_a_report_is_plain_json(make: Any) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.rig.run(1.1)
    told = json.loads(json.dumps(bench.agent.gate.report("upper_body"), allow_nan=True))
    assert [line["what"] for line in told["lines"]][:2] == ["network", "rung 'gantry, arms only'"]
    assert (told["robot"], told["enforced"], len(told["rungs"])) == ("T1-0042", True, 5)


@pytest.mark.parametrize(("lost", "level"), [(1, "good"), (2, "bad"), (3, "bad")])
def test_that_one_lost_call_is_not_taken_for_a_dead_service(make: Any, lost: int, level: str) -> None:
    bench = make(rungs=Rung.SHADOW)
    bench.rig.run(1.1)
    answers = iter([Code.TIMEOUT] * lost + [Code.OK] * 3)
    bench.robot.call = lambda *_: next(answers)
    network = next(line for line in bench.agent.gate.lines("upper_body") if line.what == "network")
    assert network.level == level


def test_that_controllers_cannot_be_swapped_unseen(make: Any) -> None:
    bench = make(rungs=Rung.WHOLE_BODY)
    bench.vouch()
    bench.agent.gate.subject = Subject("policy", SUBJECT.controller, "f" * 64)
    with pytest.raises(RefusedError, match="planner ffffffff"):
        bench.sequences.prepare()
