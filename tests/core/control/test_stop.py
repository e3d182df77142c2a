from core.control.stop import StopLatch, StopLevel


def test_that_a_hard_stop_is_latched_against_a_soft_one():
    clock = iter(range(10))
    latch = StopLatch(now=lambda: float(next(clock)))
    latch.request(StopLevel.HARD)
    latch.request(StopLevel.SOFT)
    assert latch.level == StopLevel.HARD
    assert latch.since_s == 0.0


def test_that_a_soft_stop_can_be_raised_to_a_hard_one_and_cleared():
    latch = StopLatch()
    latch.request(StopLevel.SOFT)
    latch.request(StopLevel.HARD)
    assert latch.level == StopLevel.HARD
    latch.clear()
    assert latch.level == StopLevel.NONE


def test_that_pressing_again_keeps_the_time_of_the_first_press():
    clock = iter([1.0, 2.0, 3.0])
    latch = StopLatch(now=lambda: next(clock))
    latch.request(StopLevel.SOFT)
    latch.request(StopLevel.SOFT)
    assert latch.since_s == 1.0
