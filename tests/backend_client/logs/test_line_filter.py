"""Lines of one rank, lines with some words, and a walk over them, against a plain filter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.logs import LineFilter, LogBuffer, Search
from backend_client.protocol import Closed, Lines, LogSource


def written(*said: tuple[int, bytes], unfinished: int | None = None, limit: int = 2**20) -> LogBuffer:
    buffer = LogBuffer(limit)
    for rank, text in said:
        buffer.append([Lines(source=LogSource(1, rank), lines=[text], times=[1])])
    if unfinished is not None:
        buffer.append([Lines(source=LogSource(1, unfinished), lines=[b"bar"], times=[1], open=True)])
    return buffer


SIEVES = [
    LineFilter,
    lambda: LineFilter(1),
    lambda: LineFilter(None, Search("a")),
    lambda: LineFilter(0, Search.parse("/a|b/")),
]
SAID = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([b"a", b"b", b"\x1b[31mab", b""])), max_size=30)


@pytest.mark.parametrize("make", SIEVES)
@given(
    said=SAID,
    more=SAID,
    unfinished=st.none() | st.integers(0, 2),
    at=st.integers(0, 40),
    count=st.integers(0, 9),
)
async def test_a_walk_is_that_of_a_plain_filter(make, said, more, unfinished, at, count):
    buffer, sieve = written(*said), make()
    await sieve.scan(buffer)
    for rank, text in more:
        buffer.append([Lines(source=LogSource(1, rank), lines=[text], times=[1])])
    if unfinished is not None:
        buffer.append([Lines(source=LogSource(1, unfinished), lines=[b"bar"], times=[1], open=True)])
    await sieve.scan(buffer)
    wanted = [line for line in buffer.lines(0, buffer.end) if sieve.passes(line)]
    assert sieve.after(buffer, at, count) == [line for line in wanted if line.number >= at][:count]
    before = [line for line in wanted if line.number < at]
    assert sieve.count_after(buffer, at - 1) == len(wanted) - len(before)
    if not sieve.passes_all:
        assert sieve.before(buffer, at, count) == before[max(0, len(before) - count) :]
        assert all(sieve.has(line.number) for line in wanted if line.number < buffer.closed)


async def test_what_was_dropped_is_forgotten():
    buffer = written(*[(n % 2, b"x" * 1000) for n in range(2000)], limit=600_000)
    sieve = LineFilter(1)
    await sieve.scan(buffer)
    assert buffer.first > 0
    first = sieve.after(buffer, 0, 1)[0].number
    assert first in (buffer.first, buffer.first + 1)
    assert sieve.before(buffer, first, 5) == []


async def test_our_own_sentences_are_of_every_rank():
    buffer = written((0, b"a"), (1, b"b"))
    buffer.append([Closed("the job has ended")])
    sieve = LineFilter(1)
    await sieve.scan(buffer)
    assert [line.text for line in sieve.after(buffer, 0, 9)] == ["b", "the job has ended"]
