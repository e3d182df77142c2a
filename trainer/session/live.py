"""A live session: one robot, one loop, steered by messages. Used by the worker process and by `refine-dp run`."""

import queue
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import torch

from core.backends.base import LiveBackend
from core.clock import Rate
from core.control.safety import SafetyFilter
from core.control.stop import StopLatch, StopLevel
from core.planners.base import Source
from core.recording import dataset_spec
from core.rl.header import CheckpointError
from core.rollout import Controller, EpisodeEnd, EpisodeStart, Observer, Rollout, SeededSource
from core.tasks.base import Task
from core.tasks.catalogue import make_task
from core.tasks.scene import Scene
from core.teleop.keyboard import KeyboardDevice
from core.teleop.presses import Action
from core.teleop.xr_tape import TapeHeader
from core.types import CONTROL_PERIOD_S
from trainer.runs import software_version
from trainer.session.messages import (
    HEARTBEAT_TIMEOUT_S,
    ClientMessage,
    Configure,
    Control,
    EpisodeFinished,
    Heartbeat,
    Hello,
    Keys,
    Label,
    LogLine,
    Record,
    SceneChanged,
    SessionError,
    SessionState,
    SettingsKept,
    StateChanged,
    Stop,
    StopChanged,
    Telemetry,
    WorkerEvent,
)
from trainer.session.parts import (
    OPERATED,
    OPERATOR_TIME_LIMIT_S,
    allowed_preset,
    load_controller,
    make_backend,
    make_source,
    safety_limits,
)
from trainer.session.policy import PolicySeat
from trainer.session.recorder import LiveRecorder, RecordingTarget
from trainer.session.telemetry import (
    ABANDONED,
    STOP_STATES,
    FootMeter,
    LoopMeter,
    SessionView,
    Tally,
    build_telemetry,
)
from trainer.session.vr import MakeInput, Vr, start_process

LoadController = Callable[[str, str, int], Controller]
WORLD = torch.tensor([0])
MAX_QUEUED = 1000
"""Commands that wait while something loads; a client that sends more is not sane."""


