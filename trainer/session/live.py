"""A live session: one robot, one loop, steered by messages. Used by the worker process and by `refine-dp run`."""

import queue
import time
import traceback
from collections.abc import Callable
from typing import assert_never

from core.control.stop import StopLevel
from core.types import CONTROL_PERIOD_S
from trainer.session.context import SessionContext
from trainer.session.episodes import Episodes
from trainer.session.ladder import Ladder
from trainer.session.messages import (
    ClientMessage,
    Configure,
    Control,
    Heartbeat,
    Hello,
    Keys,
    Label,
    PreflightAsked,
    Record,
    SessionError,
    SessionState,
    Stop,
    Telemetry,
    WorkerEvent,
)
from trainer.session.operator_requests import OperatorRequests
from trainer.session.parts import load_controller
from trainer.session.planner_link import PlannerProcess
from trainer.session.policy import MakeLink, PolicySeat
from trainer.session.robot_handover import RobotHandover
from trainer.session.setup import LoadController, Setup
from trainer.session.stops import Stops
from trainer.session.telemetry import SessionView, build_telemetry
from trainer.session.transport import Transport
from trainer.session.vr import MakeInput, Vr, start_process
from trainer.session.world import World

MAX_QUEUED = 1000
"""Commands that wait while something loads; a client that sends more is not sane."""


class LiveSession:
    """Takes messages, steps the loop, tells what happens.

    `receive` may be called from any thread and handles stops, heartbeats and keys at once; `tick` belongs to one.
    """

    def __init__(
        self,
        emit: Callable[[WorkerEvent], None],
        load: LoadController = load_controller,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        make_input: MakeInput = start_process,
        make_link: MakeLink = PlannerProcess,
    ) -> None:
        self._context = context = SessionContext(emit, now, sleep, make_input)
        self._episodes = Episodes(context)
        self._ladder = Ladder(context)
        self._handover = RobotHandover(context, self._ladder)
        self._transport = Transport(context, self._episodes, self._handover)
        self._stops = Stops(context, self._transport)
        self._buttons = OperatorRequests(context, self._transport)
        self._setup = Setup(context, self._episodes, PolicySeat(context.emit, now, make_link), load, self._ladder)
        self._inbox: queue.Queue[ClientMessage] = queue.Queue(MAX_QUEUED)
        self.stop = context.stop
        self.heartbeat = context.heartbeat
        self.rate = context.rate

    @property
    def state(self) -> SessionState:
        """What the session does now."""
        return self._context.state

    @property
    def config(self) -> Configure:
        """The settings that are in force."""
        return self._context.config

    @property
    def world(self) -> World | None:
        """What was built, None before anything is configured."""
        return self._context.world

    @property
    def vr(self) -> Vr:
        """The operator with a headset."""
        return self._context.vr

    @property
    def finished(self) -> bool:
        """Whether all the episodes that were asked for have been run."""
        return self._episodes.finished

    @property
    def testing_stop(self) -> bool:
        """Whether the hard stop is being tested."""
        return self._ladder.testing

    @property
    def ended(self) -> bool:
        """Whether quit was received."""
        return self._context.ending.is_set()

    # ------------------------------------------------------------------ messages

    def receive(self, message: ClientMessage) -> None:
        """Handle at once what must not wait; queue the rest for `tick`."""
        match message:
            case Stop():
                self._stops.receive(message)
            case Heartbeat(owner_age_s=age_s):
                self.heartbeat.beat(age_s)
                if (robot := self._context.robot) is not None:
                    robot.beat(age_s)
            case Keys():
                self._receive_keys(message)
            case Hello():
                self.heartbeat.expect()
            case Configure() | Control() | Record() | Label() | PreflightAsked():
                self._queue(message)
            case _:
                assert_never(message)

    def _receive_keys(self, message: Keys) -> None:
        try:
            self._context.keyboard.set_down(message.down)
        except ValueError as error:
            self._context.emit(SessionError(str(error)))

    def _queue(self, message: ClientMessage) -> None:
        try:
            self._inbox.put_nowait(message)
        except queue.Full:
            text = f"{type(message).__name__} was dropped: {MAX_QUEUED} messages wait already"
            self._context.emit(SessionError(text))

    def _take(self, message: ClientMessage) -> None:
        match message:
            case Configure():
                self._setup.configure(message)
                self._ladder.forget()
            case Control():
                self._transport.control(message)
            case Record():
                self._transport.record(message)
            case PreflightAsked():
                self._ladder.act(message)
            case Label(text=text):
                if self.world is not None:
                    self.world.recorder.label = text

    def _drain(self) -> None:
        while True:
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return
            self._take(message)

    def _wait_for_message(self) -> None:
        try:
            self._take(self._inbox.get(timeout=CONTROL_PERIOD_S))
        except queue.Empty:
            return

    # ------------------------------------------------------------------ the loop

    def tick(self) -> None:
        """Handle what was sent, then one control period (paced in real time), or a short wait where nothing runs."""
        self._drain()
        self._buttons.obey()
        if not self._context.stepping or self.world is None:
            self._stops.confirm_at_rest()
            self._handover.watch_at_rest()
            self._ladder.watch()
            self._wait_for_message()
            return
        try:
            self.world.rollout.step()
        except Exception as error:  # the border: whatever broke, the robot must not go on
            self._fail(error)
            return
        self._after_step(self.world)
        self._handover.watch()
        if self.config.realtime and self._context.robot is None:
            self.rate.wait()

    def _after_step(self, world: World) -> None:
        rollout = world.rollout
        self._context.meter.tick(rollout)
        if self.config.source == "vr":
            self.vr.after_step(rollout)
        world.foot.tick(getattr(world.controller, "footsteps", None), rollout.state)
        world.notes.held(rollout.holding)
        self._stops.after_step()
        if not self._episodes.active and self.state == "running" and self.stop.level == StopLevel.NONE:
            self._context.enter("ready")  # standing, hands held

    def _fail(self, error: Exception) -> None:
        self._context.stepping = False
        self.stop.request(StopLevel.HARD)
        if self.world is not None:
            self.world.notes.note("error", reason=f"the loop broke: {error}")
        remedy = "clear the stop; report this with the details"
        self._context.emit(SessionError(f"the loop broke: {error}", remedy, traceback.format_exc()))
        self._context.enter("ready")

    def telemetry(self) -> Telemetry | None:
        """The state now, None before anything is configured."""
        world = self.world
        if world is None:
            return None
        view = SessionView(self.state, world.recorder.state, world.recorder.samples, world.recorder.thread.episodes)
        steps = getattr(world.controller, "footsteps", None)
        loop = self._context.meter.stats(world.robot.rate if world.robot is not None else self.rate)
        vr = self.vr.view(world.rollout, loop) if self.config.source == "vr" else None
        robot = world.robot.status() if world.robot is not None else None
        return build_telemetry(world.rollout, world.scene, world.tally, world.foot, steps, loop, view, vr, robot)

    def close(self) -> None:
        """End the session. Safe to call twice."""
        self._context.stepping = False
        self._setup.close()
        self._context.enter("ended")
