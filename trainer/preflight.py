"""The pre-flight check without a window: in the session that runs, or in one made for the look."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from core.checks import Line
from core.robot.agent.config import AgentConfig
from core.robot.client import AgentError, AgentGoneError, SessionFile, running_sessions
from core.robot.guard import RobotGuard
from core.robot.launch import RobotProcesses
from core.robot.preflight import motion_capture
from trainer.jobs.preflight import CONNECT_S, Config
from trainer.runs import software_version
from trainer.session.ladder import view_of
from trainer.session.messages import Configure, PreflightChanged
from trainer.session.parts import robot_address

MOCAP_S = 2.0
"""So much of the stream is looked at."""


def look(config: Config, tell: Callable[[str], None]) -> PreflightChanged:
    """Confirm and test what the options say, then look."""
    try:
        with _guard(config, tell) as guard:
            return _work(config, guard, tell)
    except (AgentError, AgentGoneError, TimeoutError, RuntimeError) as error:
        return PreflightChanged((Line("bad", "network", str(error), "mend this first; the rest follows"),))


@contextmanager
def _guard(config: Config, tell: Callable[[str], None]) -> Iterator[RobotGuard]:
    mode = "upper_body" if config.backend == "t1" else "custom"
    if config.attach:
        guard = RobotGuard(_only_session().connect(), mode)
        try:
            yield guard
        finally:
            guard.close()
        return
    interface, domain = robot_address(config.robot)
    tell(f"connecting on {interface}, domain {domain}")
    agent = AgentConfig(
        domain=domain, interface=interface, hang=config.hang, ladder="every" if config.practise else "real",
        software=software_version(),
    )  # fmt: skip
    processes = RobotProcesses(agent)
    try:
        processes.wait_for("connected", timeout_s=CONNECT_S)
        guard = RobotGuard(processes.new_client(), mode, config.hang != "shadow")
        _declare(config, guard)
        yield guard
        guard.close()
    finally:
        processes.close()


def _only_session() -> SessionFile:
    running = running_sessions()
    if len(running) != 1:
        pids = ", ".join(str(session.pid) for session in running) or "none"
        raise RuntimeError(f"--attach needs exactly one robot session of this user; running agents: {pids}")
    return running[0]


def _declare(config: Config, guard: RobotGuard) -> None:
    from core.tasks.catalogue import make_task
    from trainer.session.subject import subject_of

    checkpoint = str(config.checkpoint) if config.checkpoint else None
    settings = Configure(
        task=config.task, source=config.source, backend=config.backend, checkpoint=checkpoint
    )  # fmt: skip
    guard.declare(subject_of(settings, make_task(config.task, 1)))


def _work(config: Config, guard: RobotGuard, tell: Callable[[str], None]) -> PreflightChanged:
    failed: list[Line] = []
    for what, name in (("gantry", config.gantry), ("remote", config.remote)):
        if name:
            guard.confirm(what, name)
    if config.stop_test:
        try:
            guard.stop_test(tell)
        except AgentError as error:
            failed.append(Line("bad", "stop test", str(error), "mend that, then test again"))
    found = guard.look(patient=True)
    return view_of(replace(found, lines=(*found.lines, *failed, _mocap_line(config))))


def _mocap_line(config: Config) -> Line:
    """Of the trunk and the objects of the task."""
    if not config.mocap:
        return motion_capture(None)
    from core.mocap.check import check_mocap, open_mocap
    from core.mocap.settings import TRUNK
    from core.tasks.catalogue import make_task

    bodies = (TRUNK, *(item.name for item in make_task(config.task, 1).scene().free_objects))
    try:
        receiver = open_mocap(config.mocap, bodies)
    except ConnectionError as error:
        return Line("bad", "motion capture", str(error), "refine-dp mocap says more")
    try:
        time.sleep(MOCAP_S)
        return motion_capture(lambda: check_mocap(receiver, bodies))
    finally:
        receiver.close()