class Pulse:
    """Whether the client is alive."""

    def __init__(self, timeout_s: float = HEARTBEAT_TIMEOUT_S, now: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._now = now
        self._last_s: float | None = None

    def beat(self, owner_age_s: float = 0.0) -> None:
        """A heartbeat arrived of a window that was last busy this long ago."""
        self._last_s = self._now() - owner_age_s

    def expect(self) -> None:
        """A client is there: from now on heartbeats must come; one that comes back beats before anything moves."""
        if self._last_s is None:
            self._last_s = self._now()

    def age_s(self) -> float:
        """Seconds since the last one; 0 where none is expected because none ever came (headless)."""
        return 0.0 if self._last_s is None else self._now() - self._last_s

    def reason(self) -> str:
        """Why the robot must hold: '' while the client is alive."""
        return "no heartbeat" if self.age_s() > self._timeout_s else ""


class World:
    """Everything that is built for one task on one backend."""

    def __init__(self, session: "LiveSession", config: Configure, controller: Controller) -> None:
        self.task = make_task(config.task, 1)
        self.backend = make_backend(config.backend, self.task, config.robot)
        self.robot = self.backend if isinstance(self.backend, LiveBackend) else None
        preset = allowed_preset(config.backend, config.safety)
        self.description = self.backend.describe()
        self.scene: Scene = self.task.scene()
        self.usual_time_limit_s = self.task.time_limit_s
        self.tally = Tally()
        self.foot = FootMeter()
        self.recorder = LiveRecorder(self.task, session.emit)
        self.controller = controller
        self.rollout = Rollout(
            self.task,
            self.backend,
            session.make_source(config, self.task),
            SafetyFilter(safety_limits(preset)),
            controller,
            session.next_seed,
            (self.tally, self.recorder, session.vr, session.vr.latency, _EndReporter(session)),
            session.stop,
            session.pulse.reason,
            session.now,
        )

    def close(self) -> None:
        """Release the recorder's thread and the simulator's."""
        self.recorder.close()
        self.backend.close()


class _EndReporter(Observer):
    """Tells the session that an episode ended."""

    def __init__(self, session: "LiveSession") -> None:
        self._session = session

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Pass it on."""
        self._session.episode_ended(end)


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
    ) -> None:
        self._emit = emit
        self.now = now
        self.stop = StopLatch(now)
        self.vr = Vr(self.stop, now, make_input)
        self.pulse = Pulse(now=now)
        self.keyboard = KeyboardDevice(now)
        self.state: SessionState = "unconfigured"
        self.config = Configure()
        self.world: World | None = None
        self.rate = Rate(CONTROL_PERIOD_S, now, sleep)
        self.meter = LoopMeter(now)
        self._load = load
        self._sleep = sleep
        self._controllers: dict[tuple[str, str], Controller] = {}
        self._inbox: queue.Queue[ClientMessage] = queue.Queue(MAX_QUEUED)
        self.policy = PolicySeat(self.emit, now)
        self._pending: Configure | None = None
        self._next_seed = 0
        self._begun = 0
        self._ended = 0
        self._begin_asked = False
        self._stepping = False
        self._stop_told = StopLevel.NONE
        self._ending = threading.Event()
        self._robot_told: set[str] = set()

    def emit(self, event: WorkerEvent) -> None:
        """Tell the window and, with a headset, the operator's hands."""
        self._emit(event)
        if self.config.source == "vr":
            self.vr.feel.heard(event)

    # ------------------------------------------------------------------ messages

    def receive(self, message: ClientMessage) -> None:
        """Handle at once what must not wait; queue the rest for `tick`."""
        match message:
            case Stop():
                self._receive_stop(message)
            case Heartbeat(owner_age_s=age_s):
                self.pulse.beat(age_s)
                if (robot := self._robot) is not None:
                    robot.beat(age_s)
            case Keys():
                self._receive_keys(message)
            case Hello():
                self.pulse.expect()
            case Configure() | Control() | Record() | Label():
                try:
                    self._inbox.put_nowait(message)
                except queue.Full:
                    self.emit(SessionError(f"{type(message).__name__} was dropped: {MAX_QUEUED} messages wait already"))
            case _:
                assert_never(message)

    def _receive_stop(self, message: Stop) -> None:
        robot = self._robot
        match message.action:
            case "soft_stop" | "hard_stop":
                level = StopLevel.SOFT if message.action == "soft_stop" else StopLevel.HARD
                self.stop.request(level)
                if robot is not None:
                    robot.request_stop(level)  # from this thread: the loop may hang
            case "clear_stop":
                if robot is not None and (why := robot.clear_stop()):
                    self.emit(SessionError(f"the stop stays: {why}", "use the robot's remote control"))
                    return
                self.stop.clear()

    def _receive_keys(self, message: Keys) -> None:
        try:
            self.keyboard.set_down(message.down)
        except ValueError as error:
            self.emit(SessionError(str(error)))

    def _take(self, message: ClientMessage) -> None:
        match message:
            case Configure():
                self._configure(message)
            case Control():
                self._control(message)
            case Record():
                self._record(message)
            case Label(text=text):
                if self.world is not None:
                    self.world.recorder.label = text

    def _record(self, message: Record) -> None:
        if self.world is None:
            self.emit(SessionError(f"cannot {message.action} a recording: nothing is configured", "wait for loading"))
            return
        self.world.recorder.act(message.action)
        if message.action == "again":
            self._reset()
            self._start()

    # ------------------------------------------------------------------ configuration

    def _configure(self, config: Configure) -> None:
        """Build what is new; what is only changed is taken over now, or when the next episode begins."""
        built = self.world is not None and _built_from(config) == _built_from(self.config)
        if not built:
            self._build(config)
        elif self.state == "running":
            if self._foresee(config):
                self._pending = config
        else:
            self._change(config)

    def _build(self, config: Configure) -> None:
        self._enter("loading")
        self._stepping = False
        self.close_world()
        try:
            key = config.controller, config.backend
            if key not in self._controllers:
                self._controllers[key] = self._load(config.controller, config.backend, 1)
            self.world = World(self, config, self._controllers[key])
            self._await_planner(config)
        except (ValueError, OSError, ImportError) as error:
            # a missing checkpoint's message says what to do; other mistakes are in the settings
            remedy = "" if isinstance(error, CheckpointError) else "change the settings"
            self.emit(SessionError(f"cannot set up the session: {error}", remedy, traceback.format_exc()))
            self.close_world()
            self.policy.keep()
            self._enter("unconfigured")
            return
        self._adopt(config, fresh=True)
        self._begin()
        self._enter("ready")

    def _change(self, config: Configure) -> None:
        """Other settings while nothing runs: a planner is waited for."""
        state = self.state
        try:
            self._await_planner(config)
        except ValueError as error:
            self._refuse(error)
        else:
            self._adopt(config)
        self._enter(state)

    def _foresee(self, config: Configure) -> bool:
        """For the next episode: a planner is loaded meanwhile. False when it is refused."""
        assert self.world is not None
        try:
            if config.source == "policy":
                self.policy.player(config, self.world.task)
        except ValueError as error:
            self._refuse(error)
            return False
        return True

    def _await_planner(self, config: Configure) -> None:
        """Raises CheckpointError when the planner of some settings cannot be loaded."""
        assert self.world is not None
        if config.source == "policy":
            self.policy.player(config, self.world.task)
            self._enter("loading")
            self.policy.wait(config, self._ending.is_set)

    def _refuse(self, error: Exception) -> None:
        """Settings that cannot be taken over leave the old ones."""
        remedy = "" if isinstance(error, CheckpointError) else "choose another source"
        self.emit(SessionError(f"cannot change the session: {error}", remedy))
        self.emit(SettingsKept(self._pending or self.config))
        self._keep_planners()

    def _keep_planners(self) -> None:
        """End the planner processes that nothing needs any more."""
        self.policy.keep(*(config for config in (self.config, self._pending) if config is not None))

    def _adopt(self, config: Configure, fresh: bool = False) -> None:
        """Take over everything that needs no new world. A source that cannot be made leaves the old settings."""
        assert self.world is not None
        old, self._pending = self.config, None
        rollout = self.world.rollout
        if fresh or _commanding(config) != _commanding(old):
            try:
                source = self.make_source(config, self.world.task)
                limits = safety_limits(allowed_preset(config.backend, config.safety))
            except (ValueError, OSError) as error:
                self._refuse(error)
                return
            rollout.source, rollout.safety.limits = source, limits
            if bool(rollout.active[0]):
                if isinstance(source, SeededSource):
                    source.seed(WORLD, rollout.episode_seed)
                source.reset(WORLD, rollout.state)
        self.config = config
        self._keep_planners()
        limit_s = OPERATOR_TIME_LIMIT_S if config.source in OPERATED else self.world.usual_time_limit_s
        if fresh or limit_s != self.world.task.time_limit_s:
            self.world.task.time_limit_s = limit_s
            self.emit(SceneChanged(self.world.scene, config.task, limit_s))
        if fresh or config.seed != old.seed:
            self._next_seed = config.seed
        if fresh or _recording(config) != _recording(old):
            self.world.recorder.configure(self._target(config), config.auto_record, config.label)
        self.world.recorder.label = config.label

    def make_source(self, config: Configure, task: Task) -> Source:
        """The source of a config; the headset's process runs while it is the operator's."""
        if config.source != "vr":
            self.vr.close()

        def describe(start: EpisodeStart) -> TapeHeader:
            c = self.config
            return TapeHeader(
                c.task, start.seed, c.backend, c.safety, c.controller, self.vr.operator.scale, software_version()
            )

        if config.source == "policy":
            return self.policy.player(config, task)
        use_vr = lambda: self.vr.use(config.vr, describe)  # noqa: E731  # only where it is asked for
        preset = allowed_preset(config.backend, config.safety)
        return make_source(config.source, task, preset, self.keyboard, self.now, use_vr)

    def _target(self, config: Configure) -> RecordingTarget | None:
        if config.dataset is None or self.world is None:
            return None
        spec = dataset_spec(self.world.task, self.world.description, software_version())
        return RecordingTarget(Path(config.dataset), spec, config.source, config.operator)

    # ------------------------------------------------------------------ episodes

    def next_seed(self) -> int | None:
        """Seed of the episode that begins now, None when none shall begin by itself."""
        if self._pending is not None:
            self._adopt_pending(self._pending)
        if not self._begin_asked and (not self.config.auto_next or self._robot is not None):
            return None  # people put a robot and its objects back, then press Start
        if self.config.episodes and self._begun >= self.config.episodes:
            return None
        self._begun += 1
        seed, self._next_seed = self._next_seed, self._next_seed + 1
        return seed

    def _adopt_pending(self, config: Configure) -> None:
        """What was changed during the episode; a planner that is still being loaded is not waited for."""
        self._pending = None
        failure = self.policy.failure(config)
        if failure:
            self._refuse(CheckpointError(failure))
        else:
            self._adopt(config)

    def _begin(self) -> None:
        assert self.world is not None
        self._begin_asked = True
        self.world.rollout.begin(WORLD)
        self._begin_asked = False

    @property
    def finished(self) -> bool:
        """Whether all the episodes that were asked for have been run."""
        return bool(self.config.episodes) and self._ended >= self.config.episodes

    def episode_ended(self, end: EpisodeEnd) -> None:
        """An episode of the rollout ended."""
        assert self.world is not None
        self._ended += end.reason not in ABANDONED
        recorded = self.world.recorder.auto and end.reason not in ABANDONED and self.config.dataset is not None
        self.emit(EpisodeFinished(end.index, end.seed, end.success, end.reason, end.duration_s, recorded=recorded))

    # ------------------------------------------------------------------ control

    def _control(self, message: Control) -> None:
        if message.action == "quit":
            self._ending.set()
            return
        if self.world is None:
            self.emit(SessionError(f"cannot {message.action}: nothing is configured", "send the settings first"))
            return
        match message.action:
            case "start":
                self._start()
            case "resume":
                if self.state == "paused":
                    self._run()
            case "pause":
                if self.state == "running":
                    self._stepping = False
                    self._give_back()
                    self._enter("paused")
            case "reset":
                self._reset()
            case _:
                assert_never(message.action)

    def _start(self) -> None:
        assert self.world is not None
        if self.stop.level != StopLevel.NONE:
            self.emit(SessionError("cannot start: a stop is latched", "clear the stop first"))
            return
        if self.state == "running":
            return
        if not bool(self.world.rollout.active[0]):
            self._begin()
        if not bool(self.world.rollout.active[0]):
            self.emit(LogLine(f"all {self.config.episodes} episodes have been run"))
            return
        self._run()

    def _run(self) -> None:
        if not self._take_over():
            return
        self._stepping = True
        self.rate.restart()
        self.meter.restart()
        self._enter("running")

    def _reset(self) -> None:
        assert self.world is not None
        self._stepping = False
        self._give_back()
        self.keyboard.release_all()
        if bool(self.world.rollout.active[0]):
            self.world.rollout.end(WORLD, "reset")
            self._begun -= 1  # an abandoned episode does not count
        self._begin()
        self._enter("ready")

    @property
    def _robot(self) -> LiveBackend | None:
        return self.world.robot if self.world is not None else None

    def _take_over(self) -> bool:
        """A real robot is engaged before the loop runs; takes seconds, during which stops work."""
        robot = self._robot
        if robot is None or robot.engaged:
            return True
        self.emit(LogLine("taking the robot over: it stands up"))
        try:
            robot.engage()
        except RuntimeError as error:
            self.emit(SessionError(str(error), "mend that, then Start again"))
            return False
        assert self.world is not None
        self.world.rollout.begin_here()
        self.emit(LogLine("the robot follows"))
        return True

    def _give_back(self) -> None:
        """A real robot cannot be frozen: its firmware gets it back."""
        if (robot := self._robot) is not None and robot.engaged:
            robot.disengage()
            self.emit(LogLine("the robot's firmware has the robot again"))

    def _watch_robot_at_rest(self) -> None:
        """Nothing runs, but the robot's guards may have something to say, or its processes may be gone."""
        if (robot := self._robot) is None:
            return
        try:
            robot.refresh()
        except RuntimeError as error:
            self.emit(SessionError(f"the robot is lost: {error}", "use the remote; then choose the backend again"))
            self.close_world()
            self._enter("unconfigured")
            return
        self._look_at_robot()

    def _look_at_robot(self) -> None:
        """Tell what the robot's guards decided, and how a hard stop went."""
        robot, world = self._robot, self.world
        if robot is None or world is None:
            return
        trouble = robot.trouble()
        if trouble is not None and trouble.words not in self._robot_told:
            self._robot_told.add(trouble.words)
            self.stop.request(trouble.level)
            self.emit(LogLine(f"robot: {trouble.words}", "warning"))
            if "NOT CONFIRMED" in trouble.words:
                self.emit(SessionError(trouble.words, "use the robot's remote control now"))
        if trouble is None:
            self._robot_told.clear()
        elif trouble.lost and self._stepping and trouble.level != StopLevel.HARD:
            self._stepping = False
            world.rollout.end(WORLD, "robot lost")
            self.emit(SessionError(trouble.words, "clear the stop, then Start takes the robot over again"))
            self._enter("ready")

    def _enter(self, state: SessionState) -> None:
        if state != self.state:
            self.state = state
            self.emit(StateChanged(state))

    # ------------------------------------------------------------------ the loop

    @property
    def ended(self) -> bool:
        """Whether quit was received."""
        return self._ending.is_set()

    def tick(self) -> None:
        """Handle what was sent, then one control period (paced in real time), or a short wait where nothing runs."""
        self._drain()
        self._obey_operator()
        if not self._stepping or self.world is None:
            self._confirm_stop_at_rest()
            self._watch_robot_at_rest()
            self._wait_for_message()
            return
        try:
            self.world.rollout.step()
        except Exception as error:  # the border: whatever broke, the robot must not go on
            self._fail(error)
            return
        self._after_step(self.world)
        self._look_at_robot()
        if self.config.realtime and self._robot is None:
            self.rate.wait()

    def _obey_operator(self) -> None:
        """What the buttons of the controllers ask for."""
        if self.config.source != "vr" or self.world is None:
            return
        for action in self.vr.requests():
            self._obey(action, self.world.recorder)

    def _obey(self, action: Action, recorder: LiveRecorder) -> None:
        undecided = not recorder.auto and recorder.state in ("recording", "finished")
        match action:
            case "record":
                recorder.act("keep" if recorder.state in ("recording", "finished") else "start")
            case "discard" | "undo":
                recorder.act(action)
            case "again":
                self._record(Record("again"))
            case "next" if undecided:
                self.emit(SessionError("the recording is not decided", "keep it (A) or discard it (B) first"))
            case "next":
                self._reset()
                self._start()
            case "start_or_pause":
                self._control(Control({"running": "pause", "paused": "resume"}.get(self.state, "start")))  # type: ignore[arg-type]
            case "clear_soft_stop":
                if self.stop.level == StopLevel.SOFT:  # a hard one is cleared where the robot is seen: in the window
                    self.stop.clear()
            case "home" | "calibrate" | "soft_stop" | "hard_stop":
                pass  # done by the operator's device, which does not wait for the loop
            case _:
                assert_never(action)

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

    def _after_step(self, world: World) -> None:
        rollout = world.rollout
        self.meter.tick(rollout)
        if self.config.source == "vr":
            self.vr.after_step(rollout)
        world.foot.tick(getattr(world.controller, "footsteps", None), rollout.state)
        if rollout.stop_obeyed != self._stop_told:
            self._tell_stop(rollout.stop_obeyed, rollout.stop_obeyed_s)
            if rollout.stop_obeyed == StopLevel.HARD:
                rollout.end(WORLD, "hard stop")
        if not bool(rollout.active[0]) and self.state == "running" and self.stop.level == StopLevel.NONE:
            self._enter("ready")  # standing, hands held

    def _tell_stop(self, level: StopLevel, obeyed_s: float) -> None:
        was, self._stop_told = self._stop_told, level
        self.emit(StopChanged(STOP_STATES[level], 1e3 * (obeyed_s - self.stop.since_s)))
        if was == StopLevel.HARD and level == StopLevel.NONE:
            self._stepping = False  # the robot lies on the floor: it gets up by a reset, not by its controllers
            self._reset()

    def _confirm_stop_at_rest(self) -> None:
        """Nothing moves: a stop holds from the moment it is latched."""
        level = self.stop.level
        if level != self._stop_told:
            if self.world is not None:
                self.world.rollout.stop_obeyed = level
            self._tell_stop(level, self.now())

    def _fail(self, error: Exception) -> None:
        self._stepping = False
        self.stop.request(StopLevel.HARD)
        self.emit(
            SessionError(
                f"the loop broke: {error}", "clear the stop; report this with the details", traceback.format_exc()
            )
        )
        self._enter("ready")

    # ------------------------------------------------------------------ views

    def telemetry(self) -> Telemetry | None:
        """The state now, None before anything is configured."""
        world = self.world
        if world is None:
            return None
        view = SessionView(self.state, world.recorder.state, world.recorder.samples, world.recorder.thread.episodes)
        steps = getattr(world.controller, "footsteps", None)
        loop = self.meter.stats(world.robot.rate if world.robot is not None else self.rate)
        vr = self.vr.view(world.rollout, loop) if self.config.source == "vr" else None
        return build_telemetry(world.rollout, world.scene, world.tally, world.foot, steps, loop, view, vr)

    def close_world(self) -> None:
        """Release what was built. A recording that is open is recovered by the next writer of its data set."""
        world, self.world = self.world, None
        if world is not None:
            world.close()

    def close(self) -> None:
        """End the session. Safe to call twice."""
        self._stepping = False
        self.vr.close()
        self.close_world()
        self.policy.keep()
        self._enter("ended")


def _built_from(config: Configure) -> tuple[str, ...]:
    return config.task, config.backend, config.controller, config.robot


def _commanding(config: Configure) -> tuple[object, ...]:
    """Settings that need another source."""
    policy = (config.checkpoint, config.runtime, config.hold_after, config.realtime)
    return (config.source, config.safety, config.vr, *(policy if config.source == "policy" else ()))


def _recording(config: Configure) -> tuple[object, ...]:
    return config.dataset, config.auto_record, config.operator, config.source
