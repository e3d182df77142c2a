"""The process that speaks to Vicon, Qualisys or VRPN: `python -m core.mocap.library_process SYSTEM HOST`.

The library `motioncapture` (libmotioncapture, MIT, with the vendors' SDKs) keeps the interpreter to itself while it
waits for a frame, which would stop a control loop in the same process: hence a process of its own, which writes one
JSON line a frame. The library gives bodies that are seen, and no time stamps.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def bodies(system: Any) -> dict[str, list[float]]:
    """Name -> position (m) and quaternion wxyz of the library's present frame."""
    found = {}
    for name, body in system.rigidBodies.items():
        turn = body.rotation
        found[name] = [*map(float, body.position), *map(float, (turn.w, turn.x, turn.y, turn.z))]
    return found


def stream(
    system: Any, write: Callable[[str], None], frames: int = 0, now: Callable[[], float] = time.monotonic
) -> None:
    """A line for each frame; frames: how many, 0 for ever."""
    number = 0
    while not frames or number < frames:
        system.waitForNextFrame()
        number += 1
        write(json.dumps({"number": number, "received_s": now(), "bodies": bodies(system)}))


def main() -> int:
    """Until the reader is gone."""
    system, host = sys.argv[1:3]
    try:
        from motioncapture import connect  # type: ignore[import-not-found]  # an extra
    except ImportError:
        print(json.dumps({"error": "the library is missing: pip install 'refine-dp[mocap]'"}), flush=True)
        return 2
    try:
        connected = connect(system, {"hostname": host})
    except RuntimeError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    try:
        stream(connected, lambda line: print(line, flush=True))
    except BrokenPipeError:
        os._exit(0)  # the reader is gone; nothing can be flushed any more
    return 0


if __name__ == "__main__":
    sys.exit(main())
