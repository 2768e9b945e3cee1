"""What two marks, and the silence of ranks, are called."""

import pytest

from backend_client.logs import Line
from tui.log.bookmarks import Bookmarks, format_interval
from tui.log.ranks import neighbour, next_step, silence

MINUTE = 60_000
NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 ms"),
        (340, "340 ms"),
        (12_340, "12.3 s"),
        (192_000, "3m 12s"),
        (2 * 3_600_000 + 4 * MINUTE, "2h 04m"),
        (76 * 3_600_000, "3d 4h"),
        (-1500, "-1.5 s"),
    ],
)
def test_a_time_between_two_lines(ms, words):
    assert format_interval(ms) == words


def test_the_last_two_marks_count():
    marks = Bookmarks()
    lines = [Line(number, "x", time=NOW + 1000 * number) for number in (5, 9, 1007)]
    assert str(marks) == ""
    marks.toggle(lines[1])
    assert str(marks) == "1 mark"
    marks.toggle(lines[0])
    assert str(marks) == "marks 4.0 s apart, 4 lines"
    marks.toggle(lines[2])
    assert str(marks) == "marks 16m 42s apart, 1,002 lines"
    marks.toggle(lines[2])
    assert marks.numbers == [5]
    marks.toggle(Line(6, "no time"))
    assert str(marks) == "marks 1 line apart, time unknown"


def test_from_rank_to_rank():
    assert [neighbour([0, 1, 7], rank, 1) for rank in (None, 0, 1, 7, 99)] == [0, 1, 7, None, 0]
    assert [neighbour([0, 1, 7], rank, -1) for rank in (None, 0, 1, 7)] == [7, None, 0, 1]


@pytest.mark.parametrize(
    ("ages", "words"),
    [
        ({0: 0, 1: 1.9}, ""),
        ({0: 0, 1: 2}, "rank 1 silent 2m"),
        ({0: 0, 1: 59, 3: 90}, "ranks 1, 3 silent 30m"),
        ({0: 11, 1: 12}, "all 2 ranks silent 10m"),
        ({0: 0, 1: 5, 2: 5, 3: 5, 4: 6}, "4 ranks silent 5m"),
        ({3: 60 * 24 * 3}, "rank 3 silent 2d"),
        ({3: NOW / MINUTE}, ""),
    ],
)
def test_who_is_silent(ages, words):
    assert silence({rank: int(NOW - age * MINUTE) for rank, age in ages.items()}, NOW) == words


def test_the_next_look_is_when_there_may_be_more_to_tell():
    assert next_step({0: NOW, 1: NOW - 90_000}, NOW) == 30
    assert next_step({0: NOW - 3 * MINUTE}, NOW) == 120
    assert next_step({0: 0}, NOW) is None
    assert next_step({0: NOW - 5761 * MINUTE}, NOW) is None
