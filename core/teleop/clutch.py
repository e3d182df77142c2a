"""The clutch between one tracked hand of the operator and one hand of the robot (pure code, no torch).

The grip button engages it; from then on the hand follows. Whatever could make the robot move in a way that the
operator did not mean drops it, and it engages again only after the button was seen released.
"""

from dataclasses import dataclass
from typing import Literal

from core.teleop.poses import Pose, about_z, angle_between, distance, mul, rotate
from core.teleop.samples import Follow, Quaternion, Vector3
from core.teleop.xr_sample import Flag, XrHand

Fault = Literal[
    "tracking lost", "controller off", "stale", "frozen", "jump", "not focused", "recentred", "slow", "held", "reset"
]
"""Why a clutch was dropped without the operator's doing. 'slow': the latency limit; 'held': the robot was stopped or
held by something else; 'reset': a new episode."""
IN_WORDS: dict[str, str] = {
    "stale": "no samples came",
    "frozen": "its pose froze",
    "jump": "its pose jumped",
    "slow": "commands were late",
    "held": "the robot was held",
    "reset": "a new episode",
}
"""Faults whose name says too little to the operator."""
HandState = Literal["engaged", "ready", "release", "lost", "off"]
"""engaged: the hand follows; ready: squeeze to take over; release: let go of the grip first; lost: not tracked;
off: no controller."""


@dataclass(frozen=True)
class ClutchConfig:
    """When a hand may follow the operator."""

    engage_at: float = 0.7
    "the grip button engages at this fraction"
    release_at: float = 0.4
    "and lets go below this one"
    stale_after_s: float = 0.15
    "without a sample for this long everything is dropped"
    frozen_after_s: float = 0.5
    "a pose that is the same to the last bit for this long is no measurement"
    jump_m_s: float = 4.0
    "faster than any hand: the tracking jumped"
    jump_rad_s: float = 15.0
    "faster than any wrist"
    jitter_m: float = 0.01
    "and never less than this much"
    jitter_rad: float = 0.1
    "and never less than this much"
    dead_zone: float = 0.1
    "of the sticks"
    latency_limit_s: float = 0.25
    "a sample that is older when its joint targets are sent makes the robot hold"

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")
        if not self.release_at < self.engage_at <= 1:
            raise ValueError(f"release_at < engage_at <= 1, got {self.release_at} and {self.engage_at}")


@dataclass(frozen=True)
class Engagement:
    """What is latched when a clutch engages."""

    number: int
    unyaw: Quaternion
    "turns the operator's heading at that moment to the x axis"
    scale: float


@dataclass(frozen=True)
class _Seen:
    """The last pose that differed from the one before, and when."""

    pose: Pose
    time_s: float


class HandClutch:
    """Fed with every sample of one controller; `follow` is what the robot's hand may do now."""

    def __init__(self, config: ClutchConfig) -> None:
        self.config = config
        self.why = ""
        "why it was dropped last, '' when the operator let go"
        self._number = 0
        self._engagement: Engagement | None = None
        self._released = False
        self._seen: _Seen | None = None
        self._hand = XrHand()

    @property
    def engaged(self) -> bool:
        """Whether the hand follows."""
        return self._engagement is not None

    @property
    def state(self) -> HandState:
        """What the operator is shown."""
        if self.engaged:
            return "engaged"
        if Flag.ACTIVE not in self._hand.flags:
            return "off"
        if not self._hand.tracked:
            return "lost"
        return "ready" if self._released else "release"

    def drop(self, why: Fault) -> bool:
        """Stop following; returns whether it did. It must see a release before it engages again."""
        self._released = False
        return self._open(why)

    def _open(self, why: Fault | Literal[""]) -> bool:
        was, self._engagement = self.engaged, None
        if was:
            self.why = why
        return was

    def feed(
        self, hand: XrHand, time_s: float, heading: float | None, scale: float, focused: bool
    ) -> Fault | Literal["engaged", "released", ""]:
        """Look at the controller of one sample; `heading` is the operator's, None while the head is not tracked.

        Returns what happened to the clutch, '' for nothing.
        """
        self._hand = hand
        fault = self._fault(hand, time_s, focused)
        if fault:
            return fault if self.drop(fault) else ""
        if hand.squeeze < self.config.release_at:
            self._released = True
            return "released" if self._open("") else ""
        if self.engaged or not self._released or hand.squeeze < self.config.engage_at or heading is None:
            return ""
        self._number += 1
        self._engagement = Engagement(self._number, about_z(-heading), scale)
        self._seen = _Seen(hand.grip, time_s)
        self.why, self._released = "", False
        return "engaged"

    def _fault(self, hand: XrHand, time_s: float, focused: bool) -> Fault | Literal[""]:
        if not (focused and hand.tracked):
            self._seen = None
        if not focused:
            return "not focused"
        if Flag.ACTIVE not in hand.flags:
            return "controller off"
        if not hand.tracked:
            return "tracking lost"
        seen = self._seen
        if seen is not None and seen.pose == hand.grip:
            frozen = self.engaged and time_s - seen.time_s > self.config.frozen_after_s
            return "frozen" if frozen else ""
        self._seen = _Seen(hand.grip, time_s)
        return "jump" if seen is not None and self._jumped(seen, hand.grip, time_s) else ""

    def _jumped(self, seen: _Seen, pose: Pose, time_s: float) -> bool:
        """Since the pose last changed: a tracker slower than the samples repeats its poses in between."""
        span_s = min(max(time_s - seen.time_s, 0.0), self.config.stale_after_s)
        far = distance(seen.pose.pos, pose.pos) > max(self.config.jump_m_s * span_s, self.config.jitter_m)
        turned = angle_between(seen.pose.quat, pose.quat) > max(self.config.jump_rad_s * span_s, self.config.jitter_rad)
        return far or turned

    def follow(self) -> Follow | None:
        """The hand to follow, None while the clutch is open."""
        latched = self._engagement
        if latched is None:
            return None
        x, y, z = rotate(latched.unyaw, self._hand.grip.pos)
        pos: Vector3 = (latched.scale * x, latched.scale * y, latched.scale * z)
        return Follow(latched.number, pos, mul(latched.unyaw, self._hand.grip.quat), self._hand.trigger)
