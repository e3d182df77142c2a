"""The stop of a session: latched from any thread, told when the loop has obeyed it."""

from core.control.stop import StopLevel
from trainer.session.context import SessionContext
from trainer.session.episodes import WORLD
from trainer.session.messages import Stop, StopChanged
from trainer.session.telemetry import STOP_STATES
from trainer.session.transport import Transport


class Stops:
    """Between the latch and the client."""

    def __init__(self, context: SessionContext, transport: Transport) -> None:
        self._context = context
        self._transport = transport
        self._told = StopLevel.NONE

    def receive(self, message: Stop) -> None:
        """Latch or clear, from any thread: the loop may hang."""
        context = self._context
        match message.action:
            case "soft_stop" | "hard_stop":
                level = StopLevel.SOFT if message.action == "soft_stop" else StopLevel.HARD
                context.stop.request(level, message.pressed_s)
            case "clear_stop":
                context.clear_stop()

    def after_step(self) -> None:
        """Tell what the loop obeyed in the period that ended; a hard stop ends the episode."""
        assert self._context.world is not None
        rollout = self._context.world.rollout
        if rollout.stop_obeyed != self._told:
            self._tell(rollout.stop_obeyed, rollout.stop_obeyed_s)
            if rollout.stop_obeyed == StopLevel.HARD:
                rollout.end(WORLD, "hard stop")

    def confirm_at_rest(self) -> None:
        """Nothing moves: a stop holds from the moment it is latched."""
        level = self._context.stop.level
        if level != self._told:
            if self._context.world is not None:
                self._context.world.rollout.stop_obeyed = level
            self._tell(level, self._context.now())

    def _tell(self, level: StopLevel, obeyed_s: float) -> None:
        was, self._told = self._told, level
        self._context.emit(StopChanged(STOP_STATES[level], 1e3 * (obeyed_s - self._context.stop.since_s)))
        if was == StopLevel.HARD and level == StopLevel.NONE:
            self._transport.reset()  # the robot lies on the floor: it gets up by a reset, not by its controllers
