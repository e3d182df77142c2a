"""A stop key: any key of a HID device (a foot pedal, a button box) read from its Linux input device."""

import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

_EVENT = struct.Struct("llHHi")
"""struct input_event: seconds, microseconds, type, code, value."""
_KEY, _DOWN = 1, 1


BY_ID = Path("/dev/input/by-id")
"""Where Linux lists input devices by names that stay the same."""


def known_devices(folder: Path = BY_ID) -> tuple[str, ...]:
    """Devices with keys: keyboards, pedals and button boxes (kbd), gamepads (joystick)."""
    return tuple(sorted(str(path) for path in folder.glob("*-event-*") if path.name.endswith(("kbd", "joystick"))))


def open_device(device: str) -> int:
    """A descriptor for reading. Raises OSError saying what to do: a stop key that is configured must be there."""
    try:
        return os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        raise OSError(
            f"the stop key {device} may not be read by this user; add the user to the group 'input' "
            "(sudo usermod -aG input $USER) and log in again"
        ) from None
    except OSError as error:
        known = ", ".join(known_devices()) or "none"
        raise OSError(
            f"the stop key {device} cannot be opened ({error.strerror}); devices with keys: {known}"
        ) from None


def is_press(event: bytes) -> bool:
    """Whether an input event is a key that goes down."""
    _, _, kind, _, value = _EVENT.unpack(event)
    return kind == _KEY and value == _DOWN


def watch_stop_key(device: str, pressed: Callable[[float], None], lost: Callable[[str], None]) -> threading.Thread:
    """Read the device in a thread: `pressed(monotonic time)` for each press, `lost(reason)` once it cannot be read.

    Raises OSError when it cannot be opened.
    """
    handle = open_device(device)

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
