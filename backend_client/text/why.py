"""Why a job waits or failed, in sentences: failure, queue, causes, offers. Pure; all is clean."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from backend_client.models import Job, JobSpec, JobState, QueuePlace
from backend_client.models.fields import field_text
from backend_client.text.figures import short_local_time, span, starts_text
from backend_client.text.sanitize import clean
from backend_client.why import Cause, Explanation, Offer

HOW_IT_FAILED = "How it failed"
QUEUE = "Queue"
WHY = "Why"
WHAT_WOULD_HELP = "What would help"
NOT_KNOWN = "Not known"
"""The titles of the parts, in their order."""
_RAW_LINES = 200
"""Lines of a raw text that are shown: it comes from outside, and may have no end."""


def headline(job: Job, found: Explanation) -> str:
    """Return what stands above all; "" where the chain or the failure says it."""
    words = clean(found.sentence or job.reason)
    if not words and not found.chain and not found.failure:
        words = all_well(job)
    return words


def all_well(job: Job) -> str:
    """Return what is said of a job that needs no explanation, as a sentence."""
    match job.state:
        case JobState.RUNNING:
            return "It runs, and nothing is known to be wrong."
        case JobState.SUCCEEDED:
            return "It ended well."
        case JobState.STOPPED | JobState.STOPPING:
            return "A person stopped it."
    return "Nothing is known that keeps it."


def changed_fields(spec: JobSpec, offer: Offer) -> str:
    """Return what an offer changes: "gpus 8 -> 4"."""
    return ", ".join(
        f"{clean(name, 40)} {_value(_before(spec, name))} -> {_value(text)}"
        for name, text in offer.changes.items()
    )


def texts_before(spec: JobSpec, offer: Offer) -> dict[str, str]:
    """Return field -> its text now, of the fields that an offer changes."""
    return {name: _before(spec, name) for name in offer.changes}


class FailureText(NamedTuple):
    """What stands below "How it failed"."""

    exit: str
    """How it ended; "" where the headline says it."""
    where: str
    """Which rank failed first, and where; ends in "said:" where `said` follows."""
    said: str
    """The last words of the program, in one line."""
    facts: tuple[str, ...]


def failure_sentences(found: Explanation) -> FailureText | None:
    """Return how a job failed; None where it did not, or nobody knows."""
    failure = found.failure
    if failure is None:
        return None
    rank = "" if failure.rank is None else f"rank {failure.rank} failed first"
    said = clean(failure.said)
    where = ", ".join(filter(None, (rank, clean(failure.where, 200))))
    return FailureText(
        "" if failure.exit == found.sentence else clean(failure.exit),
        f"{where or 'it'} said:" if said else where,
        said,
        tuple(clean(fact) for fact in failure.facts),
    )


def queue_sentences(place: QueuePlace, now: datetime) -> list[str]:
    """Return where a job stands in its queue, a sentence each."""
    return [clean(words) for words in _queue(place, now)]


def _queue(place: QueuePlace, now: datetime) -> Iterator[str]:
    stands = _ordinal(place.position) if place.position else ""
    if stands and place.waiting:
        stands += f" of {place.waiting}"
    queue = f"in {place.queue}" if stands else place.queue
    within = f" (ClusterQueue {place.cluster_queue})" if place.cluster_queue else ""
    yield ", ".join(filter(None, (f"{stands} {queue}{within}".strip(), _priority(place))))
    if place.flavors:
        yield f"admitted with {', '.join(place.flavors)}"
    if place.held:
        yield "a person holds it back"
    if place.requeue_at:
        yield f"not tried again before {short_local_time(place.requeue_at)}"
    if place.requeues:
        yield f"put back into the queue {'once' if place.requeues == 1 else f'{place.requeues} times'}"
    if starts := starts_text(place.starts, now):
        yield f"start: {starts}"


def _priority(place: QueuePlace) -> str:
    if place.priority is None:
        return f"priority {place.priority_class}" if place.priority_class else ""
    return f"priority {place.priority}" + (f" ({place.priority_class})" if place.priority_class else "")


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def cause_about(cause: Cause, now: datetime) -> str:
    """Return which object a cause is about, and since when it is so."""
    age = span((now - cause.since).total_seconds()) if cause.since else ""
    return "  ".join(filter(None, (clean(cause.object, 200), age)))


def raw_lines(cause: Cause) -> list[str]:
    """Return what the object itself says, line by line; said too where it says nothing."""
    raw = cause.raw or "This is a field of the object: it says no more in words."
    return [clean(line) for line in raw.splitlines()[:_RAW_LINES]]


def _before(spec: JobSpec, name: str) -> str:
    return field_text(name, getattr(spec, name)) if hasattr(spec, name) else ""


def _value(text: str) -> str:
    return clean(text, 200) or "none"
