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


@settings(deadline=None, max_examples=80)
@given(PIECES)
def test_one_stream_comes_back_byte_for_byte(pieces):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, [(stream if stream == "flush" else "stdout", data) for stream, data in pieces])
        assert text(read(folder)) == b"".join(data for stream, data in pieces if stream != "flush")


@settings(deadline=None, max_examples=80)
@given(PIECES, st.integers(100, 400))
def test_a_cut_log_is_the_end_of_the_whole_one(pieces, cap):
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as small:
        folder, cut = Path(name), Path(small)
        write(folder, pieces)
        write(cut, pieces, cap)
        items = read(cut)
        assert text(read(folder)).endswith(text(items))
        assert (cut / "1.0").exists() or isinstance(items[0], Gap)
        assert len(segments(cut, 1)) <= 2


@settings(deadline=None, max_examples=80)
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


@settings(deadline=None, max_examples=80)
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


def test_the_cut_is_marked_and_the_cap_kept(tmp_path):
    cap = 64 * 1024
    write(tmp_path, [("stdout", b"%d\n" % number) for number in range(20_000)], cap)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= cap
    gap, *rest = read(tmp_path)
    assert isinstance(gap, Gap)
    numbers = [int(line) for item in rest for line in item.lines]
    assert numbers == list(range(numbers[0], 20_000))
    assert len(numbers) > 500


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
    write(tmp_path, [("stdout", b"%d\n" % number) for number in range(500)], 2**14)
    kept = read(tmp_path)[1:]
    times = [time for item in kept for time in item.times]
    for place in (0, 1, 100, len(times) - 1):
        for early in (0, 1):
            found = read(tmp_path, since_start(tmp_path, 1, times[place] - early))
            assert found[0].times[0] == times[place]
    assert read(tmp_path, since_start(tmp_path, 1, times[-1] + 1)) == []


def test_a_full_disk_loses_lines_but_no_job(tmp_path, monkeypatch):
    writer, real = LogWriter(tmp_path, 1, 2**20), os.write
    writer.write("stdout", b"before\n")

    def full(fd, data):
        real(fd, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    writer.write("stdout", b"lost\n")
    assert writer.error == "No space left on device"
    monkeypatch.setattr(os, "write", real)
    writer.write("stdout", b"after\n")
    writer.close()
    assert writer.error == ""
    assert text(read(tmp_path)) == b"before\nafter\n"


@pytest.mark.parametrize("attempt", [2, 10])
def test_attempts_are_told_apart(tmp_path, attempt):
    write(tmp_path, [("stdout", b"one\n")])
    LogWriter(tmp_path, attempt, 2**20).close()
    assert text(read(tmp_path)) == b"one\n"
    assert read(tmp_path, Position(attempt)) == []
