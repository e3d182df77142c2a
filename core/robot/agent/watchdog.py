"""Watchdogs: what the agent looks at in every frame, and what each finding leads to."""

import math
from dataclasses import dataclass
from typing import Literal

from core.robot.agent.config import AgentConfig
from core.robot.view import RobotView
from core.robot.wire import FallState, Mode, mode_name
from core.t1.model import JOINT_NAMES, NUM_JOINTS

Action = Literal["none", "hold", "soft", "hard", "let_go"]
"""hold: stand still until it is over; soft, hard: a latched stop; let_go: somebody else has the robot, send nothing."""
MODE_GRACE_S = 0.05
"""Frames of states that were on their way when a mode was entered."""


@dataclass(frozen=True)
class Finding:
    """What a watchdog says."""

    action: Action
    reason: str = ""


OK = Finding("none")


@dataclass(frozen=True)
class Watched:
    """What is judged beside the robot itself."""

    now_s: float
    expected_mode: Mode
    entered_s: float
    "when that mode was confirmed"
    target_age_s: float
    "0 while no target is expected"
    whole_body: bool
    deadman_age_s: float


def judge(config: AgentConfig, view: RobotView, watched: Watched) -> Finding:
    """The gravest finding. Whole body: nobody else keeps the balance, so most lead to damping."""
    now_s, low = watched.now_s, view.low
    fresh_mode = view.mode_s > watched.entered_s + MODE_GRACE_S
    if fresh_mode and view.mode != watched.expected_mode:
        return Finding("let_go", f"the robot went to mode {mode_name(view.mode)}: somebody else changed it")
    if now_s - low.received_s > config.state_timeout_s:
        return Finding("hard", f"no state of the robot for {1e3 * config.state_timeout_s:.0f} ms")
    if low.joints != NUM_JOINTS or not low.finite():
        return Finding("hard", "the robot's state is broken: NaN or another number of joints")
    tilt = float(max(abs(low.rpy[0]), abs(low.rpy[1])))
    if tilt > config.max_tilt_rad:
        return Finding("hard", f"the trunk tilts by {tilt:.2f} rad; allowed: {config.max_tilt_rad}")
    if view.fall != FallState.READY:
        return Finding("hard", "the robot reports a fall")
    hottest = int(low.temperature_c.argmax())
    if low.temperature_c[hottest] > config.hot_c:
        return Finding(
            "hard", f"{JOINT_NAMES[hottest]} has {low.temperature_c[hottest]:.0f} °C; allowed: {config.hot_c}"
        )
    if config.require_deadman and watched.deadman_age_s > config.deadman_timeout_s:
        return Finding("soft", "the dead-man process is gone")
    if low.temperature_c[hottest] > config.warm_c:
        return Finding("soft", f"{JOINT_NAMES[hottest]} has {low.temperature_c[hottest]:.0f} °C: let it cool")
    if watched.target_age_s > config.target_timeout_s:
        action: Action = "hard" if watched.whole_body else "hold"
        return Finding(action, f"no joint targets for {1e3 * config.target_timeout_s:.0f} ms")
    return OK


def judge_shadow(config: AgentConfig, view: RobotView, now_s: float, target_age_s: float) -> Finding:
    """What would be wrong if the robot were ours: noted, never acted on. The firmware has it, in whatever mode."""
    low = view.low
    if now_s - low.received_s > config.state_timeout_s:
        return Finding("hard", f"no state of the robot for {1e3 * config.state_timeout_s:.0f} ms")
    if low.joints != NUM_JOINTS or not low.finite():
        return Finding("hard", "the robot's state is broken: NaN or another number of joints")
    if target_age_s > config.target_timeout_s:
        return Finding("hold", f"no joint targets for {1e3 * config.target_timeout_s:.0f} ms")
    return OK


def ready_to_move(config: AgentConfig, view: RobotView, now_s: float, deadman_age_s: float) -> str:
    """Why the robot must not be moved now, '' when it may."""
    low = view.low
    if now_s - low.received_s > config.state_timeout_s:
        return f"no fresh state of the robot (last: {_age(now_s - low.received_s)} ago)"
    if low.joints != NUM_JOINTS or not low.finite():
        return f"the robot reports {low.joints} joints or NaN; {NUM_JOINTS} finite ones are needed"
    if max(abs(low.rpy[0]), abs(low.rpy[1])) > 0.5 * config.max_tilt_rad:
        return f"the trunk is tilted (roll {low.rpy[0]:.2f}, pitch {low.rpy[1]:.2f} rad)"
    if view.fall != FallState.READY:
        return "the robot reports a fall"
    if float(low.temperature_c.max()) > config.warm_c:
        return f"{JOINT_NAMES[int(low.temperature_c.argmax())]} has {low.temperature_c.max():.0f} °C"
    if config.require_deadman and deadman_age_s > config.deadman_timeout_s:
        return "the dead-man process is not there"
    return ""


def _age(seconds: float) -> str:
    return "never" if math.isinf(seconds) else f"{1e3 * seconds:.0f} ms"
