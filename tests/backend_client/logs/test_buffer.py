"""The buffer against a model: what was written, split at newlines."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.logs import LogBuffer, Search
from backend_client.logs import search as search_module
from backend_client.logs.text import sanitize_line
from backend_client.protocol import Closed, Gap, Lines, LogSource, Opened

A, B = LogSource(1), LogSource(1, 1)
NOON = 1_800_000_000_000_000_000
SECOND = 10**9


def batch(*lines: bytes, source: LogSource = A, time: int = NOON, **more: bool) -> Lines:
    return Lines(source=source, lines=list(lines), times=[time] * len(lines), **more)


def texts(buffer: LogBuffer) -> list[str]:
    return [line.text for line in buffer.lines(0, buffer.end)]


def test_lines_and_their_times():
    buffer = LogBuffer()
    assert buffer.append([Opened(A), batch(b"one", b"two"), batch(b"three", time=NOON + SECOND)]) == 0
    lines = list(buffer.lines(0, 99))
    assert [(line.number, line.text) for line in lines] == [(0, "one"), (1, "two"), (2, "three")]
    assert [line.time for line in lines] == [NOON // 10**6] * 2 + [NOON // 10**6 + 1000]
    assert lines[0].source == A
    assert [line.text for line in buffer.lines(1, 2)] == ["two"]
    assert buffer.append([batch(b"four")]) == 3


def test_a_bar_is_one_line_that_changes():
    buffer = LogBuffer()
    buffer.append([batch(b"start", b"\r 10%", open=True)])
    assert buffer.append([batch(b"\r 20%", continues=True, open=True)]) == 1
    assert texts(buffer) == ["start", " 20%"]
    assert (buffer.closed, buffer.end) == (1, 2)
    buffer.append([batch(b"\r100%", b"done", continues=True)])
    assert texts(buffer) == ["start", "100%", "done"]
    assert buffer.closed == 3


def test_an_escape_in_two_pieces():
    buffer = LogBuffer()
    buffer.append([batch(b"a\x1b[3", open=True)])
    assert texts(buffer) == ["a"]
    buffer.append([batch(b"1mred", continues=True)])
    assert next(buffer.lines(0, 1)).styled == "a\x1b[31mred"


def test_bars_of_several_ranks_stand_last():
    buffer = LogBuffer()
    buffer.append([batch(b"bar 0", open=True), batch(b"bar 1", source=B, open=True)])
    buffer.append([batch(b"\rbar 0!", b"line 0", b"rest 0", continues=True, open=True)])
    assert texts(buffer) == ["bar 0!", "line 0", "bar 1", "rest 0"]
    buffer.append([batch(b"line 1", source=B)])
    assert texts(buffer) == ["bar 0!", "line 0", "bar 1", "line 1", "rest 0"]
    assert [line.source for line in buffer.lines(0, 9)] == [A, A, B, B, A]
    assert buffer.ranks == 2


def test_marks():
    buffer = LogBuffer()
    second = LogSource(2, 0, "gpu-7")
    buffer.append([Opened(A), batch(b"x", open=True), Gap(A, "\x1b[31mrotated\nfile"), Opened(second)])
    buffer.append([Closed("link broke", lost=True)])
    buffer.append([batch(b"y", source=second, open=True), Closed("exit 0")])
    lines = list(buffer.lines(0, 9))
    assert [(line.text, line.notice) for line in lines] == [
        ("lines are missing here: rotated file", True),
        ("x", False),
        ("attempt 2 on gpu-7", True),
        ("y", False),
        ("exit 0", True),
    ]
    assert lines[0].time == 0
    assert lines[1].time == lines[3].time == NOON // 10**6


def test_colours_are_kept_beside_the_text():
    buffer = LogBuffer()
    buffer.append([batch(b"plain", b"\x1b[31mred\x1b[0m", b"\xc3\xa9", b"\x1b[1mbold")])
    buffer.append([batch(b"later", b"\x1b[32mgreen")])
    assert [(line.text, line.styled) for line in buffer.lines(1, 6)] == [
        ("red", "\x1b[31mred\x1b[0m"),
        ("é", ""),
        ("bold", "\x1b[1mbold"),
        ("later", ""),
        ("green", "\x1b[32mgreen"),
    ]


def test_clocks_that_step():
    buffer = LogBuffer()
    buffer.append([batch(b"a"), batch(b"b", time=NOON - 86400 * SECOND), batch(b"c", time=10**9)])
    buffer.append([batch(b"d", time=NOON + 1)])
    times = [line.time for line in buffer.lines(0, 9)]
    assert times[:2] == [NOON // 10**6, NOON // 10**6 - 86_400_000]
    assert times[3] == NOON // 10**6


@pytest.mark.parametrize("open_", [True, False])
def test_a_line_of_a_megabyte(open_):
    buffer = LogBuffer()
    for part in range(16):
        buffer.append([batch(b"x" * 65536, continues=part > 0, open=open_ or part < 15)])
    (line,) = buffer.lines(0, 9)
    assert line.text == "x" * 65536 + " … +983,040 bytes"
    assert buffer.size < 70_000
    buffer.append([batch(b"y" * 2**20, b"ok")])
    assert [len(line.text) for line in buffer.lines(1, 3)] == [65536 + 17, 2]


def test_a_newline_that_a_backend_should_not_send():
    buffer = LogBuffer()
    buffer.append([batch(b"a\nb", b"c")])
    assert texts(buffer) == ["a␊b", "c"]


def test_the_oldest_go_first():
    buffer = LogBuffer(limit=2**20)
    for start in range(0, 100_000, 1000):
        buffer.append([batch(*(b"line %06d %s" % (n, b"." * 40) for n in range(start, start + 1000)))])
    assert buffer.end == 100_000
    assert buffer.size < 1.5 * 2**20
    assert 50_000 < buffer.first < 100_000
    assert next(buffer.lines(0, buffer.end)).text.startswith(f"line {buffer.first:06}")
    assert sum(1 for _ in buffer.lines(0, buffer.end)) == buffer.end - buffer.first


@given(st.lists(st.tuples(st.binary(max_size=30), st.sampled_from([A, B]))), st.data())
def test_against_a_model(chunks, data):
    buffer = LogBuffer()
    written: dict[LogSource, bytes] = {A: b"", B: b""}
    for chunk, source in chunks:
        if not chunk:
            continue
        before = written[source]
        continues = bool(before) and not before.endswith(b"\n")
        written[source] = before + chunk
        lines = chunk.removesuffix(b"\n").split(b"\n")
        buffer.append([batch(*lines, source=source, continues=continues, open=not chunk.endswith(b"\n"))])
    for source, raw in written.items():
        expected = raw.removesuffix(b"\n").split(b"\n") if raw else []
        shown = [line.text for line in buffer.lines(0, buffer.end) if line.source == source]
        assert shown == [sanitize_line(line)[0] for line in expected]
    start = data.draw(st.integers(0, buffer.end))
    assert list(buffer.lines(start, start + 3)) == list(buffer.lines(0, buffer.end))[start : start + 3]


def filled(*lines: bytes) -> LogBuffer:
    buffer = LogBuffer()
    for start in range(0, len(lines), 1000):
        buffer.append([batch(*lines[start : start + 1000])])
    return buffer


def hits(buffer: LogBuffer, typed: str) -> list[int]:
    search = Search.parse(typed)
    return sorted(
        block.first + index for block in buffer.blocks() for index in search.lines(bytes(block.text))
    )


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("loss", [0, 1]),
        ("Loss", [1]),
        ("e.r", []),
        ("/e.r/", [2, 3]),
        ("/^step/", [0]),
        ("/[^x]$/", [0, 1, 2, 3, 4]),
        ("größe", [4]),
        ("GRÖSSE", []),
        ("[", []),
        ("nothing", []),
    ],
)
def test_search(typed, found):
    buffer = filled(b"step 1 loss loss", b"Loss 2", b"error", b"ear", "Größe".encode(), b"x")
    assert hits(buffer, typed) == found


def test_search_over_blocks():
    buffer = filled(*(b"line %06d %s" % (n, b"." * 40) for n in range(20_000)))
    assert hits(buffer, " 00123") == [*range(1230, 1240)]
    assert len(list(buffer.blocks())) > 3


def test_spans():
    assert Search.parse("lo").spans("Lo loLO") == [(0, 2), (3, 5), (5, 7)]
    assert Search.parse("/x*/").spans("axxb") == [(1, 3)]


def test_a_wrong_expression_is_said_in_words():
    with pytest.raises(ValueError, match="Not a regular expression"):
        Search.parse("/(/")


def test_an_expression_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(search_module, "BLOCK_SECONDS", 0.05)
    search = Search.parse("/(a|aa)+$/")
    assert search.lines(b"a" * 40 + b"b") == []
    assert search.slow
    assert search.spans("a" * 40 + "b") == []


def test_memory_is_little_more_than_the_text():
    line = b"2026-11-24 10:00:00 INFO step %d/1000000 loss 0.4127 lr 3.0e-05 1.9 it/s gpu 71%% mem 40.1GiB"
    buffer = filled(*(line % n for n in range(50_000)))
    size = sum(
        sys.getsizeof(part)
        for block in buffer._blocks
        for part in (block.text, block.times, block.styled, block.styled_at, block.runs, block.notices)
    )
    assert size < 1.2 * buffer.size
