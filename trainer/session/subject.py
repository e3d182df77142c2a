"""What drives a session, by content: the digests under which a robot's ladder files its evidence."""

import hashlib
from functools import lru_cache
from pathlib import Path

from core.control.choices import ARMS_FILES, LEGS_FILE, ControllerName
from core.control.whole_body import CONTROLLERS
from core.robot.ladder_evidence import Subject
from core.tasks.base import Task
from trainer.session.messages import Configure
from trainer.session.parts import arms_of
from trainer.session.policy import checked_checkpoint


def subject_of(config: Configure, task: Task) -> Subject:
    """Controllers and, for the source policy, the planner's weights as they are now.

    Raises CheckpointError without a planner, OSError when a file cannot be read.
    """
    checkpoint = ""
    if config.source == "policy":
        checkpoint = digest(checked_checkpoint(config.checkpoint, task))
    return Subject(config.source, controller_digest(arms_of(config.controller, config.backend)), checkpoint)


def controller_digest(name: ControllerName, folder: Path = CONTROLLERS) -> str:
    """Of the files of a whole-body controller; arms by inverse kinematics have none of their own."""
    parts = [name, digest(folder / LEGS_FILE)]
    if arms := ARMS_FILES[name]:
        parts.append(digest(folder / arms))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file's content; read again when it changed."""
    status = path.stat()
    return _digest(path.resolve(), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _digest(path: Path, _mtime_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
