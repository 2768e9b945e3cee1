"""What two marks in a log are called."""

import pytest

from backend_client.logs import Line
from tui.log.bookmarks import Bookmarks, format_interval

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
