from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from trainer.typed_json import DecodeError, from_json, to_json


@dataclass(frozen=True)
class Inner:
    rate_hz: float = 10.0
    sizes: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Outer:
    name: str
    mode: Literal["a", "b"] = "a"
    path: Path | None = None
    inner: Inner = Inner()
    pair: tuple[float, str] = (0.5, "x")
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name must not be empty")


FULL = Outer("n", "b", Path("d/e"), Inner(3.0, (7,)), (1.0, "y"), {"k": 2.0})


def test_that_a_nested_config_comes_back_equal():
    assert from_json(Outer, to_json(FULL)) == FULL


def test_that_a_whole_number_is_read_as_a_float_but_not_the_reverse():
    assert isinstance(from_json(Inner, {"rate_hz": 3}).rate_hz, float)
    with pytest.raises(DecodeError, match=r"Inner\.sizes\[0\]: expected a whole number, got 1\.5"):
        from_json(Inner, {"sizes": [1.5]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "c"}, r"Outer\.mode: 'c' is not one of 'a', 'b'"),
        ({"colour": 1}, "unknown field 'colour'; known: name"),
        ({"inner": {"rate_hz": True}}, r"Outer\.inner\.rate_hz: expected a number"),
        ({"pair": [1.0]}, r"Outer\.pair: expected a list of 2"),
        ({"name": ""}, "name must not be empty"),
        ({"mode": ["a"]}, "is not one of"),
        ({"weights": []}, "expected an object"),
    ],
)
def test_that_what_does_not_fit_is_refused_with_its_place(change, message):
    with pytest.raises(DecodeError, match=message):
        from_json(Outer, {**to_json(FULL), **change})


def test_that_a_missing_field_without_default_is_named():
    with pytest.raises(DecodeError, match="the field 'name' is missing"):
        from_json(Outer, {})


def test_that_arrays_travel_beside_the_json():
    @dataclass
    class Holder:
        items: dict[str, np.ndarray]

    arrays: list[np.ndarray] = []
    data = to_json({"items": {"a": np.arange(3)}}, arrays)
    assert data == {"items": {"a": {"$array": 0}}}
    assert from_json(dict[str, dict[str, np.ndarray]], data, arrays)["items"]["a"] is arrays[0]
    with pytest.raises(DecodeError, match="expected one of the 0 arrays"):
        from_json(np.ndarray, {"$array": 0}, [])


def test_that_a_value_without_a_json_form_is_refused():
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_json({"a": object()})
