"""Rules about the state of a job: failed, finished, waits too long, restarted, moved off its node (pure)."""

from datetime import datetime, timedelta

from backend_client.alerts.timeline import Timeline
from backend_client.alerts.verdict import NOT, UNKNOWN, Verdict, span_text
from backend_client.models import Job, JobState

STEADY = timedelta(hours=1)
"""A job that has run for so long since its last start crashes no more."""
_NEVER = "can never start"
"""How a reason begins that no waiting ends (`kubernetes.status.kueue_message`)."""
_NEVER_AFTER = 300.0
"""Seconds: a quota that is being set up is no such reason."""
_NODE, _LOST = "its node ", (" does not answer", " is not ready")
SETTLED = timedelta(minutes=10)
"""A job that was moved and has run for so long is at work again."""


def failed(timeline: Timeline, _threshold: float, _now: datetime) -> Verdict:
    """Find a job that has failed for good; a stop by a person is none, nor is a crash that is tried again."""
    job = timeline.job
    if job.state is not JobState.FAILED or job.next_try is not None:
        return UNKNOWN if job.state is JobState.UNKNOWN else NOT
    if not timeline.seen_under_way:
        return UNKNOWN
    how = without_output(job.reason)
    return Verdict(True, f"{job.name} failed: {how}" if how else f"{job.name} failed")


def without_output(reason: str) -> str:
    """Return how a job ended without what it said itself behind that ("exit 1: ValueError ..."): a message
    leaves the machine, and has no line of a log in it.
    """
    return reason.partition(": ")[0]


def finished(timeline: Timeline, _threshold: float, _now: datetime) -> Verdict:
    """Find a job that has ended well."""
    job = timeline.job
    if job.state is not JobState.SUCCEEDED:
        return UNKNOWN if job.state is JobState.UNKNOWN else NOT
    if not timeline.seen_under_way:
        return UNKNOWN
    took = (job.finished - job.started).total_seconds() if job.finished and job.started else 0.0
    return Verdict(True, f"{job.name} finished" + (f" after {span_text(took)}" if took > 0 else ""))


def pending(timeline: Timeline, threshold: float, now: datetime) -> Verdict:
    """Find a job that waits for longer than the threshold, and nobody can say until when."""
    job = timeline.job
    if job.state not in (JobState.QUEUED, JobState.PENDING):
        return UNKNOWN if job.state is JobState.UNKNOWN else NOT
    if job.queue and job.queue.held:
        return UNKNOWN
    since = waits_since(timeline)
    waited = (now - since).total_seconds()
    if _NEVER in job.reason:
        threshold = min(threshold, _NEVER_AFTER)
    if known := _known_start(job, now):
        return Verdict(None, again=known)
    if waited < threshold:
        return Verdict(None, again=since + timedelta(seconds=threshold))
    if _NEVER in job.reason:
        return Verdict(True, f"{job.name} {job.reason.removeprefix('it ')}")
    why = f": {job.reason}" if job.reason else ""
    return Verdict(True, f"{job.name} has waited for {span_text(waited)}{why}")


def waits_since(timeline: Timeline) -> datetime:
    """Return since when a job waits, this time; of what the context tells, so a restart changes nothing."""
    job = timeline.job
    times = [job.queued or job.created]
    times += [time for attempt in job.attempts for time in (attempt.finished,) if time]
    times += [pause.resumed for pause in job.pauses if pause.resumed]
    if timeline.requeued and timeline.waiting_since:
        times.append(timeline.waiting_since)
    return max(times)


def _known_start(job: Job, now: datetime) -> datetime | None:
    """Return the time at which a waiting job is tried or likely to have started; None where none is ahead."""
    queue = job.queue
    starts = queue.starts.latest if queue and queue.starts and not queue.starts.far else None
    ahead = [
        time for time in (queue.requeue_at if queue else None, starts, job.next_try) if time and time > now
    ]
    return min(ahead, default=None)


def restarts(timeline: Timeline, threshold: float, now: datetime) -> Verdict:
    """Find a job that was started more often than the threshold, until it has run for an hour."""
    job, attempt = timeline.job, timeline.attempt
    if job.state is JobState.UNKNOWN:
        return UNKNOWN
    crashes = job.restarts - sum(1 for each in job.attempts if each.evicted and not each.rank)
    if job.ended or crashes <= threshold:
        return NOT
    started = attempt.started if attempt else None
    steady = started + STEADY if started and job.state is JobState.RUNNING else None
    if steady and steady <= now:
        return Verdict(False, f"{job.name} has run for {span_text((now - (started or now)).total_seconds())}")
    times = "time" if crashes == 1 else "times"
    why = f", now: {without_output(job.reason)}" if job.reason else ""
    return Verdict(True, f"{job.name} was started again {crashes} {times}{why}", steady)


def node(timeline: Timeline, _threshold: float, now: datetime) -> Verdict:
    """Find a job whose node does not answer, or that was moved off it and is tried again; told together."""
    job, attempt = timeline.job, timeline.attempt
    if job.state is JobState.UNKNOWN or job.ended:
        return UNKNOWN if job.state is JobState.UNKNOWN else NOT
    if job.state is JobState.RUNNING and job.reason.startswith(_NODE) and any(map(job.reason.count, _LOST)):
        return Verdict(True, f"{job.name}: {job.reason}")
    if timeline.requeued:
        return Verdict(True, f"{job.name} was taken off its GPUs and waits again: {timeline.requeued}")
    number, moved = next(
        ((each.number, each.evicted) for each in reversed(job.attempts) if each.evicted), (0, None)
    )
    started = attempt.started if attempt and attempt.number > number else None
    settled = started + SETTLED if started and job.state is JobState.RUNNING else None
    if moved is None or (settled and settled <= now):
        return Verdict(False, f"{job.name} runs again" if job.state is JobState.RUNNING else "")
    again = "it runs again" if settled else "it is tried again"
    return Verdict(True, f"{job.name} {moved.why}; {again}", settled)
