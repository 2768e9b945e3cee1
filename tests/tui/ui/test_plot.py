"""Lines over an axis, drawn in characters."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.text.axes import Axis
from tui.ui.plot import draw_lettered, draw_lines

BARE = Axis((), ())


def drawn(*lines, width: int = 14, height: int = 5, x: Axis = BARE, y: Axis = BARE) -> list[str]:
    return draw_lines(lines, width, height, x, y).split("\n")


def inside(*lines, **more) -> list[str]:
    """The cells within the frame."""
    return [line.partition("│")[2].rpartition("│")[0] for line in drawn(*lines, **more)[1:-2]]


@pytest.mark.parametrize(
    ("points", "cells"),
    [
        ([(0, 1), (9, 1)], ["⣀" * 12, " " * 12]),
        ([(0, 0), (1, 1)], ["      ⣀⡠⠤⠔⠒⠉", "⣀⠤⠔⠒⠊⠉      "]),
        ([(0, 0), (0, 1)], ["      ⡇     ", "      ⡇     "]),
        ([(5, 1)], ["      ⡀     ", " " * 12]),
        ([(0, 0), (1, 0), (2, None), (3, 0), (4, 0)], ["⣀⣀⣀⡀    ⢀⣀⣀⣀", " " * 12]),
        ([(0, 0), (1, nan), (2, inf), (3, 0)], ["⡀          ⢀", " " * 12]),
    ],
)
def test_a_line_goes_through_its_points_and_a_gap_stays_a_gap(points, cells):
    assert inside(points) == cells


def test_lines_that_share_a_cell_are_both_seen():
    y = Axis((), (), 0.0, 1.0)
    assert inside([(0, 0.0), (1, 0.0)], [(0, 0.4), (1, 0.4)], y=y) == [" " * 12, "⣉" * 12]


def test_each_line_has_its_letter_and_a_cell_of_two_belongs_to_the_last():
    y = Axis((), (), 0.0, 1.0)
    rows = draw_lettered([[(0, 0.0), (1, 0.0)], [(0, 0.4), (1, 0.4)]], 34, 5, BARE, y)
    assert ["".join(run.text for run in row[1:-1]) for row in rows[1:-2]] == [
        " " * 32,
        "\u28c9" * 6 + "A" + "\u28c9" * 11 + "B" + "\u28c9" * 11 + "BA",
    ]
    assert [run.line for run in rows[2]] == [None, 1, 0, 1, 0, None]


def test_ticks_stand_where_their_values_are():
    x, y = Axis((0, 5, 10), ("0", "5", "10")), Axis((0, 1), ("low", "high"))
    assert drawn([(0, 0), (10, 1)], width=18, height=6, x=x, y=y) == [
        "      ┌──────────┐",
        "  high┤      ⢀⡠⠔⠊│",
        "      │   ⢀⠤⠒⠁   │",
        "   low┤⡠⠔⠊⠁      │",
        "      └┬────┬───┬┘",
        "       0    5  10",
    ]


def test_a_label_without_room_is_left_out_with_its_tick():
    x = Axis((0, 1, 10), ("first", "second", "third"))
    edge, names = drawn([(0, 0), (10, 1)], width=30, x=x)[-2:]
    assert names.split() == ["first", "third"]
    assert edge.count("┬") == 2


@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.floats() | st.none()),
        min_size=1,
        max_size=8,
    ).filter(lambda points: any(figure is not None and abs(figure) < inf for _, figure in points)),
    st.integers(1, 60),
    st.integers(1, 20),
)
def test_anything_is_drawn_within_its_room(points, width, height):
    lines = drawn(points, width=width, height=height)
    assert len(lines) <= height
    assert all(len(line) <= max(width, 9) for line in lines)
