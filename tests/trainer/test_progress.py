import io
import math

import pytest
from rich.console import Console

from trainer.progress import EpisodeProgress, format_duration


class Clock:
    time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


def test_that_rate_and_time_left_count_this_run_only():
    clock, out = Clock(), io.StringIO()
    with EpisodeProgress("collect", 100, done=40, console=Console(file=out), now=clock) as progress:
        assert math.isinf(progress.left_s)
        clock.time_s = 60.0
        progress.update(done=70, trials=40, successes=30)
    assert progress.per_minute == pytest.approx(30.0)
    assert progress.left_s == pytest.approx(60.0)
    assert "success 75.0 % [59.8, 85.8] (n = 40)" in progress.text
    assert "1:00 min left" in progress.text


def test_that_without_a_terminal_a_line_comes_now_and_then():
    clock, out = Clock(), io.StringIO()
    with EpisodeProgress("collect", 10, console=Console(file=out, width=200), now=clock) as progress:
        for second in range(25):
            clock.time_s = float(second)
            progress.refresh()
    lines = out.getvalue().strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("collect 0/10")


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.4, "12 s"), (185, "3:05 min"), (3730, "1:02:10 h"), (math.inf, "-"), (59.7, "1:00 min")]
)
def test_that_durations_are_readable(seconds, text):
    assert format_duration(seconds) == text
