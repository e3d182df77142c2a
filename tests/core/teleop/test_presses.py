from dataclasses import replace

import pytest
from rehearsal import rehearsal

from core.teleop.presses import BUTTONS, HARD_STOP_AFTER_S, LONG_PRESS_S
from core.teleop.xr_sample import NO_BUTTON, Button, Flag


def press(person, side: str, button: Button, seconds: float) -> list[str]:
    setattr(person, side, replace(getattr(person, side), buttons=button))
    happened = person.step(round(seconds / 0.01))
    setattr(person, side, replace(getattr(person, side), buttons=NO_BUTTON))
    happened += person.step()
    return [h.action or h.kind for h in happened]


@pytest.mark.parametrize("use", BUTTONS, ids=lambda use: use.name)
def test_that_a_short_and_a_long_press_differ_and_each_tells_once(use):
    person = rehearsal()
    assert press(person, use.side, use.button, 0.2) == [use.short]
    if use.long is None or use.long == "calibrate":
        return
    assert press(person, use.side, use.button, LONG_PRESS_S + 0.5) == [use.long]


def test_that_a_button_that_was_down_before_the_focus_came_does_nothing():
    person = rehearsal()
    person.focused = False
    person.both(buttons=Button.PRIMARY)
    person.step(5)
    person.focused = True
    person.step(100)
    person.both(buttons=NO_BUTTON)
    assert person.step() == []


def test_that_both_sticks_stop_softly_at_once_and_hard_when_held():
    person = rehearsal()
    person.engage()
    person.both(buttons=Button.STICK)
    person.step()
    assert person.stops == ["soft_stop"]
    assert person.follows == (False, False)
    person.step(round(HARD_STOP_AFTER_S / 0.01) + 2)
    assert person.stops == ["soft_stop", "hard_stop"]
    person.step(200)
    assert person.stops == ["soft_stop", "hard_stop"]
    person.both(buttons=NO_BUTTON)
    person.step()
    person.both(buttons=Button.STICK)
    person.step()
    assert person.stops[2:] == ["soft_stop"]


def test_that_one_stick_stops_nothing():
    person = rehearsal()
    press(person, "left", Button.STICK, 2.0)
    assert person.stops == []


def test_that_both_menu_buttons_stop_and_start_nothing():
    person = rehearsal()
    person.both(buttons=Button.MENU)
    happened = person.step(10)
    person.both(buttons=NO_BUTTON)
    happened += person.step(2)
    assert person.stops == ["soft_stop"]
    assert [h.action for h in happened if h.kind == "action"] == ["soft_stop"]


def test_that_stops_work_without_tracking():
    person = rehearsal()
    person.both(flags=Flag.ACTIVE, buttons=Button.STICK)
    person.step()
    assert person.stops == ["soft_stop"]
