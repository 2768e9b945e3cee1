"""Frames come out whole, wherever the bytes were cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.server import sse
from backend_client.server.sse import SseEvent, SseParser
from backend_client.server.wire import HEARTBEAT, frame

TEXT = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))
FRAMES = st.lists(st.builds(SseEvent, TEXT.filter(bool), TEXT.map(str.encode), TEXT))


def parsed(data, cuts):
    parser, places = SseParser(), sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    pieces = [data[start:end] for start, end in pairwise(places)]
    return [one for piece in pieces for one in parser.feed(piece)]


@given(FRAMES, st.lists(st.integers(0, 500)), st.booleans())
def test_cut_anywhere(frames, cuts, windows):
    data = b"".join(frame(one.event, one.data, one.id) for one in frames)
    assert parsed(data.replace(b"\n", b"\r\n") if windows else data, cuts) == frames


def test_what_else_the_format_has():
    assert parsed(HEARTBEAT, []) == [SseEvent()]
    assert parsed(b"data:one\ndata: two\nretry: 5\nnonsense\n\n", []) == [SseEvent("", b"one\ntwo")]
    assert parsed(b"event: half\ndata: {", []) == []


@pytest.mark.parametrize("piece", [b"x" * 100, b"data: " + b"x" * 100 + b"\n"])
def test_a_frame_without_end(monkeypatch, piece):
    monkeypatch.setattr(sse, "LONGEST_EVENT", 1000)
    with pytest.raises(ValueError, match="more than"):
        parsed(piece * 20, range(0, 2000, 7))


def test_many_frames_are_not_one_long_one(monkeypatch):
    monkeypatch.setattr(sse, "LONGEST_EVENT", 1000)
    parser = SseParser()
    assert sum(len(parser.feed(frame("e", b"x" * 90))) for _ in range(100)) == 100
