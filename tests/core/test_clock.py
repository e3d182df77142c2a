"""The rate keeper on an injected clock."""

from core.clock import Rate


class FakeTime:
    def __init__(self) -> None:
        self.t = 0.0

    def now(self) -> float:
        return self.t

    def sleep(self, seconds: float) -> None:
        self.t += seconds


def test_that_a_prompt_body_never_drifts():
    clock = FakeTime()
    rate = Rate(0.02, clock.now, clock.sleep)
    for _ in range(1000):
        rate.wait()
        clock.t += 0.013
    rate.wait()
    assert abs(clock.t - 1001 * 0.02) < 1e-9
    assert rate.missed_ticks == 0


def test_that_a_late_body_drops_ticks_instead_of_bursting():
    clock = FakeTime()
    rate = Rate(0.02, clock.now, clock.sleep)
    rate.wait()
    clock.t += 0.07
    missed = rate.wait()
    start = clock.t
    rate.wait()
    assert missed == 3
    assert rate.missed_ticks == 3
    assert abs(clock.t - start - 0.02) < 1e-9
