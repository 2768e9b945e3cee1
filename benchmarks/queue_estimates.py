"""How often a server's range of a start is right, over replayed traces, beside simpler estimates.

    python -m benchmarks queue_estimates

For each of some hundred jobs that had to wait, on traces that `benchmarks/queue_traces.py` makes from seeds:
the range that would have been told when it came, from what was known then; the queue's widening learns as on
a server. "Factor" is the upper end / the lower end, seen from when it was told; both are counted before they
are rounded, and from one minute on. Beside it: position x the mean gap between the last starts, and the past
waits of jobs of this size.
"""

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import inf
from statistics import median

from msgspec import Struct

from backend.estimates.durations import Durations, PastJob
from backend.estimates.futures import HORIZON, Candidate, Cohort, Holding, simulate_starts
from backend.estimates.past import MOST_ROWS
from backend.estimates.ranges import ends_of, next_widening
from backend_client.queue_snapshot import FlavorQuota, QueueQuota
from benchmarks.queue_replay import Moment, Replay
from benchmarks.queue_traces import Trace, lab, philly

WEEK = 7 * 86400.0
ESTIMATES = 250
LEAST_HISTORY = 30
LAST_GAPS = 20
TARGET_INSIDE = "75 to 90 %"
TARGET_FACTOR = 4.5


class Score(Struct):
    """The ranges of one estimator, and what came."""

    ranges: list[tuple[float, float, float]]
    """(lower end, upper end, true wait) in seconds."""
    middles: list[tuple[float, float]]
    """(point estimate, true wait)."""

    @property
    def inside(self) -> float:
        return sum(low <= true <= high for low, high, true in self.ranges) / max(1, len(self.ranges))

    @property
    def width(self) -> float:
        return median(high - low for low, high, _ in self.ranges)

    @property
    def factor(self) -> float:
        return median(_minute(high) / _minute(low) for low, high, _ in self.ranges)

    @property
    def off(self) -> float:
        """The median of how many times too long or too short the point estimate was."""
        return median(
            max(_minute(guess) / _minute(true), _minute(true) / _minute(guess))
            for guess, true in self.middles
        )


def _minute(seconds: float) -> float:
    return max(60.0, seconds)


class Measured(Struct):
    """All scores of one trace."""

    futures: Score
    pace: Score
    waits: Score
    seconds: list[float]
    """Of one core, for all that wait at a moment."""


