"""The lines of the pre-flight check: what is green, amber or red, and what each says to do."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from core.checks import is_ready, printed
from core.robot.agent.monitor import StateMonitor
from core.robot.gains import PREPARE_POSE
from core.robot.ladder_evidence import Rung
from core.robot.preflight import Confirmed, Facts, StopTest, inspect, motion_capture, refusal
from core.robot.view import LowStateView
from core.robot.wire import FallState, Mode
from core.t1.model import NUM_JOINTS, UPPER_LIMIT, joint_index

NOW_S = 1_800_000_000.0
KNEE = joint_index("Left_Knee_Pitch")
GOOD = Facts(
    rung=Rung.ARMS,
    enforced=True,
    where="eth0, domain 0",
    connected=True,
    rate_hz=500.0,
    age_s=0.002,
    call_ms=2.1,
    mode=Mode.PREPARE,
    joints=NUM_JOINTS,
    q=PREPARE_POSE,
    finite=True,
    temperature_c=np.full(NUM_JOINTS, 35.0),
    tilt_rad=0.02,
    battery_percent=80.0,
    gantry=Confirmed("Ada", NOW_S - 60),
    remote=Confirmed("Ada", NOW_S - 60),
    stop_test=StopTest(2.5, Mode.PREPARE, NOW_S - 30),
    ladder_says="shadow: 4.0 of 3 min without a breach",
    wall_s=NOW_S,
)


def at(values: np.ndarray, joint: int, value: float) -> np.ndarray:
    changed = values.copy()
    changed[joint] = value
    return changed


def test_that_a_robot_that_is_well_is_green_line_by_line() -> None:
    lines = inspect(GOOD)
    assert [line.what for line in lines] == [
        "network", "rung 'gantry, arms only'", "battery", "temperatures", "joints", "posture", "gantry", "remote",
        "stop test",
    ]  # fmt: skip
    assert {line.level for line in lines} == {"good"}
    assert refusal(lines) == ""
    assert not any(line.remedy for line in lines)


RED: list[tuple[dict[str, Any], str, str]] = [
    ({"age_s": 0.3}, "network", "the last 300 ms ago"),
    ({"rate_hz": 40.0}, "network", "40 states/s"),
    ({"rate_hz": 0.0, "age_s": float("inf")}, "network", "never ago"),
    ({"call_ms": float("nan")}, "network", "calls are not answered"),
    ({"call_ms": 900.0}, "network", "900.0 ms"),
    ({"battery_percent": 12.0}, "battery", "12 %"),
    ({"battery_percent": float("nan")}, "battery", "does not report"),
    ({"battery_percent": 250.0}, "battery", "does not report"),
    ({"temperature_c": at(GOOD.temperature_c, KNEE, 80.0)}, "temperatures", "Left_Knee_Pitch is the hottest with 80"),
    ({"temperature_c": at(GOOD.temperature_c, KNEE, float("nan"))}, "temperatures", "not reported by every motor"),
    ({"joints": 23}, "joints", "23 are reported"),
    ({"q": at(GOOD.q, KNEE, float("nan"))}, "joints", "NaN in Left_Knee_Pitch"),
    ({"finite": False}, "joints", "NaN in the state"),
    ({"frozen": ("Left_Knee_Pitch",)}, "joints", "Left_Knee_Pitch did not change"),
    ({"q": at(GOOD.q, KNEE, UPPER_LIMIT[KNEE] + 0.2)}, "joints", "Left_Knee_Pitch is at 2.38 rad; allowed: 0.00 to"),
    ({"fall": FallState.FALLEN}, "posture", "reports a fall"),
    ({"tilt_rad": 0.7}, "posture", "tilted by 0.70 rad"),
    ({"tilt_rad": float("nan")}, "posture", "tilted"),
    ({"gantry": Confirmed()}, "gantry", "nobody confirmed"),
    ({"gantry": Confirmed("Ada", NOW_S - 5 * 3600)}, "gantry", "Ada confirmed it 5.0 h ago"),
    ({"gantry": Confirmed("Ada", NOW_S + 3600)}, "gantry", "Ada confirmed it -1.0 h ago"),
    ({"remote": Confirmed()}, "remote", "nobody confirmed"),
    ({"stop_test": None}, "stop test", "not done in this session"),
    ({"stop_test": StopTest(350.0, Mode.PREPARE, NOW_S)}, "stop test", "after 350.0 ms"),
    ({"stop_test": StopTest(float("nan"), Mode.PREPARE, NOW_S)}, "stop test", "nan"),
    ({"stop_test": StopTest(2.0, Mode.DAMPING, NOW_S)}, "stop test", "from damping"),
    ({"ladder_refuses": "the rung is locked: nothing shown; remedy: run it"}, "rung", "nothing shown"),
]


@pytest.mark.parametrize(("changes", "what", "says"), RED, ids=[f"{what}-{says}" for _, what, says in RED])
def test_that_one_thing_that_is_wrong_makes_one_red_line_with_a_remedy(changes: dict, what: str, says: str) -> None:
    lines = inspect(replace(GOOD, **changes))
    (red,) = [line for line in lines if line.level == "bad"]
    assert red.what.startswith(what)
    assert says in red.says
    assert red.remedy
    assert red.says in refusal(lines)
    assert red.remedy in refusal(lines)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"rate_hz": 300.0}, "network"),
        ({"call_ms": 60.0}, "network"),
        ({"battery_percent": 30.0}, "battery"),
        ({"temperature_c": at(GOOD.temperature_c, KNEE, 65.0)}, "temperatures"),
    ],
)
def test_that_what_is_only_unusual_is_amber_and_blocks_nothing(changes: dict, what: str) -> None:
    lines = inspect(replace(GOOD, **changes))
    assert [line.what for line in lines if line.level == "caution"] == [what]
    assert is_ready(lines)


def test_that_without_a_connection_only_that_is_said() -> None:
    (line,) = inspect(replace(GOOD, connected=False, trouble="interface 'eth9' does not exist"))
    assert (line.level, line.what, line.says) == ("bad", "network", "interface 'eth9' does not exist")


def test_that_a_shadow_asks_nothing_of_persons() -> None:
    facts = replace(GOOD, rung=Rung.SHADOW, gantry=Confirmed(), remote=Confirmed(), stop_test=None)
    assert is_ready(inspect(facts))
    assert not {"gantry", "remote", "stop test"} & {line.what for line in inspect(facts)}


def test_that_a_free_robot_needs_no_gantry_and_is_tested_without_falling() -> None:
    facts = replace(GOOD, rung=Rung.FREE, gantry=Confirmed(), stop_test=StopTest(2.0, Mode.DAMPING, NOW_S))
    lines = {line.what: line.level for line in inspect(facts)}
    assert (lines["gantry"], lines["stop test"]) == ("good", "caution")
    assert not is_ready(inspect(replace(facts, remote=Confirmed())))


def test_that_a_simulated_robot_is_only_reminded_of_what_persons_do() -> None:
    facts = replace(
        GOOD, enforced=False, gantry=Confirmed(), remote=Confirmed(), stop_test=None, ladder_refuses="locked"
    )  # fmt: skip
    assert is_ready(inspect(facts))
    assert [line.what for line in inspect(facts) if line.level == "caution"] == ["gantry", "remote", "stop test"]
    assert not is_ready(inspect(replace(facts, battery_percent=5.0))), "what is measured counts for it too"


@dataclass
class Found:
    ok: bool
    reason: str
    remedy: str = ""


def test_that_motion_capture_is_asked_where_it_is_configured() -> None:
    assert motion_capture(None).level == "caution"
    assert "not configured" in motion_capture(None).says
    assert motion_capture(lambda: Found(True, "90 Hz, 0.4 mm")).level == "good"
    bad = motion_capture(lambda: Found(False, "no frame", "switch streaming on"))
    assert (bad.level, bad.says, bad.remedy) == ("bad", "no frame", "switch streaming on")


def test_that_lines_are_printed_with_their_remedy() -> None:
    text = printed(inspect(replace(GOOD, battery_percent=12.0)))
    assert "✘ battery: 12 %" in text
    assert text[text.index("✘ battery: 12 %") + 1].strip().startswith("charge it")


class Watched:
    """States on a clock of their own."""

    def __init__(self) -> None:
        self.monitor, self.now_s, self.count = StateMonitor(), 10.0, 0
        self.random = np.random.default_rng(1)

    def see(self, q: np.ndarray, dq: np.ndarray, noise: float | np.ndarray = 1e-5) -> None:
        self.now_s, self.count = self.now_s + 0.002, self.count + 1
        low = LowStateView(
            received_s=self.now_s, count=self.count, joints=NUM_JOINTS, q=q + noise * self.random.standard_normal(29),
            dq=dq,
        )  # fmt: skip
        self.monitor.look(low, self.now_s)


def test_that_the_rate_of_states_is_measured() -> None:
    watched = Watched()
    for _ in range(600):
        watched.see(PREPARE_POSE, np.zeros(29))
    assert watched.monitor.full
    assert watched.monitor.rate_hz == pytest.approx(500.0, rel=0.01)
    assert watched.monitor.frozen() == ()


def test_that_a_state_that_is_repeated_is_found() -> None:
    watched = Watched()
    for _ in range(600):
        watched.see(PREPARE_POSE, np.zeros(29), noise=0.0)
    assert watched.monitor.frozen() == ("every value",)


def test_that_a_joint_that_moves_without_moving_is_found_and_one_that_beats_is_not() -> None:
    watched, q, dq, noise = Watched(), PREPARE_POSE.copy(), np.zeros(29), np.full(29, 1e-5)
    noise[[KNEE, KNEE + 1]] = 0.0
    for k in range(600):
        dq[KNEE], dq[KNEE + 1] = 0.1, 3.0
        q[KNEE + 1] = PREPARE_POSE[KNEE + 1] + 0.01 * np.sin(0.7 * k)  # beats against a stop: no net way
        watched.see(q, dq, noise)
    assert watched.monitor.frozen() == ("Left_Knee_Pitch",)
    dq[[KNEE, KNEE + 1]] = 0.01
    for _ in range(600):
        watched.see(q, dq, noise)
    assert watched.monitor.frozen() == (), "a still joint may say the same"
