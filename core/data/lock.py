"""One writer at a time: a lock file beside the data set, which the system releases when its owner dies."""

import errno
import fcntl
import getpass
import logging
import os
import socket
import time
from pathlib import Path

from core.data.errors import DatasetError, DatasetLockedError

logger = logging.getLogger(__name__)


def lock_path(path: Path) -> Path:
    """Locked by the one process that writes."""
    return path.with_name(path.name + ".lock")


def take_lock(path: Path) -> int:
    """Lock the data set; returns the descriptor that holds the lock.

    Raises DatasetLockedError naming the owner, DatasetError where it cannot be written.
    """
    where = lock_path(path)
    for _ in range(100):
        fd = _open(where)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(fd, 4096, 0).decode(errors="replace").strip() or "another process"
            os.close(fd)
            raise DatasetLockedError(
                f"{path} is being written by {owner}; stop that recording first, or choose another data set"
            ) from None
        if where.exists() and os.fstat(fd).st_ino == where.stat().st_ino:
            break
        os.close(fd)  # its owner removed it between our open and our lock
    else:
        raise DatasetLockedError(f"{where} keeps changing: another program creates and removes it")
    os.ftruncate(fd, 0)
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        os.pwrite(
            fd, f"process {os.getpid()} of {getpass.getuser()} on {socket.gethostname()} since {since}".encode(), 0
        )
    except OSError:  # a full disk: the lock holds without the note
        logger.warning("could not note the owner in %s", where)
    return fd


def _open(where: Path) -> int:
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        return os.open(where, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise DatasetError(
            f"cannot write in the folder {where.parent} ({error.strerror}); choose another path for the data set"
        ) from error


def release_lock(fd: int, path: Path) -> None:
    """Let others write."""
    lock_path(path).unlink(missing_ok=True)
    os.close(fd)