def measure(trace: Trace, *, strict: bool = False, estimates: int = ESTIMATES) -> Measured:
    """Replay a trace, estimating some of the jobs that wait, evenly over the trace."""
    total = sum(1 for _ in Replay(trace, strict=strict).moments())
    truth = _truth(trace, strict=strict)
    every = max(1, round(total / estimates))
    measured = Measured(*(Score([], []) for _ in range(3)), [])
    widening, open_ranges = 1.0, list[tuple[float, bool]]()
    replay = Replay(trace, strict=strict)
    for count, moment in enumerate(replay.moments()):
        if count % every or len(replay.ends) < LEAST_HISTORY:
            continue
        while open_ranges and open_ranges[0][0] <= moment.at:
            widening = next_widening(widening, heapq.heappop(open_ranges)[1])
        true = truth[moment.job] - moment.at
        cohort = _cohort(replay, moment, strict=strict)
        began = time.process_time()
        starts = simulate_starts(cohort, seed=1).get(str(moment.job))
        measured.seconds.append(time.process_time() - began)
        if not starts:
            continue
        low, high = ends_of(starts, widening)
        if high < WEEK:
            measured.futures.ranges.append((low, high, true))
            measured.futures.middles.append((starts[len(starts) // 2], true))
            heapq.heappush(open_ranges, (moment.at + min(true, high), low <= true <= high))
        _peers(measured, replay, moment, true)
    return measured


def _truth(trace: Trace, *, strict: bool) -> dict[int, float]:
    replay = Replay(trace, strict=strict)
    for _ in replay.moments():
        pass
    return replay.starts


def _cohort(replay: Replay, moment: Moment, *, strict: bool) -> Cohort:
    """Return what a server would know of the queue at a moment."""
    jobs, now = replay.trace.jobs, moment.at
    past = [
        PastJob(jobs[number].user, jobs[number].gpus, end - replay.starts[number])
        for number, end in islice(reversed(replay.ends.items()), MOST_ROWS)
    ]
    past += [
        PastJob(jobs[held.number].user, jobs[held.number].gpus, now - held.start, ended=False)
        for held in moment.held
    ]
    durations = Durations(past)

    def candidate(number: int, uid: str, at: float) -> Candidate:
        job = jobs[number]
        return Candidate(
            uid, "q", job.gpus, ("gpu",), durations.curve(job.user, job.gpus), at, limit=job.limit
        )

    last_week = [number for number in range(moment.job, -1, -1) if number and jobs[number].at > now - WEEK]
    again = [
        candidate(number, "", jobs[number].at - now + ahead)
        for number in last_week
        for ahead in (WEEK, 2 * WEEK)
        if jobs[number].at - now + ahead < HORIZON
    ]
    holding = [
        Holding(
            "q",
            {"gpu": jobs[held.number].gpus},
            durations.curve(jobs[held.number].user, jobs[held.number].gpus),
            now - held.start,
            jobs[held.number].limit,
        )
        for held in moment.held
    ]
    queue = QueueQuota(name="q", strict=strict, flavors={"gpu": FlavorQuota(replay.trace.gpus)})
    waiting = [candidate(number, str(number), jobs[number].at - now) for number in moment.waiting]
    return Cohort([queue], {}, holding, waiting, again)


def _peers(measured: Measured, replay: Replay, moment: Moment, true: float) -> None:
    jobs, now = replay.trace.jobs, moment.at
    starts = sorted(replay.starts.values())[-LAST_GAPS:]
    gap = (now - starts[0]) / len(starts)
    guess = len(moment.waiting) * gap
    measured.pace.ranges.append((guess / 2, guess * 2, true))
    measured.pace.middles.append((guess, true))
    size = jobs[moment.job].gpus
    waits = sorted(
        start - jobs[number].at
        for number, start in replay.starts.items()
        if jobs[number].gpus == size and start > jobs[number].at
    )
    if len(waits) >= LEAST_HISTORY:
        low, middle, high = (waits[int(share * (len(waits) - 1))] for share in (0.1, 0.5, 0.9))
        measured.waits.ranges.append((low, high, true))
        measured.waits.middles.append((middle, true))


def rows() -> Iterator[tuple[str, str, str]]:
    """Measure both traces; of the lab's the other queueing strategy too."""
    cases: Sequence[tuple[str, Callable[[], Trace], bool]] = (
        ("a lab, 64 GPUs", lab, False),
        ("the same in a StrictFIFO queue", lab, True),
        ("the shape of Philly, 23 GPUs", philly, False),
    )
    for name, make, strict in cases:
        found = measure(make(), strict=strict)
        best, count = found.futures, len(found.futures.ranges)
        true = median(wait for *_, wait in best.ranges)
        yield f"{name}: {count} ranges, true wait, median", _span(true), ""
        yield f"{name}: true start inside the range", f"{best.inside:.0%}", TARGET_INSIDE
        yield f"{name}: factor between its ends, median", f"{best.factor:.1f}", f"<= {TARGET_FACTOR}"
        yield f"{name}: width, median", _span(best.width), ""
        yield f"{name}: the middle is off by a factor of, median", f"{best.off:.2f}", ""
        yield (
            f"{name}: one pass over all that wait, CPU, median",
            f"{median(found.seconds) * 1e3:.0f} ms, worst {max(found.seconds):.1f} s",
            "",
        )
        for peer, score in (
            ("position x pace, within a factor of 2", found.pace),
            ("past waits", found.waits),
        ):
            factor = f"{score.factor:.1f}" if score.factor < inf else "-"
            words = f"{score.inside:.0%} inside, factor {factor}, middle off by {score.off:.1f}"
            yield f"{name}: {peer}", words, ""


def _span(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h"
