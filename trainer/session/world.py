"""Everything that is built for one task on one backend."""

from collections.abc import Callable, Sequence

from core.backends.base import Backend, LiveBackend
from core.control.safety import SafetyFilter, SafetyLimits
from core.control.stop import StopLatch
from core.planners.base import Source
from core.robot.ladder_evidence import Subject
from core.robot.ladder_store import LadderStore
from core.rollout import Controller, EpisodeEnd, Observer, Rollout
from core.tasks.base import Task
from core.tasks.scene import Scene
from trainer.session.evidence import GuardedRobot, RobotEvidence, SimulationEvidence
from trainer.session.messages import WorkerEvent
from trainer.session.recorder import LiveRecorder
from trainer.session.safety_notes import SafetyNotes
from trainer.session.telemetry import FootMeter, Tally

ROBOT_TIME_FACTOR = 4.0
"""A robot may walk at half of simulation's speed and move its hands at a seventh (B112, B113)."""


class World:
    """The robot in its scene, the loop that steps it, and who looks on."""

    def __init__(
        self,
        task: Task,
        backend: Backend,
        source: Source,
        limits: SafetyLimits,
        controller: Controller,
        emit: Callable[[WorkerEvent], None],
        next_seed: Callable[[], int | None],
        episode_ended: Callable[[EpisodeEnd], None],
        observers: Sequence[Observer],
        stop: StopLatch,
        hold: Callable[[], str],
        now: Callable[[], float],
        subject: Callable[[], Subject] | None = None,
    ) -> None:
        """subject: what drives a simulation whose episodes count for the ladder, None where they do not."""
        self.task = task
        self.backend = backend
        self.robot = backend if isinstance(backend, LiveBackend) else None
        self.description = backend.describe()
        self.scene: Scene = task.scene()
        self.usual_time_limit_s = task.time_limit_s * (1.0 if self.robot is None else ROBOT_TIME_FACTOR)
        self.tally = Tally()
        self.foot = FootMeter()
        self.recorder = LiveRecorder(task, emit)
        self.notes = SafetyNotes(self.robot.status().log if self.robot is not None else "")
        self.controller = controller
        self.simulated_evidence: SimulationEvidence | None = None
        self._measures: tuple[Observer, ...] = ()
        if isinstance(self.robot, GuardedRobot):
            self._measures = (RobotEvidence(self.robot, follows=self.robot.guard.follows),)
        elif subject is not None:
            self.simulated_evidence = SimulationEvidence(subject, LadderStore())
            self._measures = (self.simulated_evidence,)
        watching = (self.tally, self.recorder, self.notes, *self._measures, *observers, _EndReporter(episode_ended))
        self.rollout = Rollout(
            task, backend, source, SafetyFilter(limits), controller, next_seed, watching, stop, hold, now
        )

    def close(self) -> None:
        """Release the threads of recorder and log, and the simulator's."""
        self.recorder.close()
        self.notes.close()
        if self.simulated_evidence is not None:
            self.simulated_evidence.close()
        self.backend.close()


class _EndReporter(Observer):
    """Tells that an episode ended."""

    def __init__(self, tell: Callable[[EpisodeEnd], None]) -> None:
        self._tell = tell

    def episode_ended(self, end: EpisodeEnd) -> None:
        """Pass it on."""
        self._tell(end)
