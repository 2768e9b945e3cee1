"""What is drawn of a log line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color
from rich.style import Style

from backend_client.logs import Line
from backend_client.logs.shown_line import LONGEST
from backend_client.logs.text import sanitize_line
from backend_client.protocol import LogSource
from tui.log.render import LineLayout, Styles, draw_row, row_count, wrap_offsets

RANKS = (Style(color="red"), Style(color="blue"))
STYLES = Styles(Style(), Style(dim=True), Style(reverse=True), Style(bold=True), Style(underline=True), RANKS)


def line(raw: str, **more) -> Line:
    text, styled = sanitize_line(raw.encode())
    return Line(0, text, styled, **more)


def rows(made: Line, shape: LineLayout, spans=None, *, current=False):
    return [
        draw_row(made, row, shape, STYLES, spans, current=current) for row in range(row_count(made, shape))
    ]


def texts(made: Line, shape: LineLayout) -> list[str]:
    return ["".join(segment.text for segment in strip) for strip in rows(made, shape)]


@pytest.mark.parametrize(
    ("raw", "shape", "drawn"),
    [
        ("abc", LineLayout(5), ["abc  "]),
        ("abcdefg", LineLayout(3), ["abc", "def", "g  "]),
        ("abcdefg", LineLayout(3, wrap=False), ["abc"]),
        ("abcdefg", LineLayout(3, wrap=False, left=5), ["fg "]),
        ("abc", LineLayout(3, wrap=False, left=9), ["   "]),
        ("", LineLayout(3), ["   "]),
        ("漢字漢", LineLayout(5), ["漢字 ", "漢   "]),
        ("a漢字", LineLayout(4), ["a漢 ", "字  "]),
        ("漢", LineLayout(1), [" "]),
        ("abcd", LineLayout(11, times=True), ["         ab", "         cd"]),
        ("ab", LineLayout(6, ranks=True), ["    ab"]),
    ],
)
def test_rows(raw, shape, drawn):
    assert texts(line(raw), shape)[: len(drawn)] == drawn


def test_time_and_rank(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    shape = LineLayout(20, times=True, ranks=True)
    made = line("x", time=1_800_000_000_000, source=LogSource(1, 3))
    assert texts(made, shape)[0][8:14] == "   3 x"
    assert texts(made, shape)[0][2] == ":"


def test_a_mark_is_set_apart():
    assert texts(line("gap", notice=True), LineLayout(12)) == ["-- gap --   "]


def test_a_long_line_is_cut():
    made = line("x" * (LONGEST + 1234))
    assert "".join(texts(made, LineLayout(80))).rstrip().endswith("x … +1,234")
    assert row_count(made, LineLayout(80)) == LONGEST // 80 + 1
    coloured = line("\x1b[31m" + "x" * (LONGEST + 1234))
    assert texts(coloured, LineLayout(80)) == texts(made, LineLayout(80))


def test_colours():
    (strip,) = rows(line("a\x1b[1;31mb\x1b[38;2;1;2;3;48;5;200mc"), LineLayout(3))
    styles = [segment.style for segment in strip]
    assert styles[0].color is None
    assert styles[1].bold
    assert styles[1].color == Color.from_ansi(1)
    assert styles[2].color == Color.from_rgb(1, 2, 3)
    assert styles[2].bgcolor == Color.from_ansi(200)


def test_matches_are_marked_across_colours():
    def spans(_text):
        return [(1, 3), (4, 5)]

    (strip,) = rows(line("ab\x1b[31mcdef"), LineLayout(6), spans)
    assert [(segment.text, bool(segment.style.reverse)) for segment in strip] == [
        ("a", False),
        ("b", True),
        ("c", True),
        ("d", False),
        ("e", True),
        ("f", False),
    ]
    (strip,) = rows(line("abc"), LineLayout(3), spans, current=True)
    assert [segment.text for segment in strip if segment.style.bold] == ["bc"]


@given(
    st.text(max_size=200) | st.lists(st.sampled_from("漢a\x1b[31m \t\u0301é")).map("".join),
    st.integers(1, 40),
    st.booleans(),
    st.booleans(),
)
def test_every_row_is_as_wide_as_the_view(text, width, wrap, times):
    made, shape = line(text), LineLayout(width, wrap, times)
    for strip in rows(made, shape):
        assert strip.cell_length == width
        assert sum(cell_len(segment.text) for segment in strip) == width


@given(st.text(alphabet="ab漢字 é", max_size=100), st.integers(2, 20))
def test_wrapping_loses_nothing(text, width):
    drawn = texts(line(text), LineLayout(width))
    assert "".join(drawn).replace(" ", "") == text.replace(" ", "")
    assert len(wrap_offsets(text, width)) == len(drawn)
