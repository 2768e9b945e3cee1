"""Sums over what was held and used, by group (pure). Days are the asker's, and add up to the total."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from backend_client.usage_report import ReportQuery, ReportRow, UsageReport

ENOUGH = 0.8
"""The share that must have been measured before anything is said of idle time or utilisation."""
_HOUR = timedelta(hours=1)
Span = tuple[datetime, datetime]


class HourUse(Struct, frozen=True):
    """What was measured of an attempt within an hour of UTC: GPU-seconds."""

    hour: datetime
    seconds: float
    busy: float
    idle: float


class AttemptUse(Struct, kw_only=True):
    """One attempt as a report counts it."""

    job: int
    user: str
    team: str = ""
    queue: str = ""
    project: str = ""
    gpu_type: str = ""
    gpus: int
    allocated: datetime
    started: datetime | None = None
    finished: datetime | None = None
    between: float = 0.0
    released: datetime | None = None
    released_lo: datetime | None = None
    end: str = ""
    asked: datetime | None = None
    """Of the first attempt of a job: since when the job had waited for it."""
    hours: list[HourUse] = field(default_factory=list)


class _Sums(Struct):
    """The sums of one group, in seconds."""

    held: float = 0.0
    running: float = 0.0
    preempted: float = 0.0
    failed: float = 0.0
    waited: float = 0.0
    uncertain: float = 0.0
    seconds: float = 0.0
    busy: float = 0.0
    idle: float = 0.0
    jobs: set[int] = field(default_factory=set)

    def row(self, group: str) -> ReportRow:
        """Return the sums in hours."""
        coverage = min(1.0, self.seconds / self.held) if self.held else 0.0
        enough = coverage >= ENOUGH and self.seconds > 0
        return ReportRow(
            group=group,
            held=self.held / 3600,
            running=self.running / 3600,
            preempted=self.preempted / 3600,
            failed=self.failed / 3600,
            waited=self.waited / 3600,
            idle=self.idle / self.seconds if enough else None,
            utilisation=self.busy / self.seconds if enough else None,
            coverage=coverage,
            jobs=len(self.jobs),
            uncertain=self.uncertain / 3600,
        )


def make_report(
    query: ReportQuery, attempts: Iterable[AttemptUse], since: datetime, until: datetime, now: datetime
) -> UsageReport:
    """Add up attempts between two times; what is still held counts until now."""
    periods = days(since, until, ZoneInfo(query.zone)) if query.by == "day" else [("", since, until)]
    starts = [start for _, start, _ in periods]
    groups: defaultdict[str, _Sums] = defaultdict(_Sums)
    total = _Sums()
    for attempt in attempts:
        for label, start, end in _touched(periods, starts, attempt, now):
            group = label if query.by == "day" else str(getattr(attempt, query.by))
            for sums in (groups[group], total):
                _add(sums, attempt, (start, end), now)
    rows = [sums.row(group) for group, sums in groups.items()]
    by_day: Callable[[ReportRow], tuple[float, str]] = lambda row: (0.0, row.group)  # noqa: E731
    by_size: Callable[[ReportRow], tuple[float, str]] = lambda row: (-row.held, row.group)  # noqa: E731
    rows.sort(key=by_day if query.by == "day" else by_size)
    return UsageReport(by=query.by, rows=tuple(rows), total=total.row(""), since=since, until=until)


def days(since: datetime, until: datetime, zone: ZoneInfo) -> list[tuple[str, datetime, datetime]]:
    """Return the days of a zone (ISO dates) between two times, each from midnight to midnight there.

    A day has 23 or 25 hours where the clocks are changed.
    """
    found = []
    day = since.astimezone(zone).date()
    start = since
    while start < until:
        following = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
        end = min(following, until)
        if end > start:
            found.append((day.isoformat(), start, end))
            start = end
        day += timedelta(days=1)
    return found


def _touched(
    periods: Sequence[tuple[str, datetime, datetime]],
    starts: Sequence[datetime],
    attempt: AttemptUse,
    now: datetime,
) -> Iterator[tuple[str, datetime, datetime]]:
    """Yield the periods in which an attempt waited, or held its GPUs."""
    first = min(time for time in (attempt.allocated, attempt.asked) if time)
    last = max(attempt.released or now, first)
    for index in range(max(0, bisect_right(starts, first) - 1), len(periods)):
        _, start, end = periods[index]
        if start > last:
            return
        if end > first and (last > start or first == last):
            yield periods[index]


def _add(sums: _Sums, attempt: AttemptUse, period: Span, now: datetime) -> None:
    """Add what an attempt held, ran and used within a period."""
    end = attempt.released or max(now, attempt.allocated)
    held = overlap((attempt.allocated, end), period) * attempt.gpus
    if attempt.asked:
        sums.waited += overlap((attempt.asked, attempt.allocated), period)
    if not overlap((attempt.allocated, end), period):
        return
    sums.jobs.add(attempt.job)
    sums.held += held
    sums.running += running_seconds(attempt, period, end) * attempt.gpus
    sums.preempted += held if attempt.end in ("preempted", "evicted") else 0.0
    sums.failed += held if attempt.end == "failed" else 0.0
    if attempt.released and attempt.released_lo:
        sums.uncertain += overlap((attempt.released_lo, attempt.released), period) * attempt.gpus
    for hour in attempt.hours:
        share = _share_of_hour(hour.hour, (attempt.allocated, end), period)
        sums.seconds += hour.seconds * share
        sums.busy += hour.busy * share
        sums.idle += hour.idle * share


def running_seconds(attempt: AttemptUse, period: Span, end: datetime) -> float:
    """Return for how long the command of an attempt ran within a period: the time between starts is not."""
    if attempt.started is None:
        return 0.0
    span = attempt.started, min(attempt.finished or end, end)
    length = (span[1] - span[0]).total_seconds()
    if length <= 0:
        return 0.0
    return overlap(span, period) * max(0.0, 1 - attempt.between / length)


def _share_of_hour(hour: datetime, held: Span, period: Span) -> float:
    """Return the share of an hour's figures that belongs to a period, where they are spread evenly."""
    start, end = max(hour, held[0]), min(hour + _HOUR, held[1])
    if end <= start:
        start, end = hour, hour + _HOUR
    return overlap((start, end), period) / (end - start).total_seconds()


def overlap(one: Span, other: Span) -> float:
    """Return how many seconds two spans have in common."""
    return max(0.0, (min(one[1], other[1]) - max(one[0], other[0])).total_seconds())
