"""VR in a live session: the input process or a recording, requests of the buttons, vibration, what the window shows."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

from core.control.safety import SafetyLimits
from core.control.stop import StopLatch, StopLevel
from core.rollout import EpisodeEnd, EpisodeStart, Observer, Rollout
from core.teleop.clutch import ClutchConfig
from core.teleop.mapper import OperatorSource
from core.teleop.presses import Action
from core.teleop.samples import OperatorSample
from core.teleop.xr_input import XrInput
from core.teleop.xr_joints import XrJoints
from core.teleop.xr_link import Pulse, XrStatus
from core.teleop.xr_operator import OperatorView, XrOperator
from core.teleop.xr_replay import XrReplay
from core.teleop.xr_sample import XrSample
from core.teleop.xr_settings import VrSettings
from core.teleop.xr_tape import TapeHeader, TapeWriter
from trainer.session.messages import LoopStats, VrLatency, VrView
from trainer.session.vr_feel import REFUSED, Feel
from trainer.session.vr_view import LatencyMeter, preview

FINGERS_SEEN_S = 0.5
"""Finger joints older than this say nothing."""


class Input(Protocol):
    """The input process, as the session sees it."""

    def start(self) -> None: ...
    def close(self) -> None: ...
    def status(self) -> XrStatus: ...
    def pulse(self, pulse: Pulse) -> None: ...


MakeInput = Callable[[Callable[[XrSample | XrJoints], None], VrSettings], Input]


def start_process(take: Callable[[XrSample | XrJoints], None], settings: VrSettings) -> Input:
    """The real one."""
    return XrInput(take, lookahead_s=1e-3 * settings.lookahead_ms)


class VrDevice:
    """The operator, live or recorded, as the device of an OperatorSource; notes the time of what it hands out."""

    def __init__(self, operator: XrOperator | XrReplay, latency: LatencyMeter) -> None:
        self._operator = operator
        self._latency = latency

    def sample(self) -> OperatorSample:
        """What is asked now."""
        sample = self._operator.sample()
        self._latency.sample_s = sample.time_s
        return sample

    def heard_s(self) -> float:
        """Time of the newest raw sample."""
        return self._operator.heard_s()

    def release_all(self) -> None:
        """Everything is dropped."""
        self._operator.release_all()

    def new_episode(self) -> None:
        """Everything is dropped, or the recording begins."""
        self._operator.new_episode()


class Vr(Observer):
    """One a session; idle until the source is chosen."""

    def __init__(
        self, stop: StopLatch, now: Callable[[], float] = time.monotonic, make_input: MakeInput = start_process
    ) -> None:
        self.settings = VrSettings()
        self.feel = Feel(self._pulse, now)
        self.latency = LatencyMeter()
        self.operator = XrOperator(now=now, on_stop=self._stop)
        self._replay: XrReplay | None = None
        self._stop_latch = stop
        self._now = now
        self._make_input = make_input
        self._input: Input | None = None
        self._describe: Callable[[EpisodeStart], TapeHeader] | None = None

    # ------------------------------------------------------------------ life

    def use(self, settings: VrSettings, describe: Callable[[EpisodeStart], TapeHeader]) -> VrDevice:
        """The device for a source that begins now. Raises TapeError or OSError for a recording that cannot be read."""
        config = ClutchConfig(latency_limit_s=1e-3 * settings.latency_limit_ms)
        replay = XrReplay(Path(settings.replay), config, self._now) if settings.replay else None
        if replay is not None or settings.lookahead_ms != self.settings.lookahead_ms:
            self.close()
        self.settings, self._describe, self._replay = settings, describe, replay
        if replay is not None:
            return VrDevice(replay, self.latency)
        self.operator.config = config
        if self._input is None:
            self._input = self._make_input(self._take, settings)
            self._input.start()
        return VrDevice(self.operator, self.latency)

    def _take(self, heard: XrSample | XrJoints) -> None:
        """On the reading thread."""
        if isinstance(heard, XrJoints):
            self.operator.feed_joints(heard)
        else:
            self.operator.feed(heard)

    def close(self) -> None:
        """End the input process. Safe to call twice."""
        self._end_tape()
        taken, self._input = self._input, None
        if taken is not None:
            taken.close()

    def status(self) -> XrStatus:
        """How the connection to the headset stands."""
        if self._replay is not None:
            name = Path(self.settings.replay or "").name
            return XrStatus("running", f"recording {name}", controllers=("recorded", "recorded"))
        return self._input.status() if self._input is not None else XrStatus("off")

    def _pulse(self, pulse: Pulse) -> None:
        if self._input is not None:
            self._input.pulse(pulse)

    def _stop(self, action: Literal["soft_stop", "hard_stop"]) -> None:
        """On the reading thread: the latch first, then the words."""
        level = StopLevel.HARD if action == "hard_stop" else StopLevel.SOFT
        self._stop_latch.request(level)
        self.feel.stop_asked(level)

    # ------------------------------------------------------------------ the loop

    def requests(self) -> list[Action]:
        """What the buttons asked for since the last call; the rest of what happened is said and felt here."""
        tape = self.operator.tape
        if tape is not None and tape.trouble:
            self._end_tape()
            self.feel.say(f"the raw input is not recorded any more: {tape.trouble}", REFUSED)
        asked: list[Action] = []
        for what in self.operator.take():
            self.feel.happened(what)
            if what.action is not None:
                asked.append(what.action)
        return asked

    def after_step(self, rollout: Rollout) -> None:
        """Once a control period: limits, latency, and what holds the robot opens the clutches."""
        if not isinstance(rollout.source, OperatorSource):
            return
        self.feel.limits(rollout.source.mapper.limited)
        if rollout.holding and rollout.holding != "stale command":
            self.operator.interrupt("held")
        elif self.latency.last_s > self.operator.config.latency_limit_s:
            self.latency.last_s = 0.0
            self.operator.interrupt("slow")

    def episode_began(self, start: EpisodeStart) -> None:
        """A file of its own for the raw input of each episode."""
        self._end_tape()
        if self.settings.record_folder is None or self._replay is not None or self._describe is None:
            return
        stamp = time.strftime("%Y%m%d-%H%M%S")
        name = f"{stamp}_seed{start.seed}_{start.index}.operator"
        try:
            self.operator.tape = TapeWriter(Path(self.settings.record_folder) / name, self._describe(start))
        except OSError as error:
            self.feel.say(f"the raw input is not recorded: {error}")

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Close the file."""
        self._end_tape()

    def _end_tape(self) -> None:
        tape, self.operator.tape = self.operator.tape, None
        if tape is not None:
            tape.close()

    # ------------------------------------------------------------------ the window

    def view(self, rollout: Rollout, loop: LoopStats) -> VrView:
        """Everything that the window shows of the operator."""
        source, limits = rollout.source, rollout.safety.limits
        assert isinstance(source, OperatorSource)
        operator = self._replay.operator if self._replay is not None else self.operator
        return view(self.status(), operator, source, rollout, limits, self.latency, loop, self.feel.line)


