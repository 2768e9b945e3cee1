"""Batches of a log -> progress, by the time of the lines."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from backend_client.progress.log_progress import LINES, LogProgress
from backend_client.protocol import Lines, LogSource

SECOND = 10**9


def batch(*lines: str, start: int = 1, rank: int = 0, attempt: int = 1, **more: bool) -> Lines:
    """One line a second, the first at `start` seconds."""
    source = LogSource(attempt, rank)
    times = [(start + index) * SECOND for index in range(len(lines))]
    return Lines(source=source, lines=[line.encode() for line in lines], times=times, **more)


def steps(first: int, last: int, **more: int) -> Lines:
    return batch(*(f"step {n}/1000 loss {n / 1000}" for n in range(first, last + 1)), start=first, **more)


def figures(*batches: Lines) -> tuple[object, ...]:
    ear = LogProgress()
    found = None
    for one in batches:
        ear.feed(one)
        found = ear.poll() or found
    return (found.step, found.total, found.rate, found.loss) if found else ()


def test_the_rate_is_that_of_the_lines_not_of_the_reading():
    assert figures(steps(1, 30)) == (30, 1000, 1.0, 0.03)


def test_lines_that_are_read_twice_change_nothing():
    assert figures(steps(1, 30), steps(11, 40)) == figures(steps(1, 30), steps(31, 40))


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_overlapping_tails_end_where_the_log_ends(ends: list[int]):
    ends = sorted(ends)
    tails = [steps(max(1, end - LINES + 1), end) for end in ends]
    assert figures(*tails)[:2] == (ends[-1], 1000)


def test_only_news_is_told_and_when_it_was_written():
    ear = LogProgress()
    ear.feed(steps(1, 9))
    assert ear.poll().updated == datetime.fromtimestamp(9, UTC)
    assert ear.poll() is None
    ear.feed(batch("saved a checkpoint", start=50))
    assert ear.poll() is None


def test_the_first_rank_that_speaks_of_progress_is_believed():
    ear = LogProgress()
    ear.feed(batch("waiting for the others", rank=0))
    assert ear.poll() is None
    assert (ear.rank, ear.misses) == (None, 1)
    ear.feed(steps(1, 7, rank=3))
    assert ear.poll().step == 7
    ear.feed(steps(1, 5, rank=1))
    assert (ear.poll().step, ear.rank) == (5, 1)


def test_another_attempt_starts_anew():
    assert figures(steps(1, 900), steps(1, 3, attempt=2))[:2] == (3, 1000)


def test_a_bar_without_newlines_is_read_up_to_what_it_has_finished():
    ear = LogProgress()
    bar = "\r".join(f"train: {n}%|#| {n}/100 [00:0{n}<01:30,  1.00it/s, loss=0.{n}]" for n in (1, 2, 3))
    ear.feed(batch(bar[:-9], open=True))
    assert ear.poll().step == 2
    ear.feed(
        batch(bar[-9:] + "\r" + bar.replace("3/100", "5/100") + "\r", start=2, continues=True, open=True)
    )
    assert ear.poll().step == 5
    ear.feed(batch("half a line", start=3, continues=True))
    assert ear.poll() is None
