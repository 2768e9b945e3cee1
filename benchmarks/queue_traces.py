"""Traces of a GPU queue, made from seeds: a lab's, and one of the shape of Microsoft's Philly cluster.

- `lab`: 25 people, each with durations of their own (lognormal), a quarter of the jobs crash early, fewer
  come at night; six in ten have a time limit, 1 to 8 times as long as they run.
- `philly`: the shape of one virtual cluster of Philly, not its trace (Jeon et al., "Analysis of Large-Scale
  Multi-Tenant GPU Clusters for DNN Training Workloads", ATC 2019; github.com/msr-fiddle/philly-traces): 92
  days, about a thousand jobs of 28 hours in the mean, most of one GPU, on 23 GPUs; they come in sweeps, a
  queue of days builds up and goes, and durations drift with the weeks.
"""

from collections.abc import Callable
from math import cos, exp, inf, log, pi
from random import Random

from msgspec import Struct
from msgspec.structs import replace

DAY = 86400.0


class TraceJob(Struct, frozen=True):
    """A job of a trace."""

    at: float
    """Seconds since the start of the trace."""
    user: str
    gpus: int
    seconds: float
    """That it runs."""
    limit: float = inf


class Trace(Struct, frozen=True):
    """Jobs by their arrival, and the GPUs that they share."""

    name: str
    gpus: int
    jobs: list[TraceJob]


def lab(seed: int = 1) -> Trace:
    """Make the trace of a lab: 64 GPUs, load 0.9, 25 days."""
    draw = Random(seed)
    people = [
        (f"u{number}", exp(draw.gauss(log(2400.0), 0.8)), draw.uniform(0.5, 1.2), draw.expovariate(1.0) + 0.1)
        for number in range(25)
    ]

    def sweep(at: float) -> list[TraceJob]:
        user, median, spread, _ = draw.choices(people, [person[3] for person in people])[0]
        gpus = draw.choices((1, 2, 4, 8), (45, 20, 20, 15))[0]
        return [_lab_job(draw, at, user, gpus, median, spread) for _ in range(_sweep(draw, 2.0))]

    return Trace("lab", 64, _arrive(draw, sweep, gpus=64, load=0.9, days=25, diurnal=0.5))


def _lab_job(draw: Random, at: float, user: str, gpus: int, median: float, spread: float) -> TraceJob:
    seconds = min(exp(draw.gauss(log(median), spread)), 3 * DAY)
    if draw.random() < 0.25:
        seconds = min(seconds, draw.expovariate(1 / 180.0) + 5)
    limit = seconds * draw.uniform(1, 8) if draw.random() < 0.6 else inf
    return TraceJob(at, user, gpus, seconds, limit)


def philly(seed: int = 2) -> Trace:
    """Make a trace of the shape of Philly's: 23 GPUs, load 0.85, 92 days."""
    draw = Random(seed)
    people = [(f"u{number}", draw.gauss(0.0, 0.6), draw.expovariate(1.0) + 0.1) for number in range(15)]
    mean, spread = 28 * 3600.0, 1.0
    middle = log(mean) - (spread**2 + 0.6**2) / 2

    def sweep(at: float) -> list[TraceJob]:
        user, habit, _ = draw.choices(people, [person[2] for person in people])[0]
        gpus = draw.choices((1, 2, 4), (75, 17, 8))[0]
        season = 0.5 * cos(2 * pi * (at / (30 * DAY)))
        return [
            TraceJob(
                at, user, gpus, min(max(10.0, exp(draw.gauss(middle + habit + season, spread))), 20 * DAY)
            )
            for _ in range(_sweep(draw, 8.0))
        ]

    return Trace("philly", 23, _arrive(draw, sweep, gpus=23, load=0.85, days=92, diurnal=0.3))


def _sweep(draw: Random, mean: float) -> int:
    """Return how many jobs a person submits at once."""
    return 1 + min(40, int(draw.expovariate(1 / (mean - 1))))


def _arrive(
    draw: Random,
    sweep: Callable[[float], list[TraceJob]],
    *,
    gpus: int,
    load: float,
    days: int,
    diurnal: float,
) -> list[TraceJob]:
    """Return jobs whose GPU-seconds fill `load` of the GPUs, fewer of them at night by `diurnal` (0 to 1)."""
    drawn: list[TraceJob] = []
    work, wanted = 0.0, load * gpus * days * DAY
    while work < wanted:
        at = _moment(draw, days, diurnal)
        found = [replace(job, at=at + 5.0 * number) for number, job in enumerate(sweep(at))]
        drawn += found
        work += sum(min(job.seconds, job.limit) * job.gpus for job in found)
    return sorted(drawn, key=lambda found: found.at)


def _moment(draw: Random, days: int, diurnal: float) -> float:
    while True:
        at = draw.uniform(0, days * DAY)
        if draw.random() < (1 - diurnal * cos(2 * pi * at / DAY)) / (1 + diurnal):
            return at
