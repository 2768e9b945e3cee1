"""The log on disk: every byte comes back, from any place on, and no more than the cap is kept."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client.local import log_writer
from backend_client.local.log_reader import Position, SegmentReader, parse, segments, since_start, tail_start
from backend_client.local.log_writer import LONGEST, LogWriter
from backend_client.protocol import Gap, Lines

PIECES = st.lists(
    st.tuples(
        st.sampled_from(["stdout", "stderr", "flush"]),
        st.text("ab \r\0", max_size=6).map(str.encode)
        | st.just(b"\n")
        | st.just(b"x\ny\n")
        | st.binary(max_size=4),
    ),
    max_size=30,
)


def write(folder, pieces, cap=2**20):
    writer = LogWriter(folder, 1, cap)
    for stream, data in pieces:
        if stream == "flush":
            writer.flush()
        else:
            writer.write(stream, data)
    writer.close()


def read(folder, position=None):
    """All items from there on."""
    reader, items = SegmentReader(folder, position or Position(1), "here"), []
    while item := reader.read():
        items.append(item)
    reader.close()
    return items


def text(items):
    return b"".join(
        b"\n".join(item.lines) + (b"" if item.open else b"\n") for item in items if isinstance(item, Lines)
    )


@settings(max_examples=80)
@given(PIECES)
def test_one_stream_comes_back_byte_for_byte(pieces):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, [(stream if stream == "flush" else "stdout", data) for stream, data in pieces])
        assert text(read(folder)) == b"".join(data for stream, data in pieces if stream != "flush")


@settings(max_examples=80)
@given(PIECES, st.integers(100, 400))
def test_a_cut_log_is_the_end_of_the_whole_one(pieces, cap):
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as small:
        folder, cut = Path(name), Path(small)
        write(folder, pieces)
        write(cut, pieces, cap)
        items = read(cut)
        assert text(read(folder)).endswith(text(items))
        assert (cut / "1.0").exists() or isinstance(items[0], Gap)
        assert len(segments(cut, 1)) <= 9


@settings(max_examples=80)
@given(PIECES, st.integers(0, 40))
def test_a_tail_is_the_last_lines(pieces, count):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, [(stream if stream == "flush" else "stdout", data) for stream, data in pieces], 500)
        kept = _lines(text(read(folder)))
        assert text(read(folder, tail_start(folder, 1, count))) == b"".join(kept[-count:] if count else [])


def _lines(whole):
    lines = [line + b"\n" for line in whole.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


@settings(max_examples=80)
@given(PIECES)
def test_going_on_from_any_record(pieces):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, pieces)
        data = (folder / "1.0").read_bytes()
        whole = text(read(folder))
        for cut in [place + 1 for place, byte in enumerate(data) if byte == 10]:
            lines, times, stream = parse(data[:cut])
            assert len(lines) == len(times)
            before = b"\n".join(lines) + (b"" if stream else b"\n")
            rest = read(folder, Position(1, 0, cut, stream.decode()))
            assert before + text(rest) == whole


@given(st.binary(max_size=300), st.sampled_from([b"", b"stdout"]))
def test_rubbish_is_no_crash(data, stream):
    lines, times, _ = parse(data, stream)
    assert len(lines) == len(times)


@pytest.mark.parametrize("length", [8, 20, 80, 300, 5000])
def test_the_cut_is_marked_and_the_cap_kept(tmp_path, length):
    cap = 64 * 1024
    count = 5 * cap // length
    write(tmp_path, [("stdout", b"%0*d\n" % (length - 1, number)) for number in range(count)], cap)
    gap, *rest = read(tmp_path)
    assert isinstance(gap, Gap)
    numbers = [int(line[-9:]) for item in rest for line in item.lines]
    assert numbers == list(range(numbers[0], count))
    assert cap - length <= len(numbers) * length <= cap * 9 / 8 + 9 * length


def test_empty_lines_do_not_fill_the_disk(tmp_path):
    cap = 16 * 1024
    write(tmp_path, [("stdout", b"\n" * 1000) for _ in range(40)], cap)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 10 * cap


def test_a_reader_goes_on_through_a_cut(tmp_path):
    writer, reader = LogWriter(tmp_path, 1, 20_000), SegmentReader(tmp_path, Position(1), "here")
    seen = []
    for number in range(2000):
        writer.write("stdout", b"%d\n" % number)
        while item := reader.read():
            seen += item.lines
    writer.close()
    reader.close()
    assert [int(line) for line in seen] == list(range(2000))


def test_an_endless_line_is_not_held_back(tmp_path):
    writer = LogWriter(tmp_path, 1, 2**24)
    writer.write("stdout", b"x" * (3 * LONGEST + 5))
    assert len(text(read(tmp_path))) == 3 * LONGEST
    assert writer.due is not None
    writer.close()
    assert read(tmp_path)[-1].open


def test_since_finds_its_place(tmp_path, monkeypatch):
    clock = iter(range(10**18, 10**18 + 10**12, 10**9))
    monkeypatch.setattr(log_writer.time, "time_ns", lambda: next(clock))
    write(tmp_path, [("stdout", b"%d\n" % number) for number in range(500)], 2**10)
    kept = read(tmp_path)[1:]
    times = [time for item in kept for time in item.times]
    for place in (0, 1, 100, len(times) - 1):
        for early in (0, 1):
            found = read(tmp_path, since_start(tmp_path, 1, times[place] - early))
            assert found[0].times[0] == times[place]
    assert read(tmp_path, since_start(tmp_path, 1, times[-1] + 1)) == []


@pytest.mark.parametrize("torn", [0, 10, 45])
def test_a_full_disk_loses_lines_and_the_log_says_so(tmp_path, monkeypatch, torn):
    writer, real = LogWriter(tmp_path, 1, 2**20), os.write
    writer.write("stdout", b"before\n")

    room = [torn, 0, 0]

    def full(fd, data):
        if size := room.pop(0):
            return real(fd, data[:size])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    writer.write("stdout", b"lost one\nlost two\n")
    writer.write("stderr", b"lost three\n")
    assert writer.missed == writer.missed_ever == 3
    assert writer.due
    monkeypatch.setattr(os, "write", real)
    writer.write("stdout", b"after\n")
    writer.close()
    assert writer.missed == 0
    assert writer.due is None
    *_, gap, last = read(tmp_path)
    assert gap.why == "about 3 lines are missing here: the disk is full (No space left on device)"
    assert last.lines == [b"after"]
    assert text(read(tmp_path)).startswith(b"before\n")


def test_a_segment_that_cannot_be_opened_is_opened_later(tmp_path):
    folder = tmp_path / "log"
    writer = LogWriter(folder, 1, 2**20)  # the folder is not there
    writer.write("stdout", b"lost\n")
    assert writer.missed == 1
    folder.mkdir()
    writer.flush()
    writer.close()
    (gap,) = read(folder)
    assert "no such file" in gap.why


@pytest.mark.parametrize("attempt", [2, 10])
def test_attempts_are_told_apart(tmp_path, attempt):
    write(tmp_path, [("stdout", b"one\n")])
    LogWriter(tmp_path, attempt, 2**20).close()
    assert text(read(tmp_path)) == b"one\n"
    assert read(tmp_path, Position(attempt)) == []


class Clock:
    """`time.monotonic` of the writer, set by hand."""

    now = 100.0

    def __call__(self):
        return self.now


def test_a_bar_that_never_rests_is_written_as_it_grows(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(log_writer.time, "monotonic", clock)
    writer = LogWriter(tmp_path, 1, 2**20)
    for number in range(100):  # ten seconds
        writer.write("stderr", b"\r%d%%" % number)
        clock.now += 0.1
        if writer.due is not None and clock.now >= writer.due:
            writer.flush(clock.now)
    seen = read(tmp_path)
    assert text(seen).endswith(b"\r98%")
    assert seen[-1].open
    assert 20 <= (tmp_path / "1.0").read_bytes().count(b" P ") <= 40


def test_a_bar_does_not_cut_the_lines_of_the_other_stream(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(log_writer.time, "monotonic", clock)
    writer = LogWriter(tmp_path, 1, 2**20)
    writer.write("stderr", b"\r10%")
    clock.now += 0.2
    writer.write("stdout", b"half a ")
    clock.now += 0.1
    writer.flush(clock.now)
    writer.write("stdout", b"line\n")
    writer.close()
    assert text(read(tmp_path)) == b"\r10%\nhalf a line\n"
