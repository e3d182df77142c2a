import re
import xml.etree.ElementTree as ET

import pytest

from trainer.report import charts


def rectangles(svg: str) -> list[dict[str, float]]:
    root = ET.fromstring(svg)
    found = [element for element in root.iter() if element.tag.endswith("rect")]
    return [{k: float(e.get(k, 0)) for k in ("x", "y", "width", "height")} for e in found][1:]  # without the ground


def test_that_ticks_are_round_and_inside():
    assert charts.ticks(0, 1, 4) == [0, 0.25, 0.5, 0.75, 1.0]
    assert charts.ticks(3.2, 17.9, 5) == [5, 10, 15]
    assert charts.ticks(-0.31, 0.29, 3) == [-0.2, 0, 0.2]
    assert charts.ticks(2, 2) == [2]


def test_that_bars_are_as_long_as_their_rates():
    svg = charts.success_bars("T", [charts.Bar("a", 0.25, 0.2, 0.3), charts.Bar("b < c", 1.0, 0.9, 1.0)])
    short, long = rectangles(svg)
    assert long["width"] == pytest.approx(4 * short["width"], rel=1e-2)
    assert "b &lt; c" in svg
    assert "25.0 %" in svg


def test_that_a_histogram_has_every_value():
    svg = charts.histogram("T", "s", {"a": [1.0, 1.0, 2.0], "b": []}, bins=4)
    counts = [int(n) for n in re.findall(r"<title>a: (\d+)</title>", svg)]
    assert sum(counts) == 3
    assert "a: median 1" in svg
    assert "no values" in charts.histogram("T", "s", {"a": []})
    assert "median 5" in charts.histogram("T", "s", {"a": [5.0, 5.0]})  # all the same


def test_that_stacked_bars_add_up():
    svg = charts.stacked_bars("T", "episodes", {"a": {"fell": 1, "time": 3}, "b": {"fell": 0, "time": 8}})
    bars = [bar for bar in rectangles(svg) if bar["height"] == 20]
    assert bars[1]["x"] == pytest.approx(bars[0]["x"] + bars[0]["width"], abs=0.2)
    assert bars[3]["width"] == pytest.approx(2 * (bars[0]["width"] + bars[1]["width"]), rel=0.01)
    ET.fromstring(charts.count_bars("T", {"a": {"fell": 0}}))


def test_that_the_map_keeps_directions():
    svg = charts.start_map("T", [(-1.0, 0.5, True), (-1.0, -0.5, True), (-2.0, 0.0, False)])
    first, second = re.findall(r"<circle cx='([\d.]+)' cy='([\d.]+)' r='3'", svg)[:2]
    assert float(first[0]) == float(second[0])
    assert float(first[1]) < float(second[1])  # left of the object is up
    assert "no object" in charts.start_map("T", [])


def test_that_a_curve_rises_with_success_on_a_logarithmic_axis():
    points = [charts.Point(x, y, y - 0.1, min(1.0, y + 0.1)) for x, y in ((10, 0.2), (1000, 0.8), (100, 0.5))]
    svg = charts.curves("T", "n", {"a": points})
    match = re.search(r"<polyline points='([^']+)'", svg)
    assert match is not None
    (x1, y1), (x2, y2), (x3, y3) = ([float(v) for v in pair.split(",")] for pair in match[1].split())
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 > y2 > y3
