"""The source *policy* of a live session: checks the checkpoint, keeps its planner process, makes the player."""

import time
from collections.abc import Callable
from pathlib import Path

from core.policy.checkpoint import planner_layout
from core.policy.layout import LayoutError, PlannerLayout
from core.policy.live import LivePlayer
from core.policy.live_config import LiveConfig
from core.rl.header import CheckpointError
from core.tasks.base import Task
from trainer.planner_files import PLANNER_FILE, planner_path
from trainer.session.messages import Configure, WorkerEvent
from trainer.session.parts import ROBOTS
from trainer.session.planner_link import PlannerProcess

EXPORTED_FILE = "planner.onnx"
LOAD_TIMEOUT_S = 120.0
FAST_WAIT_S = 10.0
"""Where the simulation runs faster than the clock it waits for its planner, for so long at most."""

MakeLink = Callable[..., PlannerProcess]
Key = tuple[str, str, str]


class PolicySeat:
    """Planner processes by checkpoint, runtime and task: of the source that commands, and of one that will next."""

    def __init__(
        self,
        tell: Callable[[WorkerEvent], None],
        now: Callable[[], float] = time.monotonic,
        make_link: MakeLink = PlannerProcess,
    ) -> None:
        self._tell = tell
        self._now = now
        self._make_link = make_link
        self._links: dict[Key, PlannerProcess] = {}

    def player(self, config: Configure, task: Task) -> LivePlayer:
        """A source for the settings; its process is started, not waited for.

        Raises CheckpointError when no checkpoint is chosen, or it is none of the task's planners.
        """
        simulated = config.backend not in ROBOTS
        live = LiveConfig(
            hold_after=config.hold_after, wait_s=FAST_WAIT_S if simulated and not config.realtime else 0.0
        )
        path = checked_checkpoint(config.checkpoint, task)
        key = _key(config)
        link = self._links.get(key)
        if link is not None and link.refused:
            self._links.pop(key).close()
            link = None
        if link is None:
            link = self._links[key] = self._make_link(path, config.runtime, task.name, self._tell, self._now)
        return LivePlayer(link, task, PlannerLayout.of_task(task), live, self._now)

    def wait(self, config: Configure, given_up: Callable[[], bool]) -> None:
        """Until the weights of some settings are loaded. Raises CheckpointError with the reason when they are not."""
        self._links[_key(config)].wait_ready(LOAD_TIMEOUT_S, given_up)

    def failure(self, config: Configure) -> str:
        """Why the planner of some settings was given up, '' while it was not."""
        link = self._links.get(_key(config))
        return link.trouble() if link is not None and link.refused else ""

    def keep(self, *configs: Configure) -> None:
        """End the processes of all other settings."""
        kept = [_key(config) for config in configs if config.source == "policy"]
        for key in [key for key in self._links if key not in kept]:
            self._links.pop(key).close()


def _key(config: Configure) -> Key:
    """Settings with the same key share a process."""
    return str(config.checkpoint), config.runtime, config.task


def checked_checkpoint(checkpoint: str | None, task: Task) -> Path:
    """The planner's file, when it is one for this task (its weights are not read).

    Raises CheckpointError that names the difference.
    """
    if not checkpoint:
        raise CheckpointError("the source 'policy' needs a checkpoint: a planner.safetensors or the folder of a run")
    path = Path(checkpoint)
    if not (path / PLANNER_FILE).is_file() and (path / EXPORTED_FILE).is_file():
        path = path / EXPORTED_FILE
    path = planner_path(path)
    if path.suffix == ".onnx":
        return path  # its header needs onnxruntime: the planner process looks at it
    try:
        planner_layout(path).check_fits(PlannerLayout.of_task(task), f"task {task.name!r}")
    except (LayoutError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return path
