"""What happened to a Workload before it waits again: preempted, stopped, tried in vain, taken out (pure).

Reasons: apis/kueue/v1beta2/workload_types.go; the message of a preemption: pkg/scheduler/preemption. The
condition Evicted stays True until the next admission. docs/FACTS.md, "Kueue".
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from backend_client.kubernetes.resources.core import Condition
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.models import JobState
from backend_client.models.fields import duration_text

NameOf = Callable[[str], str]
"""The name of the job with this uid; "" where it is not known, or may not be told."""


def nobody(_uid: str) -> str:
    """Return no name: nobody else's job is named."""
    return ""


class Past(NamedTuple):
    """What happened to a job in its queue: the id of the cause, and a sentence."""

    id: str
    sentence: str


class Preemptor(NamedTuple):
    """Who a Workload gave way to."""

    workload_uid: str
    job_uid: str
    queue: str
    """Its ClusterQueue."""


# Patterns as text, which `re` compiles when they are first used: few jobs wait in a queue.
_PREEMPTOR = (
    r"Preempted to accommodate a workload \(UID: ([^,)]*), JobUID: ([^)]*)\)(?: due to [^;]*)?"
    r"(?:; preemptor path: (\S+?)(?:;|$))?"
)
_CHECKS = r"Admission check\(s\): (.+?), were rejected"
_DEACTIVATED = "DeactivatedDueTo"


def preemptor_of(message: str) -> Preemptor | None:
    """Parse who a Workload gave way to; None where the message tells of no preemption."""
    match = re.match(_PREEMPTOR, message)
    return Preemptor(match[1], match[2], (match[3] or "").rpartition("/")[2]) if match else None


def event_message(message: str) -> str:
    """Return the message of an event without the uids of a preemption; any other as it is."""
    preemptor = preemptor_of(message)
    if preemptor is None:
        return message
    own_queue = "prioritization in the ClusterQueue" in message
    who = "" if own_queue or not preemptor.queue else f" of the queue {preemptor.queue}"
    return f"gave way to a job{who} ({_why_preempted(message)})"


def _why_preempted(message: str) -> str:
    return message.partition(" due to ")[2].partition(";")[0] or "preempted"


def time_text(time: datetime | None, now: datetime | None) -> str:
    """Return when something was: " at 06:32 UTC", with its day where that is another; "" where not known."""
    if time is None:
        return ""
    day = "" if now and now.date() == time.date() else f" on {time:%b} {time.day}"
    return f"{day} at {time:%H:%M} UTC"


def eviction(workload: Workload) -> Condition | None:
    """Return the condition by which a Workload was evicted; None once it has quota again, or never was."""
    evicted = workload.condition("Evicted")
    return evicted if evicted and evicted.true else None


def past(workload: Workload, *, now: datetime | None, last_reason: str, name_of: NameOf) -> Past | None:
    """Return how the last start of a waiting job ended; None where it was not evicted since.

    `last_reason`: why its pods were not ready, as was seen before they were gone.
    """
    evicted = eviction(workload)
    if evicted is None:
        return None
    when = f"{time_text(evicted.last_transition_time, now)}{_after(workload)}"
    if evicted.reason == "Preempted":
        return _preempted(workload, evicted, when, name_of)
    last = f" (last: {last_reason})" if last_reason else ""
    match evicted.reason:
        case "PodsReadyTimeout":
            return Past("queue.not-ready", f"did not get ready in time{last}")
        case "AdmissionCheck":
            return Past("queue.check-retry", f"an admission check sent it back{when}")
        case "ClusterQueueStopped":
            return Past("queue.drained", f"an administrator stopped its queue{when}")
        case "LocalQueueStopped":
            return Past("queue.drained", f"its queue {workload.spec.queue_name} was stopped{when}")
        case "NodeFailures":
            return Past("queue.node", f"lost its node{when}{last}")
    return Past("", f"was stopped by its queue{when}: {evicted.message or evicted.reason}")


