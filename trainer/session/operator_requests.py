"""What the buttons of a headset's controllers ask of the session."""

from typing import assert_never

from core.control.stop import StopLevel
from core.teleop.presses import Action
from trainer.session.context import SessionContext
from trainer.session.messages import Control, Record, SessionError
from trainer.session.recorder import LiveRecorder
from trainer.session.transport import Transport


class OperatorRequests:
    """The operator never walks to the keyboard."""

    def __init__(self, context: SessionContext, transport: Transport) -> None:
        self._context = context
        self._transport = transport

    def obey(self) -> None:
        """Everything that was pressed since the last call."""
        if self._context.config.source != "vr" or self._context.world is None:
            return
        for action in self._context.vr.requests():
            self._obey(action, self._context.world.recorder)

    def _obey(self, action: Action, recorder: LiveRecorder) -> None:
        undecided = not recorder.auto and recorder.state in ("recording", "finished")
        match action:
            case "record":
                recorder.act("keep" if recorder.state in ("recording", "finished") else "start")
            case "discard" | "undo":
                recorder.act(action)
            case "again":
                self._transport.record(Record("again"))
            case "next" if undecided:
                self._context.emit(SessionError("the recording is not decided", "keep it (A) or discard it (B) first"))
            case "next":
                self._transport.again()
            case "start_or_pause":
                self._start_or_pause()
            case "clear_soft_stop":
                if self._context.stop.level == StopLevel.SOFT:
                    self._context.clear_stop()  # a hard one is cleared where the robot is seen: in the window
            case "home" | "calibrate" | "soft_stop" | "hard_stop":
                pass  # done by the operator's device, which does not wait for the loop
            case _:
                assert_never(action)

    def _start_or_pause(self) -> None:
        match self._context.state:
            case "running":
                self._transport.control(Control("pause"))
            case "paused":
                self._transport.control(Control("resume"))
            case _:
                self._transport.control(Control("start"))
