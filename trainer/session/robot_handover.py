"""A real robot in a session: when it is taken over and given back, and what its guards say meanwhile."""

from core.control.stop import StopLevel
from trainer.session.context import SessionContext
from trainer.session.episodes import WORLD
from trainer.session.messages import LogLine, SessionError


class RobotHandover:
    """Does nothing where the world is simulated."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._told: set[str] = set()

    def take_over(self) -> bool:
        """A real robot is engaged before the loop runs; takes seconds, during which stops work. False: refused."""
        context = self._context
        robot, world = context.robot, context.world
        if robot is None or robot.engaged:
            return True
        assert world is not None
        context.emit(LogLine("taking the robot over: it stands up"))
        try:
            robot.engage()
        except RuntimeError as error:
            context.emit(SessionError(str(error), "mend that, then Start again"))
            return False
        world.rollout.begin_here()
        context.emit(LogLine("the robot follows"))
        return True

    def give_back(self) -> None:
        """A real robot cannot be frozen: its firmware gets it back."""
        if (robot := self._context.robot) is not None and robot.engaged:
            robot.disengage()
            self._context.emit(LogLine("the robot's firmware has the robot again"))

    def watch_at_rest(self) -> None:
        """Nothing runs, but the robot's guards may have something to say, or its processes may be gone."""
        if (robot := self._context.robot) is None:
            return
        try:
            robot.refresh()
        except RuntimeError as error:
            self._context.emit(
                SessionError(f"the robot is lost: {error}", "use the remote; then choose the backend again")
            )
            self._context.close_world()
            self._context.enter("unconfigured")
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
