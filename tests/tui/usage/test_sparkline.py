"""A line of blocks: 0 is the lowest, what nobody told is a blank."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.usage.sparkline import sparkline, squeeze


@pytest.mark.parametrize(
    ("values", "width", "top", "drawn"),
    [
        ([], 5, 1.0, ""),
        ([0.0, 0.5, 1.0], 5, 1.0, "▁▅█"),
        ([None, 0.0, None, 1.0], 4, 1.0, " ▁ █"),
        ([0.0, 0.0, None, None, 1.0, 1.0], 3, 1.0, "▁ █"),
        ([0.0, 1.0, None, 1.0], 2, 1.0, "▅█"),
        ([5.0, 50.0], 2, 10.0, "▅█"),
        ([0.0, 0.0], 2, 0.0, "▁▁"),
        ([float("nan"), float("inf"), 1.0], 3, 1.0, "  █"),
        ([0.5], 0, 1.0, ""),
    ],
)
def test_a_spark_line(values, width, top, drawn):
    assert sparkline(values, width, top) == drawn


@given(st.lists(st.none() | st.floats(0, 1), max_size=300), st.integers(0, 80))
def test_no_line_is_wider_than_its_room_and_a_gap_is_where_nothing_is_known(values, width):
    drawn = sparkline(values, width, 1.0)
    assert len(drawn) == min(len(values), max(0, width))
    assert [block == " " for block in drawn] == [value is None for value in squeeze(values, width)]
    if not any(value is None for value in values):
        assert " " not in drawn
