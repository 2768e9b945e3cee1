"""Charts: whatever a log told, they are well-formed, inside their frame, and lose no spike."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.web.charts import HEIGHT, WIDTH, Chart, Line, line_chart, spark
from backend_client.text.axes import Axis
from tests.backend.support.visitor import parse

NUMBERS = st.one_of(st.floats(), st.integers(), st.none(), st.just(10**400))
PLACES = st.one_of(st.floats(), st.integers(), st.just(10**400))


def chart(points, *, logarithmic=False):
    lines, axis = [Line(points, "it")], Axis((), ())
    return Chart("it", "loss", lines, axis, "{:.3g}".format, str, "step", logarithmic=logarithmic)


def spots(drawn):
    """Return the points of each part of the lines that are drawn."""
    return [
        [tuple(map(float, spot.split(","))) for spot in shape["points"].split()]
        for shape in parse(drawn).all("polyline")
    ]


@given(st.lists(st.tuples(PLACES, NUMBERS), max_size=200), st.booleans())
def test_any_numbers_are_drawn_inside_the_frame(points, logarithmic):
    for part in spots(line_chart(chart(points, logarithmic=logarithmic))):
        assert all(0 <= x <= WIDTH + 1 and 0 <= y <= HEIGHT for x, y in part)


@given(st.lists(NUMBERS, max_size=200), st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_a_small_line_is_drawn_of_any_values(values, top):
    for part in spots(spark(values, "util", "{:.3g}".format, top)):
        assert all(math.isfinite(place) for spot in part for place in spot)


def test_a_long_line_is_thinned_and_keeps_its_spikes():
    values = [(at, 1.0) for at in range(100_000)]
    values[777], values[50_001] = (777, 9.0), (50_001, -9.0)
    (part,) = spots(line_chart(chart(values)))
    assert len(part) <= WIDTH / 2 + 2
    assert {y for _, y in part} >= {0.0, float(HEIGHT)}


def test_what_is_no_number_breaks_the_line_and_is_counted():
    drawn = line_chart(chart([(0, 1.0), (1, math.nan), (2, 2.0), (3, None), (4, math.inf), (5, 0.0)]))
    assert len(spots(drawn)) == 3
    assert "2 values are no numbers" in parse(drawn).one("svg")["aria-label"]
    assert "first 1, last 0, lowest 0" in parse(drawn).one("svg")["aria-label"]
    above = parse(line_chart(chart([(0, 1.0), (1, 0.0), (2, 2.0)], logarithmic=True)))
    assert "1 value is not above 0" in above.text


@pytest.mark.parametrize("points", [[], [(0, None)], [(0, math.nan)]])
def test_nothing_to_draw_is_said(points):
    drawn = line_chart(chart(points))
    assert "nothing that can be drawn" in drawn
    assert not spots(drawn)


def test_texts_are_escaped():
    hostile = '"><script>alert(1)</script>'
    made = Chart(
        "it", hostile, [Line([(0, 1.0)], hostile)], Axis([1], [hostile]), lambda _: hostile, lambda _: hostile
    )
    for drawn in (line_chart(made), spark([1.0], hostile, lambda _: hostile)):
        assert "<script" not in drawn
        assert hostile in parse(drawn).one("svg")["aria-label"]
        assert not re.search(r"style=|on\w+=", re.sub(r'"[^"]*"', "", drawn))
