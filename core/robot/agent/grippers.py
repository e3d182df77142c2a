"""Grippers by rate-limited calls from their own thread, on change only: each call blocks, and too many are refused."""

import threading
import time
from collections.abc import Callable

import numpy as np

from core.robot.view import Link
from core.robot.wire import Api, Code
from core.t1.model import GRIPPER_MAX_OPENING_M

PERIOD_S = 0.1
"""Between two commands of one hand (10 Hz; the hands refuse about 20)."""
STEP_M = 0.0005
"""Smaller changes are not sent."""
FORCE, SPEED = 300, 500
"""Of 1000: about 6 N, and full stroke in half a second."""


class Grippers:
    """The latest wish wins; a refused call is repeated a period later."""

    def __init__(self, link: Link, now: Callable[[], float] = time.monotonic, start: bool = True) -> None:
        self.refused = 0
        self._link, self._now = link, now
        self._wanted: np.ndarray | None = None
        self._sent = np.full(2, np.nan)
        self._due_s = np.full(2, -np.inf)
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grippers", daemon=True)
        if start:
            self._thread.start()

    def wish(self, opening_m: np.ndarray) -> None:
        """Openings (2,) m, left and right; not finite ones are ignored."""
        if np.isfinite(opening_m).all():
            self._wanted = np.clip(opening_m, 0.0, GRIPPER_MAX_OPENING_M)
            self._changed.set()

    def send_due(self) -> None:
        """Send what changed and may be sent now."""
        wanted, now_s = self._wanted, self._now()
        if wanted is None:
            return
        for hand in (0, 1):
            same = abs(wanted[hand] - self._sent[hand]) < STEP_M
            if same or now_s < self._due_s[hand]:
                continue
            self._due_s[hand] = now_s + PERIOD_S
            position = round(1000 * float(wanted[hand]) / GRIPPER_MAX_OPENING_M)
            motion = {"position": position, "force": FORCE, "speed": SPEED}
            code = self._link.call(
                Api.CONTROL_GRIPPER, {"hand_index": hand, "mode": 0, "motion_param": motion}, "gripper"
            )
            if code == Code.OK:
                self._sent[hand] = wanted[hand]
            else:
                self.refused += 1

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join(6.0)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._changed.wait()
            self._changed.clear()
            while not self._closing.is_set() and self._wanted is not None and self._unsent():
                self.send_due()
                self._closing.wait(0.02)

    def _unsent(self) -> bool:
        assert self._wanted is not None
        return not bool((np.abs(self._wanted - self._sent) < STEP_M).all())
