import io
import math

import pytest
from rich.console import Console

from trainer.progress import EpisodeProgress, ShareProgress, StepProgress, format_duration


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
            progress.update(done=second // 5, trials=0, successes=0)
    lines = out.getvalue().strip().splitlines()
    assert [line.split()[1] for line in lines] == ["0/10", "2/10", "4/10"]


def test_that_in_a_terminal_there_is_a_bar_and_no_lines():
    clock, out = Clock(), io.StringIO()
    with StepProgress("learn", 200, console=Console(file=out, force_terminal=True, width=120), now=clock) as progress:
        clock.time_s = 10.0
        progress.update(50, "loss 0.5")
    assert "━" in out.getvalue()
    assert "50/200   5.0/s   loss 0.5   30 s left" in out.getvalue()
    assert not out.getvalue().startswith("learn")


def test_that_slow_steps_are_told_by_how_long_one_takes():
    clock, out = Clock(), io.StringIO()
    with StepProgress("finetune", 40, console=Console(file=out, width=200), now=clock) as progress:
        clock.time_s = 100.0
        progress.update(2, "best 60 %")
    assert out.getvalue() == "finetune 2/40   50 s each   best 60 %   31:40 min left\n"


def test_that_a_share_has_its_rate_from_steps_and_its_time_left_from_itself():
    clock, out = Clock(), io.StringIO()
    with ShareProgress("pi_upper", 1.0, 0.5, Console(file=out, width=200), clock) as progress:
        clock.time_s = 20.0
        progress.update(0.7, 4000, "ppo")
    assert out.getvalue() == "pi_upper  70.0 %   200 steps/s   ppo   30 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.4, "12 s"), (185, "3:05 min"), (3730, "1:02:10 h"), (math.inf, "-"), (59.7, "1:00 min")]
)
def test_that_durations_are_readable(seconds, text):
    assert format_duration(seconds) == text
