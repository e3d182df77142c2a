"""A person with a headset as a device: raw samples in, what the robot is asked out; the same for OpenXR and recordings.

Samples arrive on one thread (`feed`), the loop asks on another (`sample`, `take`). Nothing here knows OpenXR or torch.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core.teleop.clutch import ClutchConfig, Fault, HandClutch, HandState
from core.teleop.poses import yaw_of
from core.teleop.presses import Action, Presses, Side
from core.teleop.reach import ReachError, reach_scale
from core.teleop.samples import HandSample, OperatorSample, Vector3
from core.teleop.xr_joints import XrJoints
from core.teleop.xr_sample import Flag, XrHand, XrSample, without_nonsense
from core.teleop.xr_tape import TapeWriter

NEVER_S = float("-inf")
EVENTS_KEPT = 200


@dataclass(frozen=True)
class Happened:
    """Something that the session, the operator's hands and the window want to know."""

    kind: Literal["engaged", "released", "dropped", "action", "calibrated", "refused"]
    side: Side | None = None
    why: Fault | Literal[""] = ""
    action: Action | None = None
    text: str = ""


@dataclass(frozen=True)
class OperatorView:
    """What the window shows of the operator."""

    hands: tuple[HandState, HandState]
    why: tuple[str, str]
    walking_allowed: bool
    scale: float
    age_s: float


