"""The resumer over a backend whose link breaks."""

import itertools

import pytest

from backend_client.errors import NotFound, Unreachable
from backend_client.logs import follow
from backend_client.models import JobRef
from backend_client.protocol import Closed, Lines, LogQuery, LogSource, Opened

REF = JobRef("c", "", "job", "j", "u")
A = LogSource(1)


class Broken:
    """Serves lines 0-9, one a batch; the link breaks after each of `breaks` lines, in the way it names."""

    def __init__(self, *breaks):
        self.breaks = list(breaks)
        self.asked: list[tuple[int | None, str]] = []

    async def logs(self, query, *, after=""):
        self.asked.append((query.tail, after))
        count, way = self.breaks.pop(0) if self.breaks else (99, "")
        at = int(after or 0)
        if count == 0 and way == "refuse":
            raise Unreachable("nobody answers", retry_after=7)
        yield [Opened(A)]
        for n in range(at, min(10, at + count)):
            yield [Lines(source=A, lines=[b"%d" % n], times=[n], cursor=str(n + 1))]
        if way == "closed":
            yield [Closed("reset", lost=True)]
        elif way == "raise":
            raise Unreachable("reset")
        elif way == "gone":
            raise NotFound("deleted")
        elif not way:
            yield [Closed("exit 0")]


async def collect(backend):
    waits, items = [], []

    async def sleep(seconds):
        waits.append(seconds)

    async for batch in follow(backend, LogQuery(ref=REF, tail=5), sleep=sleep, random_part=lambda: 1.0):
        items += batch
    return items, waits


async def test_every_line_once_whatever_breaks():
    ways = itertools.cycle(["closed", "raise", "end"])
    backend = Broken(*((n % 3, next(ways)) for n in range(9)))
    items, _ = await collect(backend)
    assert [line for item in items if isinstance(item, Lines) for line in item.lines] == [
        b"%d" % n for n in range(10)
    ]
    assert items.count(Opened(A)) == 1
    assert items[-1] == Closed("exit 0")
    assert all(item.lost for item in items[:-1] if isinstance(item, Closed))


async def test_the_wait_doubles_and_starts_again_with_a_line():
    backend = Broken(*[(0, "closed")] * 7, (1, "raise"), (0, "end"))
    _, waits = await collect(backend)
    assert waits == pytest.approx([0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 0.8, 1.6])


async def test_a_named_wait_is_kept():
    _, waits = await collect(Broken((0, "refuse")))
    assert waits == [7]


async def test_tail_says_only_where_to_begin():
    backend = Broken((0, "closed"), (2, "closed"))
    await collect(backend)
    assert backend.asked == [(5, ""), (5, ""), (None, "2")]


async def test_other_errors_pass():
    with pytest.raises(NotFound):
        await collect(Broken((3, "gone")))


async def test_the_link_is_said_to_be_back():
    backend = Broken((0, "closed"), (0, "raise"))

    async def no_sleep(seconds):
        pass

    batches = [list(batch) async for batch in follow(backend, LogQuery(ref=REF), sleep=no_sleep)]
    assert batches[:5] == [[Opened(A)], [Closed("reset", lost=True)], [], [Closed("reset", lost=True)], []]


async def test_a_consumer_that_leaves_closes_the_stream():
    closed = []

    class Endless:
        async def logs(self, query, *, after=""):
            try:
                while True:
                    yield [Lines(source=A, lines=[b"x"], times=[1])]
            finally:
                closed.append(True)

    stream = follow(Endless(), LogQuery(ref=REF))
    await anext(stream)
    await stream.aclose()
    assert closed == [True]
