"""Lanes that are merged by time: what goes in comes out, in order as far as the window reaches."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from backend_client.logs.merge import LineMerger, MergedStream
from backend_client.protocol import Gap, Lines, LogItem, LogSource, Opened

A, B = LogSource(1, 0), LogSource(1, 1)


def batch(source: LogSource, *times: int, **more: bool) -> Lines:
    return Lines(source=source, lines=[b"%d" % time for time in times], times=list(times), **more)


def order(taken: list[tuple[int, LogItem]]) -> list[tuple[int, int]]:
    return [(lane, time) for lane, item in taken if isinstance(item, Lines) for time in item.times]


def two() -> LineMerger:
    merge = LineMerger(0.3)
    merge.open(0, -9.0)
    merge.open(1, -9.0)
    return merge


def test_one_lane_does_not_wait() -> None:
    merge = LineMerger(0.3)
    merge.open(0, -9.0)
    merge.put(0, [Opened(A), batch(A, 1, 2)], 0.0)
    assert merge.take(0.0) == [(0, Opened(A)), (0, batch(A, 1, 2))]
    assert merge.wait(0.0) is None


def test_lanes_that_both_have_lines_are_merged_at_once_as_far_as_both_reach() -> None:
    merge = two()
    merge.put(0, [batch(A, 1, 4, 5)], 0.0)
    merge.put(1, [batch(B, 2, 3, 9)], 0.0)
    assert order(merge.take(0.0)) == [(0, 1), (1, 2), (1, 3), (0, 4), (0, 5)]
    assert order(merge.take(0.2)) == []
    assert merge.wait(0.2) == 0.3 - 0.2
    assert order(merge.take(0.3)) == [(1, 9)]


def test_a_line_waits_for_an_older_one_of_a_quiet_lane() -> None:
    merge = two()
    merge.put(0, [batch(A, 5)], 0.0)
    assert order(merge.take(0.2)) == []
    merge.put(1, [batch(B, 4)], 0.25)
    assert order(merge.take(0.25)) == [(1, 4)]
    assert order(merge.take(0.3)) == [(0, 5)]


def test_a_closed_lane_is_not_waited_for() -> None:
    merge = two()
    merge.put(0, [batch(A, 5)], 0.0)
    merge.close(1)
    assert order(merge.take(0.0)) == [(0, 5)]


def test_what_is_no_line_goes_out_at_once_in_its_place() -> None:
    merge = two()
    merge.put(0, [Opened(A), batch(A, 5), Gap(A, "rotated")], 0.0)
    assert merge.take(0.0) == [(0, Opened(A))]
    assert merge.take(0.3) == [(0, batch(A, 5)), (0, Gap(A, "rotated"))]


def test_a_batch_that_is_parted_keeps_its_ends() -> None:
    merge = two()
    merge.put(0, [batch(A, 1, 5, continues=True, open=True)], 0.0)
    merge.put(1, [batch(B, 3)], 0.0)
    assert [item for _, item in merge.take(1.0)] == [
        batch(A, 1, continues=True),
        batch(B, 3),
        batch(A, 5, open=True),
    ]


BATCHES = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.integers(0, 50), min_size=1, max_size=5), st.integers(0, 2)),
    max_size=30,
)


@given(BATCHES)
def test_nothing_is_lost_and_a_lane_keeps_its_order(puts: list[tuple[int, list[int], int]]) -> None:
    merge = LineMerger(2.0)
    for lane in range(4):
        merge.open(lane, -9.0)
    now, taken, given_ = 0.0, [], {lane: [] for lane in range(4)}
    for lane, times, wait in puts:
        merge.put(lane, [batch(LogSource(1, lane), *times)], now)
        given_[lane] += times
        now += wait
        taken += order(merge.take(now))
    taken += order(merge.take(now + 2.0))
    assert {lane: [time for of, time in taken if of == lane] for lane in given_} == given_


@given(st.lists(st.lists(st.integers(0, 99), max_size=20).map(sorted), min_size=1, max_size=4))
def test_whole_sorted_lanes_come_out_sorted(lanes: list[list[int]]) -> None:
    merge = LineMerger(0.3)
    for lane, times in enumerate(lanes):
        merge.put(lane, [batch(LogSource(1, lane), time) for time in times], 0.0)
    times = [time for _, time in order(merge.take(0.0))]
    assert times == sorted(time for lane in lanes for time in lane)


async def test_a_slow_reader_slows_the_writers() -> None:
    funnel, written = MergedStream(), 0
    funnel.open(0)

    async def write() -> None:
        nonlocal written
        for _ in range(10):
            await funnel.put(0, [batch(A, *range(15_000))])
            written += 1
        funnel.close(0)
        funnel.finish()

    task = asyncio.create_task(write())
    for _ in range(50):
        await asyncio.sleep(0)
    assert written == 1
    got = [item async for batches in funnel.batches() for _, item in batches]
    await task
    assert sum(len(item.lines) for item in got if isinstance(item, Lines)) == 150_000
