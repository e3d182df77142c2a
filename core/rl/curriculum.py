"""The curriculum of start ranges (paper, section IV-C; B103): wider whenever the policy succeeds often enough."""

from dataclasses import dataclass


@dataclass
class Curriculum:
    """How far the start ranges have grown from those of pre-training to the widest.

    The paper widens three ranges, to 320, 125 and 600 %, "by 10 %" a time. Read here as 10 % of the way between the two
    ends: the three grow together and are at their widest after ten growths. 10 % of the present width would bring them
    there one after the other, after 13, 3 and 19 growths.
    """

    threshold: float = 0.9
    "success rate of an iteration at which the ranges grow"
    growth: float = 0.1
    "added to the share each time"
    share: float = 0.0
    "of the way: 0 as in pre-training, 1 at the widest"

    def saw_success(self, successes: int, trials: int) -> bool:
        """Told how an iteration at the present ranges went; whether they have grown."""
        if self.share >= 1.0 or successes / trials < self.threshold:
            return False
        # without the crumbs of ten times 0.1, so that the last growth ends at 1
        self.share = min(1.0, round(self.share + self.growth, 9))
        return True
