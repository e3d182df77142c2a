"""The rules of the ladder: what opens a rung, what locks it again."""

from dataclasses import replace

import pytest
from ladder_records import DAY_S, NOW_S, REAL, SIMULATED, SUBJECT, climbed, session

from core.robot.ladder import REQUIREMENTS, Requirement, climb, refusal
from core.robot.ladder_evidence import ErrorCounts, Evidence, RobotId, Rung, Subject, rung_of


def open_rungs(records: list[Evidence], robot: RobotId = REAL, subject: Subject = SUBJECT, now_s: float = NOW_S) -> str:
    """'0123': the rungs that are open."""
    return "".join(str(int(state.rung)) for state in climb(records, robot, subject, now_s) if state.open)


def test_that_without_evidence_only_the_simulation_is_open() -> None:
    assert open_rungs([]) == "0"


@pytest.mark.parametrize("rung", list(Rung)[:-1])
def test_that_each_rung_opens_the_next_and_no_more(rung: Rung) -> None:
    assert open_rungs(climbed(rung)) == "01234"[: rung + 2]


@pytest.mark.parametrize("rung", [Rung.SIMULATION, Rung.ARMS, Rung.WHOLE_BODY])
def test_that_a_rung_below_cannot_be_left_out(rung: Rung) -> None:
    records = [r for r in climbed(Rung.WHOLE_BODY) if r.rung != rung]
    fixed = [replace(r, gantry_by="", hand_samples=0) for r in records if r.rung > rung]
    assert open_rungs([*[r for r in records if r.rung < rung], *fixed]) == "01234"[: rung + 1]


def test_that_another_robot_another_planner_and_other_controllers_are_locked() -> None:
    records = climbed(Rung.WHOLE_BODY)
    assert open_rungs(records) == "01234"
    assert open_rungs(records, robot=replace(REAL, serial="T1-0043")) == "01", "only the simulation counts for all"
    assert open_rungs(records, subject=replace(SUBJECT, checkpoint="e" * 64)) == "0"
    assert open_rungs(records, subject=replace(SUBJECT, controller="e" * 64)) == "0"
    assert open_rungs(records, subject=Subject("heuristic", SUBJECT.controller)) == "0"


def test_that_a_simulated_robot_never_opens_anything_for_a_real_one() -> None:
    records = climbed(Rung.FREE, SIMULATED)
    assert open_rungs(records, SIMULATED) == "01234"
    assert open_rungs(records, REAL) == "01"
    twin = replace(REAL, serial=SIMULATED.serial)
    assert open_rungs(records, twin) == "01", "a real robot with the simulated one's serial number"
    forged = [replace(r, rung=0) for r in records if r.rung]
    assert open_rungs(forged, REAL) == "0", "only the simulator itself shows the lowest rung"


def test_that_a_robot_counts_as_simulated_only_when_everything_says_so() -> None:
    info = {"serial_number": "SIM000000", "version": "simulated", "name": "t1-sim", "model": "T1"}
    assert RobotId.from_info(info).simulated
    assert not RobotId.from_info(info | {"version": "1.6"}).simulated
    assert not RobotId.from_info(info | {"serial_number": "T1-1"}).simulated
    assert not RobotId.from_info({}).simulated


def test_that_a_robot_without_an_identity_and_unknown_controllers_stay_locked() -> None:
    records = climbed(Rung.WHOLE_BODY)
    assert open_rungs(records, RobotId("")) == "0"
    assert open_rungs(records, subject=Subject("policy", SUBJECT.controller, "")) == "0"
    assert open_rungs(records, subject=Subject()) == "0"
    (state,) = [s for s in climb(records, RobotId(""), SUBJECT, NOW_S) if s.rung == Rung.ARMS]
    assert "neither serial number nor name" in state.says


def test_that_evidence_expires_and_that_of_free_first() -> None:
    records = climbed(Rung.WHOLE_BODY, days_ago=0.0)
    assert open_rungs(records, now_s=NOW_S + 6.9 * DAY_S) == "01234"
    assert open_rungs(records, now_s=NOW_S + 7.1 * DAY_S) == "0123"
    assert open_rungs(records, now_s=NOW_S + 31 * DAY_S) == "0"


@pytest.mark.parametrize("rung", [Rung.SHADOW, Rung.ARMS, Rung.WHOLE_BODY, Rung.FREE])
def test_that_a_rung_is_open_just_until_the_time_that_is_shown(rung: Rung) -> None:
    records = climbed(Rung.WHOLE_BODY, days_ago=0.0)
    expires_s = climb(records, REAL, SUBJECT, NOW_S)[rung].expires_s
    assert str(int(rung)) in open_rungs(records, now_s=expires_s - 1)
    assert str(int(rung)) not in open_rungs(records, now_s=expires_s + 1)


