"""A log as text: of one rank its bytes, of several whole lines that are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.logs.plain_text import PlainText
from backend_client.protocol import Lines, LogSource

SECOND = 10**9
STAMP = "1970-01-01T00:00:01.000000000Z "


def batch(*lines: str, rank: int = 0, attempt: int = 1, **more: bool) -> Lines:
    raw = [line.encode() for line in lines]
    return Lines(source=LogSource(attempt, rank), lines=raw, times=[SECOND] * len(raw), **more)


def text(*batches: Lines, **options: bool) -> str:
    written = PlainText(**options)
    return (b"".join(map(written.encode, batches)) + written.end()).decode()


BAR = batch("a", "10%", open=True), batch("\r20%", open=True, continues=True), batch("", "b", continues=True)


@pytest.mark.parametrize(
    ("batches", "options", "expected"),
    [
        (BAR, {}, "a\n10%\r20%\nb\n"),
        (BAR[:2], {}, "a\n10%\r20%"),
        (BAR, {"timestamps": True}, f"{STAMP}a\n{STAMP}10%\r20%\n{STAMP}b\n"),
        (BAR, {"several": True}, "[0] a\n[0] 10%\r20%\n[0] b\n"),
        (BAR[:2], {"several": True}, "[0] a\n[0] 10%\r20%\n"),
        ((batch("half", open=True), batch("next", attempt=2)), {}, "half\nnext\n"),
        ((batch("half", open=True), batch("next")), {"several": True}, "[0] half\n[0] next\n"),
        ((batch("a"), batch("b", rank=1), batch("c")), {}, "a\n[1] b\n[0] c\n"),
        (
            (batch("a", open=True), batch("b", rank=1), batch("c", continues=True)),
            {"several": True},
            "[1] b\n[0] ac\n",
        ),
        ((batch("a", open=True), batch("b", rank=1), batch("c", continues=True)), {}, "a\n[1] b\n[0] c\n"),
        ((Lines(source=LogSource(1), lines=[], times=[], open=True),), {"several": True}, ""),
    ],
)
def test_lines_and_unfinished_ones(batches, options, expected):
    assert text(*batches, **options) == expected


def test_a_gap_ends_the_line():
    written = PlainText()
    assert written.encode(batch("half", open=True)) + written.notice("rotated") == b"half\n--- rotated ---\n"


PIECES = st.lists(st.tuples(st.integers(0, 2), st.text("ab\n", min_size=1, max_size=6)), max_size=20)


@given(PIECES)
def test_no_line_is_cut_by_another_ranks(pieces):
    """However the ranks write between each other, each one's bytes are there in whole lines."""
    written, out, is_open, wrote = PlainText(several=True), b"", {}, {0: "", 1: "", 2: ""}
    for rank, piece in pieces:
        lines = piece.split("\n")
        unfinished = lines[-1] != ""
        if not unfinished:
            lines.pop()
        out += written.encode(batch(*lines, rank=rank, open=unfinished, continues=is_open.get(rank, False)))
        is_open[rank] = unfinished
        wrote[rank] += piece
    out += written.end()
    for rank, whole in wrote.items():
        expected = whole.removesuffix("\n").split("\n") if whole else []
        mark = f"[{rank}] "
        assert [line[4:] for line in out.decode().split("\n") if line.startswith(mark)] == expected
