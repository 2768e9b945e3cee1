"""The state machine of alerts: (rule, job, attempt) waits, fires, recovers; never twice in a row.

Fed by the events of one watch, and by time. Only jobs with news, and those whose rule waits for a time, are
looked at. While the watch is stale nothing fires and nothing recovers, and its timers stand still.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from backend_client.alerts.alert import AlertState
from backend_client.alerts.rules import RULES, Rule
from backend_client.alerts.timeline import Coverage, LogRead, Timeline
from backend_client.alerts.verdict import UNKNOWN, Verdict
from backend_client.alerts.wishes import thresholds_for
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent

EVERY_SECONDS = 30.0
"""How often `tick` is to be called."""
LONGEST_PAUSE = timedelta(seconds=150)
"""Between two calls; where more time passes (a lid was closed), nobody looked."""
SLICE = 250
"""Jobs to be fed, or looked at, at a time: 10 to 20 ms of a slow core."""
_SPARE_WAKES = 1000


class OpenEpisode(Struct, frozen=True, kw_only=True):
    """The newest episode of one rule on one job and attempt, as it was stored before a restart."""

    rule: str
    job: JobRef
    attempt: int = 0
    episode: int = 1
    firing: bool = True
    """False: it has recovered, and its number is taken."""


class Transition(Struct, frozen=True, kw_only=True):
    """An alert that fires or recovers."""

    rule: str
    job: JobRef
    attempt: int
    """0 where the rule is about the job as a whole."""
    episode: int
    state: AlertState
    sentence: str
    at: datetime
    quiet: bool = False
    """To be recorded, not to be told: it ends because the job is gone, or the rule was switched off."""


class _Episode(Struct):
    """The newest episode of one rule on one job."""

    attempt: int
    number: int
    firing: bool


class _Watched(Struct):
    """One job: its timeline, and where its rules stand."""

    timeline: Timeline
    episodes: dict[str, _Episode]
    """By rule."""
    told: dict[tuple[str, int], int]
    """(rule, attempt) -> the number of its newest episode."""
    wake: datetime | None = None


class AlertEngine:
    """All rules over all jobs of one watch: `observe` its events, `tick` about every 30 s."""

    def __init__(
        self,
        wishes_of: Callable[[Job], Mapping[str, str]],
        open_episodes: Iterable[OpenEpisode] = (),
        *,
        log_read: LogRead = lambda _job, _now: None,
    ) -> None:
        """`wishes_of`: what the job's owner and the site want; the defaults and the job's own are added here.
        Asked at each look at a job: it must be quick.

        `open_episodes`: what was told of this watch's jobs before a restart, recovered ones too.
        `log_read`: until when the log of a job was read; without it no log is called silent.

        Jobs that had ended before the first list are not told: who knows that one had not, says so first.
        """
        self._wishes_of = wishes_of
        self._log_read = log_read
        self._restored: dict[str, list[OpenEpisode]] = {}
        for episode in open_episodes:
            self._restored.setdefault(episode.job.uid, []).append(episode)
        self._coverage = Coverage()
        self._jobs: dict[str, _Watched] = {}
        self._news: set[str] = set()
        self._gone: list[tuple[JobRef, _Watched | None]] = []
        self._listing: set[str] = set()
        self._synced = False
        self._last: datetime | None = None
        self._wakes: list[tuple[datetime, int, str]] = []
        self._order = itertools.count()

    def observe(self, events: Sequence[WatchEvent], now: datetime) -> None:
        """Take a batch of the watch. What comes of it, the next `tick` returns."""
        now = self._pass_time(now)
        for event in events:
            match event:
                case Freshness():
                    self._take_freshness(event, now)
                case Snapshot(jobs):
                    self._listing.update(job.ref.uid for job in jobs)
                    self._feed(jobs, now)
                case Changed(jobs):
                    self._feed(jobs, now)
                case Gone(refs):
                    for ref in refs:
                        self._forget(ref)
                case Synced():
                    self._take_synced()

    def wishes_changed(self, uids: Iterable[str] | None = None) -> None:
        """Look at jobs again at the next tick, as other rules hold for them now; None: at all."""
        self._news.update(self._jobs if uids is None else self._jobs.keys() & set(uids))

    def tick(self, now: datetime) -> Sequence[Transition]:
        """Return what fires and what recovers now; nothing while what is known may be stale."""
        return [transition for part in self.slices(now) for transition in part]

    def slices(self, now: datetime) -> Iterator[Sequence[Transition]]:
        """Yield what `tick` returns, after every `SLICE` jobs: who runs a loop can give it back between two.

        Events may come meanwhile; the jobs that they tell of may be looked at in this tick or in the next.
        """
        now = self._pass_time(now)
        if not self._coverage.live:
            return
        gone, self._gone = self._gone, []
        yield [end for ref, watched in gone for end in self._ends(ref, watched, now)]
        self._wake_due(now)
        uids = sorted(self._news & self._jobs.keys())
        self._news.clear()
        for start in range(0, len(uids), SLICE):
            found: list[Transition] = []
            for uid in uids[start : start + SLICE]:
                if watched := self._jobs.get(uid):
                    found += self._look(watched, now)
            yield found

    def _wake_due(self, now: datetime) -> None:
        """Have the jobs looked at whose rules wait for a time that has come."""
        while self._wakes and self._wakes[0][0] <= now:
            wake, _, uid = heapq.heappop(self._wakes)
            if (watched := self._jobs.get(uid)) and watched.wake == wake:
                watched.wake = None
                self._news.add(uid)

    def _pass_time(self, now: datetime) -> datetime:
        """Note that time has passed, maybe unseen; a clock that is set back stands still."""
        if self._last is None:
            self._coverage.close_eyes(now)
        elif now < self._last:
            return self._last
        elif now - self._last > LONGEST_PAUSE:
            self._coverage.miss(self._last, now)
        self._last = now
        return now

    def _take_freshness(self, freshness: Freshness, now: datetime) -> None:
        if freshness.state is FreshnessState.LIVE:
            self._coverage.open_eyes(now)
        else:
            self._coverage.close_eyes(min(freshness.since, now))

    def _take_synced(self) -> None:
        """Forget what the list does not name, and what was told before a restart of jobs that are gone."""
        for uid in self._jobs.keys() - self._listing:
            self._forget(self._jobs[uid].timeline.job.ref)
        if not self._synced:
            self._gone += [(episodes[0].job, None) for episodes in self._restored.values()]
        self._synced = True
        self._listing.clear()

    def _feed(self, jobs: Iterable[Job], now: datetime) -> None:
        for job in jobs:
            uid = job.ref.uid
            if watched := self._jobs.get(uid):
                watched.timeline.feed(job, now)
            else:
                self._jobs[uid] = self._first_look(job, now)
            self._news.add(uid)

    def _first_look(self, job: Job, now: datetime) -> _Watched:
        timeline = Timeline(job, now, self._coverage, self._log_read)
        timeline.seen_under_way = not job.ended or self._synced
        watched = _Watched(timeline, {}, {})
        for old in self._restored.pop(job.ref.uid, ()):
            newest = watched.told.get((old.rule, old.attempt), 0)
            watched.told[old.rule, old.attempt] = max(newest, old.episode)
            if old.firing:
                watched.episodes[old.rule] = _Episode(old.attempt, old.episode, firing=True)
        return watched

    def _forget(self, ref: JobRef) -> None:
        if watched := self._jobs.pop(ref.uid, None):
            self._gone.append((ref, watched))

    def _ends(self, ref: JobRef, watched: _Watched | None, now: datetime) -> Iterable[Transition]:
        """Yield the ends of all that fires for a job that is gone."""
        if watched is None:
            for old in self._restored.pop(ref.uid, ()):
                if old.firing:
                    yield _ended(old.rule, ref, old.attempt, old.episode, now)
            return
        for rule, episode in watched.episodes.items():
            if episode.firing:
                yield _ended(rule, ref, episode.attempt, episode.number, now)

    def _look(self, watched: _Watched, now: datetime) -> list[Transition]:
        """Ask all rules about one job."""
        timeline, again = watched.timeline, None
        timeline.look(now)
        limits = thresholds_for(timeline.job, self._wishes_of(timeline.job))
        found: list[Transition] = []
        for rule in RULES:
            threshold = limits.get(rule.id)
            verdict = _judged(rule, timeline, threshold, now) if threshold is not None else _SWITCHED_OFF
            episode = watched.episodes.get(rule.id)
            if verdict.holds or (episode and episode.firing):
                found += _step(rule, watched, verdict, now)
            if verdict.again and (again is None or verdict.again < again):
                again = verdict.again
        self._set_wake(watched, again)
        return found

    def _set_wake(self, watched: _Watched, wake: datetime | None) -> None:
        """Look at a job again at a time. Times that no longer count stay in the heap until it is too long."""
        if wake and wake != watched.wake:
            heapq.heappush(self._wakes, (wake, next(self._order), watched.timeline.job.ref.uid))
        watched.wake = wake
        if len(self._wakes) > _SPARE_WAKES + 2 * len(self._jobs):
            wakes = [(each.wake, uid) for uid, each in self._jobs.items() if each.wake]
            self._wakes = [(when, next(self._order), uid) for when, uid in wakes]
            heapq.heapify(self._wakes)


_SWITCHED_OFF = Verdict(False, "this alert is off now")
_STOOD_STILL = (JobState.STARTING, JobState.STOPPING, JobState.UNKNOWN)


def _judged(rule: Rule, timeline: Timeline, threshold: float, now: datetime) -> Verdict:
    """Ask one rule, where it applies to a job as it stands."""
    job = timeline.job
    if rule.needs_gpus and not job.spec.gpus:
        return UNKNOWN
    if not rule.while_running or job.state is JobState.RUNNING:
        return rule.judge(timeline, threshold, now)
    if job.state in _STOOD_STILL or (job.state.ended and not job.ended):
        return UNKNOWN
    return Verdict(False, f"{job.name} {'has ended' if job.ended else 'waits again'} ({job.state.value})")


def _step(rule: Rule, watched: _Watched, verdict: Verdict, now: datetime) -> Iterable[Transition]:
    """Take one rule one step on, and yield what changes."""
    job, attempt = watched.timeline.job, watched.timeline.number if rule.per_attempt else 0
    episode = watched.episodes.get(rule.id)
    if episode and episode.firing and episode.attempt != attempt and verdict is not _SWITCHED_OFF:
        sentence = verdict.sentence if verdict.holds is False else f"{job.name} was started again"
        yield _recovered(rule, job, episode, sentence, now)
        episode = None
    if episode and episode.firing:
        if verdict.holds is False:
            quiet = rule.event or verdict is _SWITCHED_OFF
            yield _recovered(
                rule, job, episode, verdict.sentence or f"{job.name} is well again", now, quiet=quiet
            )
        return
    told = watched.told.get((rule.id, attempt), 0)
    if verdict.holds and not (rule.once and told):
        watched.told[rule.id, attempt] = told + 1
        watched.episodes[rule.id] = _Episode(attempt, told + 1, firing=True)
        yield Transition(
            rule=rule.id,
            job=job.ref,
            attempt=attempt,
            episode=told + 1,
            state=AlertState.FIRING,
            sentence=verdict.sentence,
            at=now,
        )


def _recovered(
    rule: Rule, job: Job, episode: _Episode, sentence: str, now: datetime, *, quiet: bool = False
) -> Transition:
    episode.firing = False
    return Transition(
        rule=rule.id,
        job=job.ref,
        attempt=episode.attempt,
        episode=episode.number,
        state=AlertState.RECOVERED,
        sentence=sentence,
        at=now,
        quiet=quiet,
    )


def _ended(rule: str, ref: JobRef, attempt: int, episode: int, now: datetime) -> Transition:
    """Return the end of an episode of a job that is gone."""
    return Transition(
        rule=rule,
        job=ref,
        attempt=attempt,
        episode=episode,
        state=AlertState.RECOVERED,
        sentence=f"{ref.name} is gone",
        at=now,
        quiet=True,
    )