def test_that_a_breach_takes_the_robot_one_rung_down() -> None:
    records = climbed(Rung.WHOLE_BODY)
    on = {rung: session(rung, 1.0, 0.5, breach="the trunk tilts by 1.2 rad") for rung in Rung}
    assert open_rungs([*records, on[Rung.FREE]]) == "0123", "falls when free: free is locked"
    assert open_rungs([*records, on[Rung.WHOLE_BODY]]) == "012"
    assert open_rungs([*records, on[Rung.ARMS]]) == "01"
    assert open_rungs([*records, replace(on[Rung.ARMS], robot=SIMULATED.key)]) == "01234", "another robot's"
    again = session(Rung.WHOLE_BODY, 16.0, 0.1)
    assert open_rungs([*records, on[Rung.FREE], again]) == "01234", "shown anew"


def test_that_a_session_that_never_ended_counts_as_a_breach() -> None:
    crashed = session(Rung.FREE, 0.0, 0.5, ended_s=0.0)
    assert not crashed.finished
    assert open_rungs([*climbed(Rung.WHOLE_BODY), crashed]) == "0123"


def test_that_a_wrong_clock_unlocks_nothing_but_hides_no_breach() -> None:
    early = [replace(r, began_s=r.began_s + 40 * DAY_S, ended_s=r.ended_s + 40 * DAY_S) for r in climbed(Rung.SHADOW)]
    assert open_rungs(early) == "0"
    late = session(Rung.FREE, 1.0, -40.0, breach="fell")
    assert open_rungs([*climbed(Rung.WHOLE_BODY), late]) == "0123"
    assert open_rungs([replace(r, ended_s=NOW_S + 99 * DAY_S) for r in climbed(Rung.SHADOW)]) == "0"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"hard_stops": 1}, "hard stop"),
        ({"targets": 1000}, "targets came at 2 Hz"),
        ({"holds": 20}, "guards held the robot 20 times"),
        ({"hand_samples": 0}, "not measured"),
        ({"hand_error_p95_m": 0.12}, "120 mm off"),
        ({"gantry_by": ""}, "nobody confirmed the gantry"),
    ],
)
def test_that_minutes_that_show_nothing_do_not_count(changes: dict, why: str) -> None:
    records = [*climbed(Rung.SHADOW), session(Rung.ARMS, 11.0, 0.5, **changes)]
    state = climb(records, REAL, SUBJECT, NOW_S)[Rung.WHOLE_BODY]
    assert not state.open
    assert why in state.says
    assert "10.0 min more" in state.remedy


def test_that_minutes_of_several_sessions_add_up() -> None:
    parts = [session(Rung.ARMS, 4.0, days) for days in (0.3, 0.2)]
    short = climb([*climbed(Rung.SHADOW), *parts], REAL, SUBJECT, NOW_S)[Rung.WHOLE_BODY]
    assert not short.open
    assert "8.0 of 10 min" in short.says
    assert open_rungs([*climbed(Rung.SHADOW), *parts, session(Rung.ARMS, 2.5, 0.1)]) == "0123"


def test_that_clean_minutes_higher_up_keep_the_rungs_below_open() -> None:
    old = climbed(Rung.WHOLE_BODY, days_ago=20.0)
    assert open_rungs(old) == "0123"
    # free for 20 min every few days: whole body on the gantry need not be repeated
    assert open_rungs([*old, session(Rung.FREE, 20.0, 2.0, gantry_by="")]) == "01234"
    assert open_rungs([session(Rung.SHADOW, 60.0)]) == "0", "shadow measures no tracking: it is no simulation"


def test_that_a_refusal_names_rung_robot_controllers_what_is_missing_and_the_remedy() -> None:
    states = climb(climbed(Rung.SHADOW), REAL, SUBJECT, NOW_S)
    text = refusal(states, Rung.WHOLE_BODY, REAL, SUBJECT)
    for part in ("'gantry, whole body' is locked", "T1-0042", "planner dddddddd", "0.0 of 10 min", "backend t1 (10.0"):
        assert part in text
    assert refusal(states, Rung.ARMS, REAL, SUBJECT) == ""


def test_that_rungs_follow_from_how_the_robot_is_put_up() -> None:
    assert rung_of("shadow", "custom") == Rung.SHADOW
    assert rung_of("gantry", "upper_body") == Rung.ARMS
    assert rung_of("gantry", "custom") == Rung.WHOLE_BODY
    assert rung_of("free", "upper_body") == Rung.FREE


def test_that_what_opens_free_expires_before_the_rest() -> None:
    days = {rung: requirement.valid_days for rung, requirement in REQUIREMENTS.items()}
    assert days[Rung.WHOLE_BODY] < min(days[rung] for rung in Rung if rung < Rung.WHOLE_BODY)
    with pytest.raises(ValueError, match="minutes must be positive, got 0"):
        Requirement(0.0, 1.0)


def test_that_percentiles_of_hand_errors_are_those_of_the_samples() -> None:
    counts = ErrorCounts()
    assert counts.percentile_m(0.95) == 0.0
    for k in range(100):
        counts.add(0.001 * k + 0.0005)
    assert counts.percentile_m(0.95) == pytest.approx(0.095)
    assert counts.percentile_m(0.5) == pytest.approx(0.050)
    assert counts.samples == 100


def test_that_a_hand_error_that_is_no_number_counts_as_the_largest() -> None:
    counts = ErrorCounts()
    for error in (float("nan"), float("inf"), -1.0, 7.0):
        counts.add(error)
    assert counts.percentile_m(0.01) > 0.3
