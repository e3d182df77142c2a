"""Watches a fine-tuning: notices when the policy collapses, and which of its states was the best."""

from collections import deque
from dataclasses import dataclass, field

from core.statistics import Proportion, wilson_interval


class CollapseError(RuntimeError):
    """The policy has become worse than chance explains, or has moved away at once."""


@dataclass
class CollapseGuard:
    """Told the successes of every iteration, of the policy that explored in it.

    Iterations are pooled over a short window, because a single one has too few episodes to tell states apart.
    """

    patience: int = 3
    "so many windows in a row below the best one's interval are a collapse"
    window: int = 3
    "iterations that are pooled"
    kl_limit: float = 10.0
    "nats per chunk within one iteration"
    best: Proportion = field(default_factory=lambda: wilson_interval(0, 0))
    "the best window so far"
    bad: int = 0
    "windows in a row below it"
    recent: deque[tuple[int, int]] = field(default_factory=deque)
    "successes and trials of the last iterations"
    widened: bool = False
    "whether the best is what is expected in wider start ranges, not what was seen"

    def __post_init__(self) -> None:
        if self.patience < 1 or self.window < 1:
            raise ValueError(f"patience and window must be at least 1, got {self.patience} and {self.window}")

    def saw_success(self, successes: int, trials: int) -> bool:
        """Whether the policy of this iteration is the best so far. Raises CollapseError."""
        self.recent.append((successes, trials))
        while len(self.recent) > self.window:
            self.recent.popleft()
        now = wilson_interval(*(sum(column) for column in zip(*self.recent)))
        fallen = self.best.trials > 0 and now.high < self.best.low
        self.bad = self.bad + 1 if fallen else 0
        if self.bad >= self.patience:
            raise CollapseError(
                f"success has fallen to {now} from {self.standard} and stayed there for {self.bad} iterations: "
                "try a smaller learning_rate or clip_total, or more worlds"
            )
        if self.best.trials and now.low < self.best.low:
            return False
        self.best, self.widened = now, False
        return True

    @property
    def standard(self) -> str:
        """What success is measured by, in words."""
        return f"at least {self.best}, expected in the wider start ranges" if self.widened else str(self.best)

    def ranges_grew(self, kept: float) -> None:
        """Episodes begin in wider ranges from now on; a share `kept` of the starts was possible before, too.

        What a policy can do in the old ranges it can still do there: that share of the best success is a lower bound
        of what it reaches in the wider ones. Only staying below it is a collapse.
        """
        self.best = wilson_interval(int(kept * self.best.successes), self.best.trials)
        self.bad, self.widened = 0, True
        self.recent.clear()

    def saw_kl(self, kl: float) -> None:
        """Raises CollapseError when the policy has moved too far at once."""
        if not kl <= self.kl_limit:
            raise CollapseError(
                f"the policy moved {kl:.3g} nats per chunk in one iteration, {self.kl_limit:g} are allowed: "
                "try a smaller learning_rate or clip_total"
            )

    def state(self) -> dict[str, object]:
        """As JSON."""
        return {
            "best": [self.best.successes, self.best.trials],
            "bad": self.bad,
            "recent": [list(pair) for pair in self.recent],
            "widened": self.widened,
        }

    def load(self, state: dict) -> None:
        """Inverse of `state`."""
        self.best = wilson_interval(*state["best"])
        self.bad, self.widened = state["bad"], state["widened"]
        self.recent = deque((s, n) for s, n in state["recent"])