def _after(workload: Workload) -> str:
    """Return for how long the job had been admitted."""
    seconds = workload.status.accumulated_past_execution_time_seconds
    if not seconds:
        return ""
    starts = sum(entry.count for entry in workload.status.scheduling_stats.evictions)
    return f", after {duration_text(seconds)}{' in all' * (starts > 1)}"


def _preempted(workload: Workload, evicted: Condition, when: str, name_of: NameOf) -> Past:
    preempted, preemptor = workload.condition("Preempted"), preemptor_of(evicted.message)
    name = name_of(preemptor.job_uid) if preemptor else ""
    queue = preemptor.queue if preemptor else ""
    other = name or (f"a job of {queue}" if queue else "a job of another queue")
    match preempted.reason if preempted else "":
        case "InClusterQueue":
            return Past("queue.preempted", f"gave way to {name or 'a job'} with priority over it{when}")
        case "InCohortReclamation":
            whom = f" for {name}" if name else ""
            return Past("queue.reclaimed", f"{queue or 'another queue'} took its own quota back{whom}{when}")
        case "InCohortFairSharing":
            return Past("queue.fair-share", f"gave way to {other} by fair sharing{when}")
        case "InCohortReclaimWhileBorrowing":
            return Past("queue.preempted", f"gave way to {other} with priority over it{when}")
    return Past("queue.preempted", f"gave way to another job{when}")


class Ending(NamedTuple):
    """How a queue ended a job: the id of the cause, the state and a sentence."""

    id: str
    state: JobState
    sentence: str
    at: datetime | None = None


def ending(workload: Workload | None, *, now: datetime | None = None, last_reason: str = "") -> Ending | None:
    """Return how a queue has ended a job; None while it may start by itself (`spec.active`)."""
    if workload is None or workload.spec.active or workload.has_condition("Finished"):
        return None
    evicted = eviction(workload)
    at = evicted.last_transition_time if evicted else None
    why = evicted.reason.removeprefix(_DEACTIVATED) if evicted else ""
    message = evicted.message if evicted else ""
    match why:
        case "RequeuingLimitExceeded":
            last = f" (last: {last_reason})" if last_reason else ""
            return Ending("queue.given-up", JobState.FAILED, f"given up after {_starts(workload)}{last}", at)
        case "MaximumExecutionTimeExceeded":
            limit = workload.spec.maximum_execution_time_seconds
            return Ending("queue.too-long", JobState.FAILED, _too_long(limit), at)
        case "AdmissionCheck":
            return Ending("queue.refused", JobState.FAILED, _refused(message), at)
        case "" | "Deactivated":
            sentence = f"was taken out of its queue{time_text(at, now)}{_after(workload)}"
            return Ending("queue.taken-out", JobState.STOPPED, f"{sentence}; it waits to be put back", at)
    return Ending("", JobState.FAILED, f"its queue has given it up: {message or why}", at)


def _starts(workload: Workload) -> str:
    """Return how many starts did not get ready: each was an eviction, the last one too."""
    causes = ("PodsReadyTimeout", "RequeuingLimitExceeded")
    counts = workload.status.scheduling_stats.evictions
    starts = sum(
        entry.count for entry in counts if entry.reason in causes or entry.underlying_cause in causes
    )
    if not starts:
        return "starts that did not get ready in time"
    return f"{starts} start{'s' * (starts > 1)} that did not get ready in time"


def _too_long(limit: int) -> str:
    return f"ran longer than its queue's limit of {duration_text(limit)}" if limit else "ran too long"


def _refused(message: str) -> str:
    match = re.search(_CHECKS, message)
    names = match[1].split(", ") if match else []
    if not names:
        return "an admission check of its queue has refused it"
    return f"the check{'s' * (len(names) > 1)} {' and '.join(names)} of its queue refused it"
