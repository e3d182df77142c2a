"""Evidence for tests: sessions that went well, and what is changed of them."""

from dataclasses import replace
from typing import Any

from core.robot.ladder_evidence import SIMULATOR, Evidence, RobotId, Rung, Subject

REAL = RobotId("T1-0042", "t1", "T1")
SIMULATED = RobotId("SIM000000", "t1-sim", "T1", simulated=True)
SUBJECT = Subject("policy", "c" * 64, "d" * 64)
NOW_S = 1_800_000_000.0
DAY_S = 86400.0


def session(rung: Rung, minutes: float, days_ago: float = 1.0, robot: RobotId = REAL, **changes: Any) -> Evidence:
    """A session without a fault."""
    ended_s = NOW_S - DAY_S * days_ago
    driven_s = 60.0 * minutes
    good = Evidence(
        id=f"{rung}-{days_ago}-{minutes}-{robot.serial}",
        rung=int(rung),
        robot=SIMULATOR.key if rung == Rung.SIMULATION else robot.key,
        subject=SUBJECT.key,
        began_s=ended_s - driven_s - 5.0,
        ended_s=ended_s,
        driven_s=driven_s,
        targets=round(50 * driven_s),
        hand_samples=0 if rung == Rung.SHADOW else round(10 * driven_s),
        hand_error_p95_m=0.01,
        gantry_by="Ada",
        gantry_s=ended_s - driven_s - 60.0,
    )
    return replace(good, **changes)


def climbed(up_to: Rung, robot: RobotId = REAL, days_ago: float = 1.0) -> list[Evidence]:
    """Enough on every rung below and on the given one."""
    minutes = {Rung.SIMULATION: 6.0, Rung.SHADOW: 4.0, Rung.ARMS: 11.0, Rung.WHOLE_BODY: 16.0, Rung.FREE: 5.0}
    # the rungs one after the other, a tenth of a day apart
    return [
        session(rung, minutes[rung], days_ago + 0.1 * (up_to - rung), robot) for rung in Rung if rung <= up_to
    ]  # fmt: skip
