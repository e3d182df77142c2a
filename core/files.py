"""Small files that must never be half written, and where the program keeps its own."""

import os
import sys
from pathlib import Path

APPLICATION = Path("REFINE-DP") / "Studio"
DATA_VARIABLE = "REFINE_DP_DATA"


def write_atomically(path: Path, text: str, mode: int = 0o666) -> None:
    """Replace a small file so that a reader or a crash sees the old or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def data_folder() -> Path:
    """The program's folder for what it must remember, the window's own; REFINE_DP_DATA names another one."""
    if named := os.environ.get(DATA_VARIABLE):
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APPLICATION
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / APPLICATION
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / APPLICATION
