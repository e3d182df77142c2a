"""Ladder and pre-flight check in a session: says who drives, shows the lines, confirms, tests the stop."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from core.checks import Line
from core.robot.guard import Preflight, RobotGuard
from core.robot.preflight import MocapCheck, motion_capture
from trainer.session.context import SessionContext
from trainer.session.errand import Errand
from trainer.session.evidence import GuardedRobot
from trainer.session.messages import LogLine, PreflightAsked, PreflightChanged, RungView, SessionError
from trainer.session.subject import subject_of

LOOK_PERIOD_S = 1.0
NO_ROBOT = Line("caution", "robot", "the backend is a simulator: there is nothing to check", "choose a Booster T1")


class Ladder:
    """Does nothing where the world is simulated."""

    def __init__(self, context: SessionContext) -> None:
        self._context = context
        self._told: PreflightChanged | None = None
        self._due_s = float("-inf")
        self._test: Errand | None = None

    @property
    def _guard(self) -> RobotGuard | None:
        robot = self._context.robot
        return robot.guard if isinstance(robot, GuardedRobot) else None

    @property
    def _mocap(self) -> Callable[[], MocapCheck] | None:
        """Looks at motion capture, None where none is configured."""
        robot = self._context.robot
        return robot.mocap_check if isinstance(robot, GuardedRobot) else None

    @property
    def testing(self) -> bool:
        """Whether the hard stop is being tested."""
        return self._test is not None

    def declare(self) -> str:
        """Tell the agent what will drive: evidence is filed under it. Why that is not possible, '' when it is."""
        context, guard = self._context, self._guard
        if guard is None or context.world is None:
            return ""
        try:
            guard.declare(subject_of(context.config, context.world.task))
        except (RuntimeError, ValueError, OSError) as error:
            return str(error)
        return ""

    def refusal(self) -> str:
        """Why the robot may not be taken over as far as this session sees it; the agent judges the rest."""
        if self._mocap is None:
            return ""
        line = motion_capture(self._mocap)
        return f"{line.what}: {line.says} ({line.remedy})" if line.level == "bad" else ""

    def forget(self) -> None:
        """Settings came: whoever sent them wants to hear about these, even if nothing else is found."""
        self._told, self._due_s = None, float("-inf")

    def act(self, message: PreflightAsked) -> None:
        """What a person wants of the check."""
        guard = self._guard
        if guard is None:
            self._tell(PreflightChanged((NO_ROBOT,)))
            return
        try:
            match message.action:
                case "look":
                    pass
                case "gantry" | "remote" as what:
                    guard.confirm(what, message.by)
                case "stop_test":
                    self._begin_test(guard)
                case _:
                    assert_never(message.action)
        except RuntimeError as error:
            self._context.emit(SessionError(str(error), "mend that, then try again"))
        self.look()

    def watch(self) -> None:
        """Nothing drives: look about once a second, and follow a stop test."""
        if self._test is not None:
            self._follow(self._test)
        elif self._guard is not None and self._context.state != "engaging" and self._context.now() >= self._due_s:
            self.look()

    def look(self) -> None:
        """Tell what the check says now, if that is something else than before."""
        guard = self._guard
        if guard is None or self._test is not None:
            return
        self._due_s = self._context.now() + LOOK_PERIOD_S
        why = self.declare()
        try:
            found = guard.look()
        except RuntimeError as error:
            found = Preflight((Line("bad", "network", str(error), "choose the backend again"),))
        if why:
            found = replace(found, lines=(*found.lines, Line("bad", "controllers", why, "choose another source")))
        self._tell(view_of(replace(found, lines=(*found.lines, motion_capture(self._mocap)))))

    def failed(self, error: Exception) -> None:
        """The robot could not be reached at all."""
        self._tell(PreflightChanged((Line("bad", "network", str(error), "then choose the backend again"),)))

    # ------------------------------------------------------------------ details

    def _begin_test(self, guard: RobotGuard) -> None:
        if self._test is None:
            self._context.emit(LogLine("testing the hard stop"))
            self._test = Errand("stop-test", guard.stop_test)

    def _follow(self, test: Errand) -> None:
        while test.steps:
            self._context.emit(LogLine(f"robot: {test.steps.popleft()}"))
        if not test.done:
            return
        self._test = None
        if test.failure:
            self._context.emit(SessionError(f"the stop was not tested: {test.failure}", "mend that, then test again"))
        self.look()

    def _tell(self, found: PreflightChanged) -> None:
        if found != self._told:
            self._told = found
            self._context.emit(found)


def view_of(found: Preflight) -> PreflightChanged:
    """As a message."""
    rungs = tuple(RungView(s.rung.title, s.open, s.says, s.remedy, s.expires_s) for s in found.rungs)
    return PreflightChanged(found.lines, rungs, found.robot, found.subject, found.enforced)
