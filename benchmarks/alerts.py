"""False alarms and missed ones over replayed days of jobs, and what a look at 10,000 jobs costs."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from backend_client.alerts.alert import AlertState
from backend_client.alerts.engine import SLICE, AlertEngine, Transition
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState, JobUsage
from backend_client.protocol import Changed, Freshness, FreshnessState, Snapshot, Synced, WatchEvent
from benchmarks.alert_days import DAY, GPUS, START, STEP, JobDay, at, days

OF_EACH = 20
"""Days of each profile."""
SEED = 14
OUTAGES = ((9.0 * 3600, 1500.0), (15.5 * 3600, 240.0))
"""(second of the day, seconds) in which the watch itself is stale, for all jobs."""
_JOBS = 10_000


class Count(Struct):
    """What came of one rule."""

    false: int = 0
    found: int = 0
    missed: int = 0
    late: list[float] = []
    """Seconds from when it could be known until it was told."""


def replay(jobs: Sequence[JobDay]) -> list[Transition]:
    """Return all that an engine says of a day, of all jobs at once."""
    engine = AlertEngine(lambda _: {}, log_read=lambda _, now: now)
    told = {day.job.ref.uid: day.job for day in jobs}
    changes = sorted(
        ((second, day.job.ref.uid, change) for day in jobs for second, change in day.changes),
        key=lambda entry: entry[0],
    )
    _begin(engine, told)
    said: list[Transition] = []
    outages = dict(OUTAGES)
    left, stale_until = iter([*changes, (DAY * 2, "", {})]), 0.0
    second, uid, change = next(left)
    now = 0.0
    while now <= DAY:
        if now in outages:
            stale_until = now + outages[now]
            engine.observe([Freshness(FreshnessState.STALE, at(now))], at(now))
        news: dict[str, Job] = {}
        while second <= now:
            news[uid] = told[uid] = replace(told[uid], **change)
            if now >= stale_until:
                engine.observe([Changed((told[uid],))], at(now))
            second, uid, change = next(left)
        if stale_until and now >= stale_until:
            stale_until = 0.0
            engine.observe([Snapshot(tuple(told.values())), Synced(), _live(now)], at(now))
        said += engine.tick(at(now))
        now += STEP
    return said


def _live(second: float) -> WatchEvent:
    return Freshness(FreshnessState.LIVE, at(second))


def _begin(engine: AlertEngine, jobs: dict[str, Job]) -> None:
    engine.observe([Snapshot(tuple(jobs.values())), Synced(), _live(0)], START)


def judge(jobs: Sequence[JobDay], said: Sequence[Transition]) -> tuple[dict[str, Count], Counter[str]]:
    """Count false alarms and missed faults by rule, and false alarms by (rule, profile)."""
    counts: defaultdict[str, Count] = defaultdict(Count)
    where: Counter[str] = Counter()
    fired: defaultdict[str, list[Transition]] = defaultdict(list)
    for transition in said:
        if transition.state is AlertState.FIRING:
            fired[transition.job.uid].append(transition)
    for day in jobs:
        open_faults = [fault for fault in day.faults if fault.first < min(DAY, day.changes[-1][0])]
        for transition in fired[day.job.ref.uid]:
            second = (transition.at - START).total_seconds()
            fault = next((f for f in day.faults if f.rule == transition.rule and f.first <= second), None)
            if fault is None:
                counts[transition.rule].false += 1
                where[f"{transition.rule}: {day.profile}"] += 1
            elif fault in open_faults:
                open_faults.remove(fault)
                counts[fault.rule].found += 1
                counts[fault.rule].late.append(max(0.0, second - fault.first))
        for fault in open_faults:
            if fault.last <= day.changes[-1][0]:
                counts[fault.rule].missed += 1
    return counts, where


def rows() -> Iterator[tuple[str, str, str]]:
    """Give the table: each rule over the replayed days, then what it costs."""
    jobs = list(days(SEED, OF_EACH))
    counts, where = judge(jobs, replay(jobs))
    total = len(jobs)
    profiles = len({day.profile for day in jobs})
    yield f"replayed days of jobs ({profiles} profiles)", str(total), ""
    for rule in ("gpu-idle", "rank-idle", "silent", "loss", "node"):
        count = counts[rule]
        late = sorted(count.late)
        delay = f"; told after {late[len(late) // 2] / 60:.0f} min (median)" if late else ""
        measured = f"{count.false} false, {count.missed} of {count.missed + count.found} missed{delay}"
        yield f"{rule}: alarms", measured, f"<= {total // 100} false, 0 missed"
    others = sum(count.false for rule, count in counts.items() if rule not in _TABLED)
    yield "the other rules: false alarms", str(others), "0"
    if where:
        named = ", ".join(f"{name} {number}" for name, number in where.most_common(5))
        yield "where false alarms come from", named, ""
    yield from _costs()


_TABLED = ("gpu-idle", "rank-idle", "silent", "loss", "node")


def _costs() -> Iterator[tuple[str, str, str]]:
    """Measure one tick of 10,000 running jobs: all with news, none with news, all idle at once."""
    spec = JobSpec(command=("python", "train.py"), gpus=GPUS)
    jobs = [
        Job(
            ref=JobRef("bench", "ns", "job", f"j{number}", f"u{number}"),
            state=JobState.RUNNING,
            spec=spec,
            created=START,
            started=START,
            attempts=(Attempt(number=1, started=START),),
        )
        for number in range(_JOBS)
    ]
    engine = AlertEngine(lambda _: {"gpu-idle": "20m"})
    _begin(engine, {job.ref.uid: job for job in jobs})
    engine.tick(START)
    news = [replace(job, usage=JobUsage(gpu=0.9, gpu_min=0.8, xid=0)) for job in jobs]
    later = START + timedelta(seconds=30)
    pieces: list[float] = []
    for start in range(0, _JOBS, SLICE):
        begun = time.process_time()
        engine.observe([Changed(tuple(news[start : start + SLICE]))], later)
        pieces.append(time.process_time() - begun)
    begun = time.process_time()
    for _ in engine.slices(later):
        pieces.append(time.process_time() - begun)
        begun = time.process_time()
    yield f"a tick, {_JOBS} jobs with news", f"{sum(pieces):.2f} s of CPU", "<= 1 s"
    yield "the longest time for which it holds the loop", f"{1000 * max(pieces):.0f} ms", "<= 50 ms"
    begun = time.process_time()
    engine.tick(later + timedelta(seconds=30))
    spent = time.process_time() - begun
    yield f"a tick, {_JOBS} jobs without news", f"{1000 * spent:.2f} ms of CPU", "<= 1 ms"
