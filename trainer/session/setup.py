"""Settings of a session: builds what is new, takes over what only changed, at once or with the next episode."""

import traceback
from collections.abc import Callable
from pathlib import Path

from core.planners.base import Source
from core.recording import dataset_spec
from core.rl.header import CheckpointError
from core.robot.ladder_evidence import Subject
from core.rollout import Controller, EpisodeStart, SeededSource
from core.tasks.base import Task
from core.tasks.catalogue import make_task
from core.teleop.xr_tape import TapeHeader
from trainer.runs import software_version
from trainer.session import parts
from trainer.session.changes import needs_another_recording, needs_another_source, needs_another_world
from trainer.session.context import SessionContext
from trainer.session.episodes import WORLD, Episodes
from trainer.session.ladder import Ladder
from trainer.session.messages import Configure, SceneChanged, SessionError, SettingsKept
from trainer.session.policy import PolicySeat
from trainer.session.recorder import RecordingTarget
from trainer.session.subject import subject_of
from trainer.session.world import World

LoadController = Callable[[str, str, int], Controller]


class Setup:
    """Everything that settings build is built here."""

    def __init__(
        self, context: SessionContext, episodes: Episodes, policy: PolicySeat, load: LoadController, ladder: Ladder
    ) -> None:
        self._context = context
        self._ladder = ladder
        self._episodes = episodes
        self._policy = policy
        self._load = load
        self._controllers: dict[tuple[str, str], Controller] = {}
        self._pending: Configure | None = None

    def configure(self, config: Configure) -> None:
        """Build what is new; what is only changed is taken over now, or when the next episode begins."""
        context = self._context
        if context.world is None or needs_another_world(context.config, config):
            self._build(config)
        elif context.state == "running":
            if self._foresee(config):
                self._pending = config
        else:
            self._change(config)

    def close(self) -> None:
        """Release everything."""
        self._context.vr.close()
        self._context.close_world()
        self._policy.keep()

    # ------------------------------------------------------------------ building

    def _build(self, config: Configure) -> None:
        context = self._context
        context.enter("loading")
        context.stepping = False
        context.close_world()
        try:
            context.world = self._make_world(config)
            self._await_planner(config)
        except (ValueError, OSError, ImportError) as error:
            # a missing checkpoint's message says what to do; other mistakes are in the settings
            remedy = "" if isinstance(error, CheckpointError) else "change the settings"
            context.emit(SessionError(f"cannot set up the session: {error}", remedy, traceback.format_exc()))
            if config.backend in parts.ROBOTS:
                self._ladder.failed(error)  # the page of the check says it too
            context.close_world()
            self._policy.keep()
            context.enter("unconfigured")
            return
        self._adopt(config, fresh=True)
        self._episodes.begin()
        context.enter("ready")

    def _make_world(self, config: Configure) -> World:
        context = self._context
        key = config.controller, config.backend
        if key not in self._controllers:
            self._controllers[key] = self._load(config.controller, config.backend, 1)
        task = make_task(config.task, 1)
        # the backend last: nothing after it refuses, so that no simulator and no robot is left behind
        limits = parts.limits_of(config)
        source = self._make_source(config, task)
        return World(
            task,
            parts.make_backend(config.backend, task, parts.RobotSettings.of(config)),
            source,
            limits,
            self._controllers[key],
            context.emit,
            self._next_seed,
            self._episodes.ended,
            (context.vr, context.vr.latency),
            context.stop,
            context.heartbeat.reason,
            context.now,
            (lambda: self._subject(task)) if config.backend == "mujoco" else None,
        )

    def _subject(self, task: Task) -> Subject:
        """What drives now, for the evidence of the simulation; nothing that is known when its files are gone."""
        try:
            return subject_of(self._context.config, task)
        except (ValueError, OSError):
            return Subject()

    def _make_source(self, config: Configure, task: Task) -> Source:
        """The source of a config; the headset's process runs while it is the operator's."""
        if config.source != "vr":
            self._context.vr.close()
        if config.source == "policy":
            return self._policy.player(config, task)
        use_vr = lambda: self._context.vr.use(config.vr, self._describe)  # noqa: E731  # only where it is asked for
        preset = parts.allowed_preset(config.backend, config.safety)
        return parts.make_source(
            config.source, task, preset, self._context.keyboard, self._context.now, use_vr, parts.limits_of(config)
        )  # fmt: skip

    def _describe(self, start: EpisodeStart) -> TapeHeader:
        """For the file of an operator's raw samples."""
        config, scale = self._context.config, self._context.vr.operator.scale
        return TapeHeader(
            config.task, start.seed, config.backend, config.safety, config.controller, scale, software_version()
        )

    # ------------------------------------------------------------------ changing

    def _change(self, config: Configure) -> None:
        """Other settings while nothing runs: a planner is waited for."""
        state = self._context.state
        try:
            self._await_planner(config)
        except ValueError as error:
            self._refuse(error)
        else:
            self._adopt(config)
        self._context.enter(state)

    def _foresee(self, config: Configure) -> bool:
        """For the next episode: a planner is loaded meanwhile. False when it is refused."""
        assert self._context.world is not None
        try:
            if config.source == "policy":
                self._policy.player(config, self._context.world.task)
        except ValueError as error:
            self._refuse(error)
            return False
        return True

    def _await_planner(self, config: Configure) -> None:
        """Raises CheckpointError when the planner of some settings cannot be loaded."""
        assert self._context.world is not None
        if config.source == "policy":
            self._policy.player(config, self._context.world.task)
            self._context.enter("loading")
            self._policy.wait(config, self._context.ending.is_set)

    def _refuse(self, error: Exception) -> None:
        """Settings that cannot be taken over leave the old ones."""
        remedy = "" if isinstance(error, CheckpointError) else "choose another source"
        self._context.emit(SessionError(f"cannot change the session: {error}", remedy))
        self._context.emit(SettingsKept(self._pending or self._context.config))
        self._keep_planners()

    def _keep_planners(self) -> None:
        """End the planner processes that nothing needs any more."""
        needed = (self._context.config, self._pending)
        self._policy.keep(*(config for config in needed if config is not None))

    def _next_seed(self) -> int | None:
        """The episode that begins now is the first with what was changed during the last."""
        if self._pending is not None:
            self._adopt_pending(self._pending)
        return self._episodes.next_seed()

    def _adopt_pending(self, config: Configure) -> None:
        """What was changed during the episode; a planner that is still being loaded is not waited for."""
        self._pending = None
        failure = self._policy.failure(config)
        if failure:
            self._refuse(CheckpointError(failure))
        else:
            self._adopt(config)

    def _adopt(self, config: Configure, fresh: bool = False) -> None:
        """Take over everything that needs no new world. A source that cannot be made leaves the old settings."""
        context, world = self._context, self._context.world
        assert world is not None
        old, self._pending = context.config, None
        if fresh or needs_another_source(old, config):
            try:
                self._replace_source(config, world)
            except (ValueError, OSError) as error:
                self._refuse(error)
                return
        context.config = config
        self._note(config, world)
        self._keep_planners()
        limit_s = parts.OPERATOR_TIME_LIMIT_S if config.source in parts.OPERATED else world.usual_time_limit_s
        if fresh or limit_s != world.task.time_limit_s:
            world.task.time_limit_s = limit_s
            context.emit(SceneChanged(world.scene, config.task, limit_s))
        if fresh or config.seed != old.seed:
            self._episodes.seed = config.seed
        if fresh or needs_another_recording(old, config):
            world.recorder.configure(_target(config, world), config.auto_record, config.label)
        world.recorder.label = config.label

    def _note(self, config: Configure, world: World) -> None:
        """Who commands, within which limits: what a safety log begins with, and every change of it."""
        world.notes.began(
            task=config.task, source=config.source, backend=config.backend, checkpoint=config.checkpoint or "",
            operator=config.operator, controller=config.controller, stop_key=config.stop_key,
            soft_stop_key=config.soft_stop_key, software=software_version(), hang=config.hang,
        )  # fmt: skip
        preset = parts.allowed_preset(config.backend, config.safety)
        world.notes.limits_in_force(world.rollout.safety.limits, preset)

    def _replace_source(self, config: Configure, world: World) -> None:
        """Somebody else commands, in the middle of an episode too. Raises ValueError, OSError."""
        source = self._make_source(config, world.task)
        limits = parts.limits_of(config)
        rollout = world.rollout
        rollout.source, rollout.safety.limits = source, limits
        if bool(rollout.active[0]):
            if isinstance(source, SeededSource):
                source.seed(WORLD, rollout.episode_seed)
            source.reset(WORLD, rollout.state)


def _target(config: Configure, world: World) -> RecordingTarget | None:
    """Where episodes of these settings are recorded, None for nowhere."""
    if config.dataset is None:
        return None
    spec = dataset_spec(world.task, world.description, software_version())
    return RecordingTarget(Path(config.dataset), spec, config.source, config.operator)
