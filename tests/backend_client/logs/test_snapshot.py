"""Without following, a log ends at what was there when it was asked for."""

import asyncio

import pytest

from backend_client.errors import Refused
from backend_client.logs import follow, snapshot
from backend_client.logs.snapshot import until_asked
from backend_client.models import JobRef
from backend_client.protocol import Closed, Lines, LogQuery, LogSource, Opened

SECOND = 10**9
ASKED = 1_790_000_000 * SECOND
REF = JobRef("c", "", "job", "j", "u")


class Clock:
    """Stands still until it is set."""

    def __init__(self):
        self.time = ASKED

    def __call__(self):
        return self.time

    def reach(self, seconds: float) -> None:
        self.time = max(self.time, ASKED + int(seconds * SECOND))


def at(*seconds: float, rank: int = 0) -> Lines:
    times = [int(ASKED + second * SECOND) for second in seconds]
    return Lines(source=LogSource(1, rank), lines=[b"%g" % s for s in seconds], times=times)


async def growing(clock: Clock, *, rank: int = 0, ahead: float = 0.0, ranks: int = 1, end: int = 100_000):
    """A writer that is never caught up, on a node whose clock may be ahead."""
    yield [Opened(LogSource(1, number)) for number in range(ranks)]
    for n in range(-10, end):
        clock.reach(n + 0.6)
        yield [at(n + ahead, n + ahead + 0.5, rank=rank)]
        await asyncio.sleep(0)
    assert end < 100_000, "it never ended"
    yield [Closed("this is all so far")]


async def seconds(batches, clock) -> list[float]:
    items = [item async for batch in until_asked(batches, now=clock) for item in batch]
    assert items[-1] == Closed("this is all so far")
    return [float(line) for item in items if isinstance(item, Lines) for line in item.lines]


async def test_a_log_that_grows_as_fast_as_it_is_read_ends():
    clock = Clock()
    told = await seconds(growing(clock), clock)
    assert told == [n / 2 for n in range(-20, 5)]


async def test_a_clock_that_is_ahead_costs_no_line():
    clock = Clock()
    told = await seconds(growing(clock, ahead=3600, end=50), clock)
    assert told == [3600 + n / 2 for n in range(-20, 100)]


async def test_a_quiet_rank_does_not_keep_it_open():
    clock = Clock()
    assert (await seconds(growing(clock, ranks=2), clock))[-1] == 2


async def test_other_ranks_tell_what_was_there():
    clock = Clock()

    async def two():
        yield [Opened(LogSource(1, 0)), Opened(LogSource(1, 1))]
        clock.reach(5)
        yield [at(-1, 3), at(-2, -1, rank=1), at(4), at(0, 4.5, rank=1)]
        raise AssertionError("both were over")

    assert await seconds(two(), clock) == [-1, -2, -1, 0]


async def test_what_ends_by_itself_is_whole():
    async def whole():
        yield [Opened(LogSource(1)), at(-3, -2)]
        yield [Closed("Succeeded")]

    items = [item async for batch in until_asked(whole()) for item in batch]
    assert items == [Opened(LogSource(1)), at(-3, -2), Closed("Succeeded")]


async def test_silence_is_no_end_but_an_error(monkeypatch):
    monkeypatch.setattr(snapshot, "SILENCE_SECONDS", 0.05)

    class Silent:
        async def logs(self, query, *, after=""):
            yield [Opened(LogSource(1))]
            await asyncio.Event().wait()

    with pytest.raises(Refused, match="did not end"):
        async for _ in follow(Silent(), LogQuery(ref=REF)):
            pass
