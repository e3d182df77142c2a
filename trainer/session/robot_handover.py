"""A real robot in a session: when it is taken over and given back, and what its guards say meanwhile."""

from collections.abc import Callable

from core.backends.base import LiveBackend
from core.control.stop import StopLevel
from trainer.session.context import SessionContext
from trainer.session.episodes import WORLD
from trainer.session.errand import Errand
from trainer.session.ladder import Ladder
from trainer.session.messages import LogLine, SessionError


class TakeOver(Errand):
    """A robot stands up and is taken over."""

    def __init__(self, robot: LiveBackend, then: Callable[[], None]) -> None:
        """then: what the loop does once the robot follows."""
        self.then = then
        self.robot = robot
        self.unwanted = False
        "nobody wants the robot any more: it is given back when it follows"
        super().__init__("take-over", robot.take_over)


class RobotHandover:
    """Does nothing where the world is simulated."""

    def __init__(self, context: SessionContext, ladder: Ladder) -> None:
        self._context = context
        self._ladder = ladder
        self._told: set[str] = set()
        self._take_over: TakeOver | None = None

    def take_over(self, then: Callable[[], None]) -> None:
        """Go on with `then`: at once, or as soon as a real robot follows."""
        context = self._context
        robot = context.robot
        if robot is None:
            then()
            return
        if why := self._may_drive(robot):
            self._refused(why)
            return
        if robot.engaged:
            then()
            return
        if self._take_over is None:
            context.emit(LogLine("taking the robot over"))
            self._take_over = TakeOver(robot, then)
        self._take_over.unwanted = False
        context.enter("engaging")

    def give_back(self) -> None:
        """A real robot cannot be frozen: its firmware gets it back."""
        if self._take_over is not None:
            self._take_over.unwanted = True
        if (robot := self._context.robot) is not None and robot.engaged:
            robot.disengage()
            self._note("given_back")
            self._context.emit(LogLine("the robot's firmware has the robot again"))

    def watch_at_rest(self) -> None:
        """Nothing runs, but the robot's guards may have something to say, or its processes may be gone."""
        robot = self._context.robot
        if self._take_over is not None and self._take_over.robot is not robot:
            self._take_over = None  # that robot was closed with its world
        if robot is None:
            return
        try:
            if self._take_over is None:
                robot.refresh()
            else:
                self._follow(self._take_over, robot)
        except RuntimeError as error:
            self._lose(error)
            return
        self.watch()

    def watch(self) -> None:
        """Tell what the robot's guards decided, and how a hard stop went."""
        context = self._context
        robot, world = context.robot, context.world
        if robot is None or world is None:
            return
        trouble = robot.trouble()
        if trouble is not None and trouble.words not in self._told:
            self._told.add(trouble.words)
            context.stop.request(trouble.level)
            context.emit(LogLine(f"robot: {trouble.words}", "warning"))
            if "NOT CONFIRMED" in trouble.words:
                context.emit(SessionError(trouble.words, "use the robot's remote control now"))
        if trouble is None:
            self._told.clear()
        elif trouble.lost and context.stepping and trouble.level != StopLevel.HARD:
            context.stepping = False
            world.rollout.end(WORLD, "robot lost")
            context.emit(SessionError(trouble.words, "clear the stop, then Start takes the robot over again"))
            context.enter("ready")

    # ------------------------------------------------------------------ details

    def _may_drive(self, robot: LiveBackend) -> str:
        """Why not, '' when it may: what drives is told to the robot's guards, which judge everything else.

        A robot that something else drives already is given back first: the ladder is another one.
        """
        why = self._ladder.declare()
        if why and robot.engaged:
            self._context.stepping = False  # the loop held the robot still; from here on it is not ours
            self.give_back()
            why = self._ladder.declare()
        return why or self._ladder.refusal()

    def _follow(self, take_over: TakeOver, robot: LiveBackend) -> None:
        """Tell the steps; at the end the robot is ours, or it refused."""
        while take_over.steps:
            self._context.emit(LogLine(f"robot: {take_over.steps.popleft()}"))
        if not take_over.done:
            robot.refresh()
            return
        self._take_over = None
        if self._context.state == "engaging":
            self._context.enter("ready")
        if take_over.failure:
            self._refused(take_over.failure)
            return
        try:
            robot.engage()
        except RuntimeError as error:
            self._refused(str(error))
            return
        if take_over.unwanted:
            self.give_back()
            return
        assert self._context.world is not None
        self._context.world.rollout.begin_here()
        self._note("taken_over")
        self._context.emit(LogLine("the robot follows"))
        take_over.then()

    def _refused(self, why: str) -> None:
        self._note("refused", reason=why)
        self._context.emit(SessionError(why, "mend that, then Start again"))

    def _lose(self, error: RuntimeError) -> None:
        context = self._context
        self._take_over = None
        self._note("error", reason=f"the robot is lost: {error}")
        context.emit(SessionError(f"the robot is lost: {error}", "use the remote; then choose the backend again"))
        context.close_world()
        context.enter("unconfigured")

    def _note(self, event: str, **details: str) -> None:
        if (world := self._context.world) is not None:
            world.notes.note(event, **details)