class XrOperator:
    """Two clutches, the sticks, the buttons and the reach calibration."""

    def __init__(
        self,
        config: ClutchConfig | None = None,
        now: Callable[[], float] = time.monotonic,
        on_stop: Callable[[Literal["soft_stop", "hard_stop"]], None] = lambda _: None,
    ) -> None:
        """on_stop is called at once, on the thread that feeds: a stop never waits for the loop."""
        self.config = config or ClutchConfig()
        self.scale = 1.0
        "robot's motion over the operator's"
        self.newest = XrSample(0, NEVER_S)
        self.joints = XrJoints(NEVER_S)
        "the operator's fingers, where a runtime has them; nothing is commanded with them"
        self._now = now
        self._on_stop = on_stop
        self._lock = threading.Lock()
        self._clutches: dict[Side, HandClutch] = {"left": HandClutch(self.config), "right": HandClutch(self.config)}
        self._presses = Presses()
        self._walk_armed = False
        self._stale = True
        self._home_asked = False
        self._happened: deque[Happened] = deque(maxlen=EVENTS_KEPT)
        self.tape: TapeWriter | None = None
        "where every sample and every look at them is written down, in order"

    # ------------------------------------------------------------------ samples in

    def feed(self, sample: XrSample) -> None:
        """The next raw sample, in order. One that is older than the newest, or has no time, is ignored."""
        with self._lock:
            if not self.newest.time_s < sample.time_s < math.inf:
                return
            if self.tape is not None:
                self.tape.sample(sample)
            sample = without_nonsense(sample)
            last, self.newest = self.newest, sample
            self._stale = False
            if sample.time_s - last.time_s > self.config.stale_after_s:
                self._drop("stale")
                self._presses.forget()
            if sample.recentres != last.recentres:
                self._drop("recentred")
            heading = yaw_of(sample.head.quat) if Flag.VALID in sample.head_flags else None
            self._feed_hand("left", sample.left, sample, heading)
            self._feed_hand("right", sample.right, sample, heading)
            self._arm_walking(sample)
            actions = self._presses.feed(sample.left, sample.right, sample.time_s, sample.focused)
        for action in actions:
            self._act(action, sample)

    def feed_joints(self, joints: XrJoints) -> None:
        """The newest finger joints."""
        with self._lock:
            if self.tape is not None:
                self.tape.joints(joints)
            self.joints = joints

    def _feed_hand(self, side: Side, hand: XrHand, sample: XrSample, heading: float | None) -> None:
        outcome = self._clutches[side].feed(hand, sample.time_s, heading, self.scale, sample.focused)
        if outcome in ("engaged", "released"):
            self._tell(Happened("engaged" if outcome == "engaged" else "released", side))
        elif outcome:
            self._walk_armed = False
            self._tell(Happened("dropped", side, outcome))

    def _arm_walking(self, sample: XrSample) -> None:
        """The sticks move the robot while both controllers are there, once they were seen at rest."""
        if not (sample.focused and sample.left.tracked and sample.right.tracked):
            self._walk_armed = False
        elif not self._walk_armed:
            self._walk_armed = all(self._past_dead_zone(v) == 0 for v in (*sample.left.stick, *sample.right.stick))

    def _act(self, action: Action, sample: XrSample) -> None:
        if action == "soft_stop" or action == "hard_stop":
            self.interrupt("held")
            self._on_stop(action)
        if action == "home":
            self._home_asked = True
        if action == "calibrate":
            self._calibrate(sample)
            return
        self._tell(Happened("action", action=action))

    def _calibrate(self, sample: XrSample) -> None:
        try:
            self.scale = reach_scale(sample)
        except ReachError as error:
            self._tell(Happened("refused", text=str(error)))
            return
        self._tell(Happened("calibrated", text=f"reach: your motion times {self.scale:.2f}"))

    def _tell(self, happened: Happened) -> None:
        self._happened.append(happened)

    # ------------------------------------------------------------------ what the loop asks

    def sample(self) -> OperatorSample:
        """What the operator asks for now. Its time is that of the newest raw sample."""
        now = self._now()
        with self._lock:
            if self.tape is not None:
                self.tape.look(now)
            self._look_at_age(now)
            home, self._home_asked = self._home_asked, False
            newest = self.newest
            hands = [HandSample(follow=self._clutches[side].follow()) for side in ("left", "right")]
            base = self._walk(newest)
            halt = not self._walk_armed
        return OperatorSample(newest.time_s, base, hands[0], hands[1], halt=halt, home=home)

    def _look_at_age(self, now: float) -> None:
        if not self._stale and now - self.newest.time_s > self.config.stale_after_s:
            self._stale = True
            self._drop("stale")

    def _walk(self, sample: XrSample) -> Vector3:
        if not self._walk_armed:
            return (0.0, 0.0, 0.0)
        right, away = map(self._past_dead_zone, sample.left.stick)
        turn = self._past_dead_zone(sample.right.stick[0])
        return (away, -right, -turn)

    def _past_dead_zone(self, value: float) -> float:
        """0 in the dead zone, then growing from 0 to 1."""
        zone = self.config.dead_zone
        size = max(0.0, min(1.0, abs(value)) - zone) / (1.0 - zone)
        return size if value > 0 else -size

    def heard_s(self) -> float:
        """Time of the newest raw sample."""
        return self.newest.time_s

    def release_all(self) -> None:
        """Nothing follows until the operator takes over again."""
        self.interrupt("reset")

    def new_episode(self) -> None:
        """As `release_all`: a hand that follows into another episode would surprise everybody."""
        self._home_asked = False
        self.release_all()

    def interrupt(self, why: Fault) -> None:
        """Drop everything, from any thread."""
        with self._lock:
            if self.tape is not None:
                self.tape.interrupted(why)
            self._drop(why)

    def _drop(self, why: Fault) -> None:
        self._walk_armed = False
        for side, clutch in self._clutches.items():
            if clutch.drop(why):
                self._tell(Happened("dropped", side, why))

    def take(self) -> list[Happened]:
        """What happened since the last call, oldest first."""
        taken = []
        while self._happened:
            taken.append(self._happened.popleft())
        return taken

    def view(self) -> OperatorView:
        """For the window and the record of latencies."""
        with self._lock:
            self._look_at_age(self._now())
            left, right = self._clutches["left"], self._clutches["right"]
            return OperatorView(
                (left.state, right.state), (left.why, right.why), self._walk_armed, self.scale,
                self._now() - self.newest.time_s,
            )  # fmt: skip
