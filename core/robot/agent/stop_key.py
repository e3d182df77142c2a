"""A stop key: any key of a HID device (a foot pedal, a button box) read from its Linux input device."""

import os
import struct
import threading
import time
from collections.abc import Callable

_EVENT = struct.Struct("llHHi")
"""struct input_event: seconds, microseconds, type, code, value."""
_KEY, _DOWN = 1, 1


def is_press(event: bytes) -> bool:
    """Whether an input event is a key that goes down."""
    _, _, kind, _, value = _EVENT.unpack(event)
    return kind == _KEY and value == _DOWN


def watch_stop_key(device: str, pressed: Callable[[float], None], lost: Callable[[str], None]) -> threading.Thread:
    """Read the device in a thread: `pressed(monotonic time)` for each press, `lost(reason)` once it cannot be read.

    Raises OSError when it cannot be opened: a stop key that is configured must be there.
    """
    handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC)

    def read() -> None:
        with os.fdopen(handle, "rb", buffering=0) as stream:
            while True:
                try:
                    event = stream.read(_EVENT.size)
                except OSError:
                    event = b""
                if not event or len(event) < _EVENT.size:
                    lost(f"the stop key {device} was unplugged")
                    return
                if is_press(event):
                    pressed(time.monotonic())

    thread = threading.Thread(target=read, name="stop-key", daemon=True)
    thread.start()
    return thread
