"""Start, pause, resume, reset and the keys of the recorder, as on a tape machine."""

from typing import assert_never

from core.control.stop import StopLevel
from trainer.session.context import SessionContext
from trainer.session.episodes import Episodes
from trainer.session.messages import Control, LogLine, Record, SessionError
from trainer.session.robot_handover import RobotHandover


class Transport:
    """Makes the loop step and stand still."""

    def __init__(self, context: SessionContext, episodes: Episodes, handover: RobotHandover) -> None:
        self._context = context
        self._episodes = episodes
        self._handover = handover

    def control(self, message: Control) -> None:
        """Do what a message asks for."""
        context = self._context
        if message.action == "quit":
            context.ending.set()
            return
        if context.world is None:
            context.emit(SessionError(f"cannot {message.action}: nothing is configured", "send the settings first"))
            return
        match message.action:
            case "start":
                self.start()
            case "resume":
                if context.state == "paused":
                    self._run()
            case "pause":
                self._pause()
            case "reset":
                self.reset()
            case _:
                assert_never(message.action)

    def record(self, message: Record) -> None:
        """A key of the recorder; *again* throws the episode away and begins the next."""
        world = self._context.world
        if world is None:
            text = f"cannot {message.action} a recording: nothing is configured"
            self._context.emit(SessionError(text, "wait for loading"))
            return
        world.recorder.act(message.action)
        if message.action == "again":
            self.again()

    def start(self) -> None:
        """Run, with a new episode where none is there."""
        context = self._context
        if context.stop.level != StopLevel.NONE:
            context.emit(SessionError("cannot start: a stop is latched", "clear the stop first"))
            return
        if context.state in ("running", "engaging"):
            return
        if not self._episodes.active:
            self._episodes.begin()
        if not self._episodes.active:
            context.emit(LogLine(f"all {context.config.episodes} episodes have been run"))
            return
        self._run()

    def again(self) -> None:
        """A new episode, at once."""
        self.reset()
        self.start()

    def reset(self) -> None:
        """Abandon the episode; the next one waits for *start*."""
        self._context.stepping = False
        self._handover.give_back()
        self._context.keyboard.release_all()
        self._episodes.abandon()
        self._episodes.begin()
        self._context.enter("ready")

    def _run(self) -> None:
        self._handover.take_over(self._step)

    def _step(self) -> None:
        self._context.stepping = True
        self._context.rate.restart()
        self._context.meter.restart()
        self._context.enter("running")

    def _pause(self) -> None:
        if self._context.state in ("running", "engaging"):
            self._context.stepping = False
            self._context.vr.operator.interrupt("held")  # hands that move on meanwhile must not pull at the robot later
            self._handover.give_back()
            self._context.enter("paused")
