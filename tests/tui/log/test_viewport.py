"""Which rows of a log are in sight, without a widget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.logs import LineFilter, LogBuffer, Search
from tests.tui.log.support.logs import append, buffer_of
from tui.log.viewport import Viewport


def numbered(count: int, first: int = 0) -> list[bytes]:
    return [b"line %d" % n for n in range(first, first + count)]


def viewport_of(buffer: LogBuffer, width: int = 20, height: int = 5) -> Viewport:
    viewport = Viewport()
    viewport.width, viewport.height = width, height
    viewport.show(buffer)
    viewport.arrange()
    return viewport


def moved(viewport: Viewport, rows: int) -> tuple[int, int]:
    """The first and last line in sight after a scroll."""
    viewport.scroll(rows)
    viewport.arrange()
    return viewport.first, viewport.last


def test_an_empty_log_has_no_row():
    viewport = viewport_of(LogBuffer())
    assert (viewport.rows, viewport.first, viewport.last, viewport.lines_below) == ([], 0, -1, 0)
    assert not viewport.scroll(-1)


def test_it_follows_the_end_until_it_is_scrolled_and_again_at_the_end():
    buffer = buffer_of(*numbered(20))
    viewport = viewport_of(buffer)
    assert (viewport.first, viewport.last) == (15, 19)
    assert not viewport.scroll(1)
    assert moved(viewport, -2) == (13, 17)
    append(buffer, *numbered(3, 20))
    viewport.arrange()
    assert (viewport.first, viewport.lines_below, viewport.location()) == (13, 5, "scrolled: 5 lines below")
    assert moved(viewport, 4) == (17, 21)
    assert moved(viewport, 1) == (18, 22)
    assert viewport.following


def test_a_pause_stays_until_it_is_taken_back():
    buffer = buffer_of(*numbered(20))
    viewport = viewport_of(buffer)
    viewport.toggle_pause()
    append(buffer, b"more")
    viewport.arrange()
    assert (viewport.last, viewport.location()) == (19, "paused: 1 line below")
    viewport.toggle_pause()
    viewport.arrange()
    assert (viewport.last, viewport.following) == (20, True)


def test_a_wrapped_line_is_scrolled_row_by_row():
    viewport = viewport_of(buffer_of(b"x" * 100, *numbered(3)), width=10)
    assert viewport.rows == [(0, 8), (0, 9), (1, 0), (2, 0), (3, 0)]
    viewport.scroll(-3)
    viewport.arrange()
    assert viewport.rows == [(0, row) for row in range(5, 10)]
    viewport.set_wrap(False)
    viewport.arrange()
    assert viewport.rows == [(number, 0) for number in range(4)]


@pytest.mark.parametrize(("number", "first"), [(50, 48), (0, 0), (98, 95), (97, 95)])
def test_a_line_is_brought_into_the_middle_where_it_was_not_in_sight(number, first):
    viewport = viewport_of(buffer_of(*numbered(100)))
    viewport.reveal(number)
    viewport.arrange()
    assert (viewport.first, viewport.following) == (first, False)


def test_sideways_is_for_lines_that_do_not_wrap():
    viewport = viewport_of(buffer_of(b"x" * 100))
    assert not viewport.sideways(1)
    viewport.set_wrap(False)
    assert viewport.sideways(1)
    assert viewport.layout.left == 10
    assert viewport.sideways(-1)
    assert not viewport.sideways(-1)


async def test_lines_that_do_not_pass_are_not_there():
    buffer = buffer_of(*numbered(100))
    viewport = viewport_of(buffer)
    viewport.line_filter = LineFilter(search=Search("9"))
    await viewport.line_filter.scan(buffer)
    viewport.arrange()
    assert [line.number for line in viewport.lines()] == [95, 96, 97, 98, 99]
    assert moved(viewport, -9) == (59, 90)
    assert viewport.lines_below == 9


@given(
    st.lists(st.integers(0, 45), min_size=1, max_size=30),
    st.integers(1, 12),
    st.integers(1, 8),
    st.lists(st.integers(-9, 9), max_size=8),
)
def test_a_scroll_moves_by_so_many_rows_and_no_further_than_the_ends(lengths, width, height, scrolls):
    viewport = viewport_of(buffer_of(*[b"x" * length for length in lengths]), width, height)
    rows = [(n, row) for n, length in enumerate(lengths) for row in range(max(1, -(-length // width)))]
    top = end = max(0, len(rows) - height)
    for scroll in scrolls:
        top = max(0, min(end, top + scroll))
        viewport.scroll(scroll)
        viewport.arrange()
        assert viewport.rows == rows[top : top + height]
