"""The agent's states and what it answers to its clients."""

from enum import StrEnum

from core.robot.wire import Mode


class AgentState(StrEnum):
    """Where the agent is. Every change towards a moving robot waits for the robot's own word."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    "the robot answers; nothing is sent"
    PREPARE = "prepare"
    "the robot stands in its own prepare mode"
    SHADOW = "shadow"
    "the controller runs on what the robot measures; nothing is sent"
    UPPER_BODY = "upper_body"
    "the firmware balances; arms and velocity are ours"
    CUSTOM = "custom"
    "every joint is ours"
    STOPPED = "stopped"
    "a hard stop is latched"
    TAKEN_OVER = "taken_over"
    "somebody else changed the mode: nothing is sent until a person connects anew"


MOVING = (AgentState.UPPER_BODY, AgentState.CUSTOM)
DRIVING = (*MOVING, AgentState.SHADOW)
"""Targets are taken: followed, or in a shadow only looked at."""
EXPECTED_MODE = {AgentState.UPPER_BODY: Mode.WALKING, AgentState.CUSTOM: Mode.CUSTOM}


class RefusedError(RuntimeError):
    """A request that cannot be followed; the message says why and what to do."""
