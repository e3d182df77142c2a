"""What the agent tells its clients, as plain JSON."""

import os
from typing import TYPE_CHECKING, Any

from core.t1.model import JOINT_NAMES

if TYPE_CHECKING:
    from core.robot.agent.core import Agent


def report_of(agent: "Agent") -> dict[str, Any]:
    """Where the agent is, how its stop goes, what it counts."""
    view, record, stream = agent.link.view, agent.stop.record, agent.stream
    return {
        "state": agent.state.value,
        "detail": agent.detail,
        "stop": int(record.level),
        "stop_words": record.words,
        "stop_overdue": record.overdue,
        "stop_times": [record.pressed_s, record.latched_s, record.asked_s, record.framed_s, record.confirmed_s],
        "holding": agent.finding.reason if agent.finding.action == "hold" else "",
        "mode": view.mode,
        "state_age_s": agent.now() - view.low.received_s,
        "deadman_age_s": agent.deadman.age_s(),
        "frames": agent.frames_sent,
        "late_frames": agent.late_frames,
        "limited_speed": stream.limited_speed,
        "limited_position": stream.limited_position,
        "limited_walk": agent.limited_walk,
        "shadow": agent.shadow,
        "testing": agent.testing,
        "grippers_refused": agent.grippers.refused,
        "log": agent.log.path,
        "log_failures": agent.log.failures,
        "pid": os.getpid(),
        "battery_percent": view.battery_percent,
        "info": agent.info,
    }


def sensors_of(agent: "Agent") -> dict[str, Any]:
    """What the robot measures, and what was asked of its joints last."""
    view, low = agent.link.view, agent.link.view.low
    measured = {name: getattr(low, name).tolist() for name in ("q", "dq", "tau", "rpy", "gyro", "acc")}
    return measured | {
        "received_s": low.received_s,
        "taken_s": low.taken_s,
        "odometry": list(view.odometry),
        "sent_q": agent.stream.q.tolist(),
        "hottest_c": float(low.temperature_c.max()),
        "hottest_joint": JOINT_NAMES[int(low.temperature_c.argmax())],
        "lost_states": view.lost_states,
    }
