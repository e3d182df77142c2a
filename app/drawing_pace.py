"""How often and how finely the 3-D view is drawn, so that drawing leaves the computer its time (no Qt)."""

import time
from collections import deque
from collections.abc import Callable
from typing import Literal

Detail = Literal["full", "plain", "coarse"]
"full: everything; plain: no shadows; coarse: no shadows, half the pixels each way"
DETAILS: tuple[Detail, ...] = ("full", "plain", "coarse")
PictureChoice = Literal["auto", "full", "simple"]
"auto: as fine as there is time for; full and simple: always so, only the rate gives way"
PICTURE_CHOICES: tuple[PictureChoice, ...] = ("auto", "full", "simple")

ROBOT_SHARE = 1.0 / 3.0
"Of the thread that draws while the window guards a robot: the rest is for the robot's processes and the other panels"
SIMULATION_SHARE = 0.9
"Nothing falls when a simulation is late"
FLOOR_HZ = 10.0
"The rate gives way first, down to this; then the detail does"
EARLY_S, CREDIT_S = 0.002, 0.034
"Ticks are not exact; and one at 30 Hz is this long"
LOOKED_AT = 5
"Frames of which the mean counts: one that was held up by another program is no reason to draw worse"
JUDGED_FROM = 3
MARGIN = 0.7
"A finer picture is tried only where it is expected to cost less than this part of what it may"
UP_AFTER_S, UP_AFTER_MAX_S = 5.0, 120.0
"So long there must have been time for it; doubled each time when a finer picture had to be taken back"
PROVEN_S = 20.0
"A finer picture that lasted this long was right"
FIRST_RATIO = 2.5
"By how much a finer picture costs more, before that was measured (llvmpipe: 1.9 to 3.6)"
MAX_RATIO = 8.0


class DrawingPace:
    """Told what every frame cost; says when the next is due and how fine it may be. Times in s, injected."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.share = SIMULATION_SHARE
        self.top_hz = 30.0
        "never more often"
        self._now = now
        self._choice: PictureChoice = "auto"
        self._level = 0
        self._costs_s: deque[float] = deque(maxlen=LOOKED_AT)
        self._due_s = float("-inf")
        self._ratios = [FIRST_RATIO] * (len(DETAILS) - 1)
        "cost at a level / cost at the next coarser one"
        self._before_s: float | None = None
        "cost before the last step down, until the cost after it is known"
        self._time_since_s: float | None = None
        "since when there has been time for a finer picture"
        self._went_up_s = float("inf")
        "when a finer picture was tried that is still shown; infinite: none is"
        self._up_after_s = UP_AFTER_S

    @property
    def choice(self) -> PictureChoice:
        """What the person wants."""
        return self._choice

    def choose(self, choice: PictureChoice) -> None:
        """Draw as fine as there is time for, or always in one way. Raises ValueError for anything else."""
        if choice not in PICTURE_CHOICES:
            raise ValueError(f"picture {choice!r} does not exist; known: {', '.join(PICTURE_CHOICES)}")
        self._choice = choice
        self._enter(len(DETAILS) - 1 if choice == "simple" else 0)
        self._up_after_s = UP_AFTER_S

    @property
    def detail(self) -> Detail:
        """How fine the next frame is to be."""
        return DETAILS[self._level]

    @property
    def is_simplified(self) -> bool:
        """Whether the picture is coarser than asked for because the computer draws slowly."""
        return self._choice == "auto" and self._level > 0

    @property
    def cost_s(self) -> float:
        """How long a frame takes now; 0 before the first."""
        return sum(self._costs_s) / len(self._costs_s) if self._costs_s else 0.0

    def is_due(self) -> bool:
        """Whether a frame may begin."""
        return self._now() >= self._due_s - EARLY_S

    def drew(self, began_s: float, cost_s: float) -> None:
        """A frame was begun at this time and took so long."""
        self._costs_s.append(cost_s)
        period_s = max(1.0 / self.top_hz, self.cost_s / self.share)
        # who asks does so at ticks of his own: a frame that is late by less than one does not put off the next
        self._due_s = max(self._due_s, began_s - CREDIT_S) + period_s
        if self._choice != "auto" or len(self._costs_s) < JUDGED_FROM:
            return
        self._learn_ratio()
        if self._is_too_dear():
            self._coarsen()
        else:
            self._refine_in_time()

    def composed(self, cost_s: float) -> None:
        """Putting the window together took this long: it belongs to the last frame."""
        if self._costs_s:
            self._costs_s[-1] += cost_s

    def _allowed_s(self) -> float:
        """What a frame may cost at the lowest rate."""
        return self.share / FLOOR_HZ

    def _is_too_dear(self) -> bool:
        return self.cost_s > self._allowed_s()

    def _learn_ratio(self) -> None:
        if self._before_s is None or len(self._costs_s) < LOOKED_AT:
            return
        ratio = self._before_s / max(self.cost_s, 1e-6)
        self._ratios[self._level - 1] = min(max(ratio, 1.0), MAX_RATIO)
        self._before_s = None

    def _coarsen(self) -> None:
        self._time_since_s = None
        if self._level == len(DETAILS) - 1:
            return
        if self._went_up_s < float("inf") and self._now() - self._went_up_s < PROVEN_S:
            self._up_after_s = min(2.0 * self._up_after_s, UP_AFTER_MAX_S)
        self._went_up_s = float("inf")
        before_s = self.cost_s
        self._enter(self._level + 1)
        self._before_s = before_s

    def _refine_in_time(self) -> None:
        now = self._now()
        if now - self._went_up_s > PROVEN_S:
            self._up_after_s = UP_AFTER_S
        expected_s = self.cost_s * self._ratios[self._level - 1] if self._level else float("inf")
        if expected_s > MARGIN * self._allowed_s():
            self._time_since_s = None
        elif self._time_since_s is None:
            self._time_since_s = now
        elif now - self._time_since_s >= self._up_after_s:
            self._enter(self._level - 1)
            self._went_up_s = now

    def _enter(self, level: int) -> None:
        """Costs of another level say nothing of this one."""
        self._level, self._before_s, self._time_since_s = level, None, None
        self._costs_s.clear()