def describe_joints(status: XrStatus, operator: XrOperator) -> str:
    """Whose fingers are seen, '' while no runtime runs."""
    if status.state != "running":
        return ""
    if not status.joints:
        return "not offered by this runtime"
    joints = operator.joints
    if operator.newest.time_s - joints.time_s > FINGERS_SEEN_S:
        return "no hand is seen"
    return " and ".join(side for side, hand in (("left", joints.left), ("right", joints.right)) if hand is not None)


def view(
    status: XrStatus, operator: XrOperator, source: OperatorSource, rollout: Rollout, limits: SafetyLimits,
    latency: LatencyMeter, loop: LoopStats, line: str,
) -> VrView:  # fmt: skip
    """As a message."""
    seen: OperatorView = operator.view()
    newest = operator.newest
    ghosts = preview(newest, source.mapper.asked, seen.scale, rollout.state, limits)
    times = VrLatency(
        sample_ms=1e3 * min(max(source.sample_age_s, 0.0), 9.999),
        mapper_ms=loop.source_ms,
        loop_ms=loop.safety_ms,
        controller_ms=loop.controller_ms,
        p50_ms=latency.percentile_ms(50),
        p99_ms=latency.percentile_ms(99),
        limit_ms=1e3 * operator.config.latency_limit_s,
    )
    hands = (newest.left, newest.right)
    return VrView(
        state=status.state,
        text=status.text,
        remedy=status.remedy,
        runtime=status.runtime,
        headset=status.headset,
        controllers=status.controllers,
        rate_hz=status.rate_hz,
        hands=seen.hands,
        why=seen.why,
        walking=seen.walking_allowed,
        scale=seen.scale,
        line=line,
        buttons=(int(hands[0].buttons), int(hands[1].buttons)),
        triggers=(hands[0].trigger, hands[1].trigger),
        squeezes=(hands[0].squeeze, hands[1].squeeze),
        sticks=(*hands[0].stick, *hands[1].stick),
        latency=times,
        preview_w=ghosts.poses_w,
        reachable=ghosts.reachable,
        recording_input=operator.tape is not None,
        joints=describe_joints(status, operator),
    )
