"""When the 3-D view is drawn and how finely: a window's thread in which frames cost what a test says."""

from dataclasses import dataclass, field

import pytest

from app.drawing_pace import (
    FLOOR_HZ,
    LOOKED_AT,
    ROBOT_SHARE,
    SIMULATION_SHARE,
    UP_AFTER_S,
    Detail,
    DrawingPace,
)

TICK_S = 1.0 / 30.0
COSTS_S: dict[Detail, float] = {"full": 0.050, "plain": 0.014, "coarse": 0.007}
"llvmpipe on a computer at rest"


def times(factor: float) -> dict[Detail, float]:
    """Frames of a computer that is this much slower."""
    return {detail: factor * cost for detail, cost in COSTS_S.items()}


@dataclass
class Thread:
    """Looks at every tick whether a frame is due, and spends what it costs."""

    now_s: float = 100.0
    busy_s: float = 0.0
    frames: int = 0
    changes: list[Detail] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pace = DrawingPace(lambda: self.now_s)
        self.pace.share = ROBOT_SHARE

    def run(self, seconds: float, costs_s: dict[Detail, float]) -> "Thread":
        """Draw for so long; what was counted begins anew."""
        self.busy_s, self.frames, self.changes = 0.0, 0, [self.pace.detail]
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            began_s = self.now_s
            if self.pace.is_due():
                cost_s = costs_s[self.pace.detail]
                self.now_s += cost_s
                self.pace.drew(began_s, cost_s)
                self.busy_s, self.frames = self.busy_s + cost_s, self.frames + 1
                if self.pace.detail != self.changes[-1]:
                    self.changes.append(self.pace.detail)
            ticks = int((self.now_s - began_s) / TICK_S) + 1
            self.now_s = began_s + ticks * TICK_S  # a timer that was held up is not made up for
        return self


def test_that_a_graphics_card_draws_everything_at_the_rate_of_the_screen() -> None:
    thread = Thread().run(10.0, dict.fromkeys(COSTS_S, 0.002))
    assert thread.changes == ["full"]
    assert thread.frames == pytest.approx(300, abs=2)


def test_that_the_rate_gives_way_before_the_detail_does() -> None:
    thread = Thread().run(10.0, times(0.5))  # 25 ms at a share of a third: 13 frames a second
    assert thread.changes == ["full"]
    assert FLOOR_HZ <= thread.frames / 10.0 < 15.0


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0, 4.0, 20.0])
def test_that_drawing_never_takes_more_than_its_share(factor: float) -> None:
    thread = Thread()
    thread.run(5.0, times(factor))
    thread.run(60.0, times(factor))
    assert thread.busy_s / 60.0 < 1.02 * ROBOT_SHARE


@pytest.mark.parametrize(("factor", "detail"), [(1.0, "plain"), (3.0, "coarse"), (20.0, "coarse")])
def test_that_the_detail_gives_way_where_the_rate_would_fall_too_low(factor: float, detail: Detail) -> None:
    thread = Thread().run(20.0, times(factor))
    assert thread.pace.detail == detail
    assert thread.pace.is_simplified


def test_that_the_floor_is_held_as_long_as_any_picture_is_cheap_enough() -> None:
    thread = Thread()
    thread.run(5.0, times(3.0))
    assert thread.run(20.0, times(3.0)).frames / 20.0 >= 0.9 * FLOOR_HZ


def test_that_a_simulation_may_have_more_of_the_thread() -> None:
    thread = Thread()
    thread.pace.share = SIMULATION_SHARE
    thread.run(10.0, COSTS_S)
    assert thread.changes == ["full"]
    assert thread.frames / 10.0 > 12.0


def test_that_one_frame_held_up_by_another_program_changes_nothing() -> None:
    thread = Thread().run(5.0, times(0.4))
    thread.pace.drew(thread.now_s, 0.06)
    assert thread.run(5.0, times(0.4)).changes == ["full"]


def test_that_the_picture_gets_finer_when_there_is_time_again() -> None:
    thread = Thread().run(20.0, times(3.0))
    assert thread.pace.detail == "coarse"
    thread.run(30.0, times(0.3))
    assert thread.changes == ["coarse", "plain", "full"]
    assert not thread.pace.is_simplified


def test_that_a_finer_picture_is_not_tried_at_once() -> None:
    thread = Thread().run(20.0, times(3.0))
    assert thread.run(0.8 * UP_AFTER_S, times(0.3)).changes == ["coarse"]


def test_that_the_picture_does_not_flicker_on_a_computer_that_is_just_too_slow() -> None:
    thread = Thread().run(600.0, times(0.75))  # full costs 37 ms and may cost 33
    assert len(thread.changes) <= 3
    assert thread.pace.detail == "plain"


def test_that_what_looked_cheaper_than_it_is_gets_tried_ever_more_rarely() -> None:
    """Costs that a ratio does not foretell: cheap when plain, dear when full, whatever was seen."""
    thread = Thread()
    changes = 0
    for _ in range(20):  # ten minutes of a load that comes whenever the picture is full
        thread.pace._ratios = [1.0, 1.0]
        changes += len(thread.run(30.0, COSTS_S).changes) - 1
    assert 2 <= changes <= 24


def test_that_the_window_put_together_belongs_to_the_frame() -> None:
    thread = Thread()
    for _ in range(LOOKED_AT):
        thread.pace.drew(thread.now_s, 0.010)
        thread.pace.composed(0.005)
    assert thread.pace.cost_s == pytest.approx(0.015)


def test_that_a_person_may_have_it_always_full_or_always_simple() -> None:
    thread = Thread()
    thread.pace.choose("full")
    thread.run(60.0, times(4.0))
    assert thread.changes == ["full"]
    assert thread.busy_s / 60.0 < 1.02 * ROBOT_SHARE  # then the rate alone gives way
    thread.pace.choose("simple")
    assert thread.run(20.0, times(0.1)).changes == ["coarse"]
    assert not thread.pace.is_simplified  # that is what was asked for


def test_that_an_unknown_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="'best' does not exist; known: auto, full, simple"):
        DrawingPace().choose("best")  # type: ignore[arg-type]  # on purpose
