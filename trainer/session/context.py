"""What the parts of a live session share: clock, stop, state, settings, the world, and the way to tell the client."""

import threading
from collections.abc import Callable

from core.backends.base import LiveBackend
from core.clock import Rate
from core.control.stop import StopLatch, StopLevel
from core.teleop.keyboard import KeyboardDevice
from core.types import CONTROL_PERIOD_S
from trainer.session.heartbeat import HeartbeatWatch
from trainer.session.messages import Configure, SessionError, SessionState, StateChanged, WorkerEvent
from trainer.session.telemetry import LoopMeter
from trainer.session.vr import MakeInput, Vr
from trainer.session.world import World


class SessionContext:
    """One a session. Only the thread that ticks changes it, but for the latch, the heartbeat and the keys."""

    def __init__(
        self,
        tell: Callable[[WorkerEvent], None],
        now: Callable[[], float],
        sleep: Callable[[float], None],
        make_input: MakeInput,
    ) -> None:
        self._tell = tell
        self.now = now
        self.stop = StopLatch(now, self._stop_raised)
        self.heartbeat = HeartbeatWatch(now=now)
        self.keyboard = KeyboardDevice(now)
        self.vr = Vr(self.stop, now, make_input)
        self.rate = Rate(CONTROL_PERIOD_S, now, sleep)
        self.meter = LoopMeter(now)
        self.state: SessionState = "unconfigured"
        self.config = Configure()
        self.world: World | None = None
        self.stepping = False
        self.ending = threading.Event()

    def emit(self, event: WorkerEvent) -> None:
        """Tell the client and, with a headset, the operator's hands."""
        self._tell(event)
        if self.config.source == "vr":
            self.vr.feel.heard(event)

    def _stop_raised(self, level: StopLevel, pressed_s: float) -> None:
        """Whoever asked for it, on whatever thread: a real robot hears of it past the loop, which may hang."""
        if (world := self.world) is None or world.robot is None:
            return
        world.robot.request_stop(level, pressed_s)
        world.notes.note("stop_asked", level=level.name.lower(), pressed_s=pressed_s)

    def clear_stop(self) -> None:
        """Release the stop, of the robot first: one that it has not confirmed stays."""
        if (robot := self.robot) is not None and (why := robot.clear_stop()):
            self.emit(SessionError(f"the stop stays: {why}", "use the robot's remote control"))
            return
        self.stop.clear()

    def enter(self, state: SessionState) -> None:
        """The session is in another state now."""
        if state != self.state:
            self.state = state
            self.emit(StateChanged(state))

    @property
    def robot(self) -> LiveBackend | None:
        """The real robot, None where the world is simulated."""
        return self.world.robot if self.world is not None else None

    def close_world(self) -> None:
        """Release what was built. A recording that is open is recovered by the next writer of its data set."""
        world, self.world = self.world, None
        if world is not None:
            world.close()
