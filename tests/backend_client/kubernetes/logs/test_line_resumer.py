"""One container's log, cut anywhere and rotated at any time: no line twice, none lost without a mark."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend_client.kubernetes.logs.kubelet_lines import KubeletLineSplitter
from backend_client.kubernetes.logs.line_resumer import LineResumer
from backend_client.kubernetes.logs.positions import LogPosition
from backend_client.protocol import Gap, Lines, LogSource
from tests.backend_client.kubernetes.support.kubelet import SECOND, Chunk, LogFile, render

SOURCE = LogSource(1)
PART = 40
"""Bytes of a part of a long line; 16 KiB in truth."""
START = 1_790_000_000 * SECOND
TEXTS = [b"", b"same", b"\r 10%|# |", b"2026-11-24T22:53:48.123456789Z no stamp", b"\xff\x85\xe2\x80\xa8"]


@st.composite
def lines(draw: st.DrawFn) -> list[tuple[int, list[bytes]]]:
    """(nanoseconds since the line before, its records)."""
    steps = st.sampled_from([0, 1, 7, SECOND // 3, SECOND, 4 * SECOND, -SECOND // 2, -3 * SECOND])
    text = st.sampled_from(TEXTS)
    parts = st.one_of(text.map(lambda t: [t]), st.lists(st.just(b"x" * PART), min_size=2, max_size=3))
    return draw(st.lists(st.tuples(steps, parts), max_size=6))


ROUNDS = st.lists(
    st.tuples(
        lines(),
        st.one_of(st.none(), st.integers(0, 12)),
        lines(),
        st.one_of(st.none(), st.floats(0, 1)),
        st.integers(1, 5),
    ),
    max_size=7,
)
"""Each: what is written, records that a rotation leaves, what is written while it is read, the part of the
answer after which it is cut, in how many pieces it comes."""


class Writer:
    """Numbers the lines, and never lets the clock step back further than is promised to be harmless."""

    def __init__(self) -> None:
        self.file = LogFile()
        self.high = self.time = START
        self.count = 0

    def write(self, said: list[tuple[int, list[bytes]]]) -> list[Chunk]:
        chunks = []
        for step, parts in said:
            for place, part in enumerate(parts):
                odd = self.count if step < 0 else 0  # no clock that steps back meets a nanosecond again
                self.time = max(self.time + (step + odd if not place else 1), self.high - 4 * SECOND + odd)
                if step > 0 or place:
                    self.time = max(self.time, self.high + 1)
                self.high = max(self.high, self.time)
                self.count += 1
                number = b"" if part in TEXTS[:2] else b"%d " % self.count
                chunks.append(Chunk(self.time, number + part, place < len(parts) - 1))
        self.file.write(*chunks)
        return chunks

    def rotate(self, keep: int) -> None:
        """It takes more than a nanosecond: what it leaves is not, stamp and all, what it takes away."""
        chunks = self.file.chunks
        while keep and keep < len(chunks) and chunks[-keep].time == chunks[-keep - 1].time:
            keep -= 1
        self.file.rotate(keep)
        self.time = self.high = self.high + 1


def pieces(data: bytes, count: int) -> list[bytes]:
    size = max(1, -(-len(data) // count))
    return [data[at : at + size] for at in range(0, len(data), size)]


def segments(items: list[Lines | Gap]) -> list[bytes]:
    """What was told, in pieces between the gaps; a piece that a gap broke off has no newline at its end."""
    told = [b""]
    for item in items:
        if isinstance(item, Gap):
            told.append(b"")
        else:
            told[-1] += b"\n".join(item.lines) + b"\n" * (not item.open)
    return told


@given(ROUNDS)
@settings(max_examples=200)
@example([([(0, [b"same"]), (1, [b"same"])], None, [], None, 1)] * 2)
@example([([(0, [b"same"])], None, [(1, [b""])], None, 1), ([], 0, [(0, [b""])], None, 1)])
def test_each_line_once_and_every_loss_marked(rounds: list[tuple]) -> None:
    writer = Writer()
    items: list[Lines | Gap] = []
    mark = ""
    for before, keep, meanwhile, cut, count in rounds:
        writer.write(before)
        if keep is not None:
            writer.rotate(keep)
        found = LogPosition.parse(mark) if mark else None
        answer = writer.file.given(found.since if found else 0)
        begun = bool(writer.file.chunks) and writer.file.chunks[-1].partial
        answer += render(writer.write(meanwhile), found.since if found else 0, begun=begun)
        tail = LineResumer(SOURCE, found, long=PART // 2)
        for piece in pieces(answer if cut is None else answer[: int(len(answer) * cut)], count):
            items += tail.feed(piece)
            if count % 2:
                items += tail.flush()
        if cut is None:
            items += tail.end()
        mark = str(tail.position) if tail.position else ""
    found = LogPosition.parse(mark) if mark else None
    tail = LineResumer(SOURCE, found, long=PART // 2)
    items += tail.feed(writer.file.given(found.since if found else 0)) + tail.end()
    at, told = 0, segments(items)
    for place, segment in enumerate(told):
        start = writer.file.written.find(segment, at)
        assert start >= 0, (segment, writer.file.written[at:])
        assert place or not start or any(keep is not None for _, keep, *_ in rounds)
        at = start + len(segment)
    if writer.file.chunks:
        assert at == len(writer.file.written) or writer.file.written.endswith(told[-1])


def told(data: bytes, **given: object) -> list[Lines | Gap]:
    tail = LineResumer(SOURCE, **given)  # type: ignore[arg-type]
    return tail.feed(data) + tail.end()


def test_stamps_may_have_a_zone_and_any_fraction() -> None:
    stamped = KubeletLineSplitter()
    lines, times = stamped.feed(
        b"2026-11-24T12:00:00Z a\n2026-11-24T14:00:00.5+02:00 b\n2026-11-24T12:00:01.000000001Z c\n"
    )
    assert lines == [b"a", b"b", b"c"]
    assert [time - times[0] for time in times] == [0, SECOND // 2, SECOND + 1]


def test_a_line_without_a_stamp_is_as_old_as_the_one_before() -> None:
    stamped = KubeletLineSplitter()
    lines, times = stamped.feed(b"2026-11-24T12:00:00Z a\nunable to read\n2026-99-99T99:99:99Z b\n")
    assert lines == [b"a", b"unable to read", b"b"]
    assert times[0] == times[1]
    assert times[2] == 0


def test_the_tail_of_a_line_that_began_too_early_is_left_out() -> None:
    long = [Chunk(START, b"head", partial=True), Chunk(START + 9 * SECOND, b"tail")]
    (batch,) = told(render([*long, Chunk(START + 9 * SECOND, b"next")], START // SECOND + 5), since=START + 1)
    assert isinstance(batch, Lines)
    assert batch.lines == [b"next"]


def test_since_is_kept_to_the_nanosecond() -> None:
    (batch,) = told(render([Chunk(START, b"a"), Chunk(START + 1, b"b")]), since=START + 1)
    assert isinstance(batch, Lines)
    assert batch.lines == [b"b"]


def test_a_bar_that_never_ends_its_line_is_shown_as_it_grows() -> None:
    tail = LineResumer(SOURCE)
    bar = b"\r 10%" * 4000
    (first,) = tail.feed(render([Chunk(START, bar, partial=True)]))
    (more,) = tail.feed(bar)
    assert isinstance(first, Lines)
    assert isinstance(more, Lines)
    assert (first.open, first.continues, more.open, more.continues) == (True, False, True, True)
    again = LineResumer(SOURCE, tail.position)
    (rest,) = again.feed(render([Chunk(START, bar + bar + b"done")]))
    assert rest == Lines(source=SOURCE, lines=[b"done"], times=[START], continues=True)


def test_a_gap_says_when() -> None:
    mark = LogPosition().behind(Lines(source=SOURCE, lines=[b"a"], times=[START]))
    gap, batch = told(render([Chunk(START + 24 * SECOND, b"b")]), position=mark)
    assert gap == Gap(SOURCE, "possible gap 14:13:20-14:13:44 (log rotated or file lost)")
    assert isinstance(batch, Lines)
    assert batch.lines == [b"b"]


STAMPS = [b"2026-11-24T22:53:48.123456789Z ", b"2026-11-24T22:53:48Z ", b"2026-11-24T23:53:48.5+01:00 ", b""]


@given(st.lists(st.tuples(st.sampled_from(STAMPS), st.sampled_from(TEXTS)), min_size=1), st.booleans())
def test_usual_lines_are_read_as_all_others(said: list[tuple[bytes, bytes]], inside: bool) -> None:
    text = b"\n".join(stamp + line for stamp, line in said)
    quick, slow = KubeletLineSplitter(), KubeletLineSplitter()
    quick.mid_line = slow.mid_line = inside
    assert quick.feed(text + b"\n") == slow._one_by_one(text)
    assert (quick.mid_line, quick._time) == (slow.mid_line, slow._time)
