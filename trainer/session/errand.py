"""Something that takes a robot seconds, on a thread: stops, telemetry and heartbeats go on meanwhile."""

import threading
from collections import deque
from collections.abc import Callable

Tell = Callable[[str], None]


class Errand:
    """Begins at once; the session asks each tick how far it is."""

    def __init__(self, name: str, work: Callable[[Tell], object]) -> None:
        """work tells its steps; it raises RuntimeError with the reason when it fails."""
        self.steps: deque[str] = deque()
        "what the robot's guards said since the session took the last ones"
        self.failure = ""
        self._work = work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it came to its end, well or not."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work(self.steps.append)
        except RuntimeError as error:
            self.failure = str(error)
