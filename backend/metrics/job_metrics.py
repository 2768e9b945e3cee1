"""What the hub knows of jobs, as metrics (pure): by state, owner and queue; waits; what GPUs do.

Names of owners and queues are what people wrote, so there are at most `MOST_VALUES` of each: the others are
one together. No job has a label of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec import Struct, field

from backend.metrics.text_format import Family, Sample
from backend_client.models import Job, JobState

MOST_VALUES = 200
"""Values of a label that people choose."""
OTHERS = "(others)"
"""The value of all that are beyond; no person and no queue can have this name."""
IDLE_BELOW = 0.02
"""A job below this mean utilisation leaves its GPUs idle."""
_WAITS = frozenset({JobState.QUEUED, JobState.PENDING})
_K = TypeVar("_K")


class _Gpus(Struct):
    """GPUs of the running jobs of one cluster."""

    uses: Counter[str] = field(default_factory=Counter)
    measured: int = 0
    weighted: float = 0.0
    """Utilisation times GPUs, over the measured ones."""


def job_families(jobs: Collection[Job], clusters: Iterable[str], now: datetime) -> list[Family]:
    """Return the families of all jobs; every state of every cluster is told, those without jobs as 0."""
    names = [*dict.fromkeys((*clusters, *sorted({job.ref.context for job in jobs})))]
    states = Counter((job.ref.context, job.state) for job in jobs)
    owners = Counter((job.owner, job.state) for job in jobs)
    queues = Counter((job.ref.context, queue_of(job), job.state) for job in jobs)
    return [
        Family(
            "traindeck_jobs",
            "gauge",
            "Jobs that exist, by state.",
            [
                Sample(states[name, state], {"cluster": name, "state": state})
                for name in names
                for state in JobState
            ],
        ),
        Family(
            "traindeck_owner_jobs",
            "gauge",
            "Jobs that exist, by owner and state; only what there is.",
            _by_owner(owners),
        ),
        Family(
            "traindeck_queue_jobs",
            "gauge",
            "Jobs that exist, by queue and state; only what there is.",
            _by_queue(queues),
        ),
        _oldest_waits(jobs, now),
        *_gpu_families(jobs, names),
    ]


def queue_of(job: Job) -> str:
    """Return the queue of a job: the one that holds it, else the one that it names; "" for none."""
    return job.queue.queue if job.queue and job.queue.queue else job.spec.queue


def gpus_of(job: Job) -> int:
    """Return the GPUs that a job asks for, of all its nodes or replicas together."""
    return job.spec.gpus * (job.spec.replicas if job.spec.kind == "deployment" else job.spec.nodes)


def bounded(weights: Mapping[_K, float]) -> frozenset[_K]:
    """Return the keys that keep a value of their own: the weightiest."""
    if len(weights) <= MOST_VALUES:
        return frozenset(weights)
    return frozenset(sorted(weights, key=lambda key: (-weights[key], str(key)))[:MOST_VALUES])


def _by_owner(counts: Counter[tuple[str, JobState]]) -> list[Sample]:
    totals: Counter[str] = Counter()
    for (owner, _), count in counts.items():
        totals[owner] += count
    kept, summed = bounded(totals), Counter[tuple[str, JobState]]()
    for (owner, state), count in counts.items():
        summed[owner if owner in kept else OTHERS, state] += count
    return [
        Sample(count, {"owner": owner, "state": state}) for (owner, state), count in sorted(summed.items())
    ]


def _by_queue(counts: Counter[tuple[str, str, JobState]]) -> list[Sample]:
    totals: Counter[tuple[str, str]] = Counter()
    for (cluster, queue, _), count in counts.items():
        totals[cluster, queue] += count
    kept, summed = bounded(totals), Counter[tuple[str, str, JobState]]()
    for (cluster, queue, state), count in counts.items():
        summed[cluster, queue if (cluster, queue) in kept else OTHERS, state] += count
    return [
        Sample(count, {"cluster": cluster, "queue": queue, "state": state})
        for (cluster, queue, state), count in sorted(summed.items())
    ]


def _oldest_waits(jobs: Iterable[Job], now: datetime) -> Family:
    """Return the longest wait of each queue in which somebody waits; one held back by a person counts not."""
    oldest: dict[tuple[str, str], float] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for job in jobs:
        if job.state in _WAITS and not (job.queue and job.queue.held):
            key = job.ref.context, queue_of(job)
            counts[key] += 1
            waited = max(0.0, (now - (job.queued or job.created)).total_seconds())
            oldest[key] = max(oldest.get(key, 0.0), waited)
    kept, longest = bounded(counts), defaultdict[tuple[str, str], float](float)
    for (cluster, queue), seconds in oldest.items():
        key = cluster, queue if (cluster, queue) in kept else OTHERS
        longest[key] = max(longest[key], seconds)
    return Family(
        "traindeck_oldest_wait_seconds",
        "gauge",
        "For how long the job that waits longest does; nothing where nobody waits.",
        [Sample(value, {"cluster": key[0], "queue": key[1]}) for key, value in sorted(longest.items())],
    )


def _gpu_families(jobs: Iterable[Job], clusters: Iterable[str]) -> list[Family]:
    found = {name: _Gpus() for name in clusters}
    for job in jobs:
        if job.state is JobState.RUNNING and (gpus := gpus_of(job)):
            _add(found[job.ref.context], gpus, job.usage.gpu if job.usage else None)
    uses = [
        Sample(each.uses[use], {"cluster": name, "use": use})
        for name, each in found.items()
        for use in ("busy", "idle", "unknown")
    ]
    means = [
        Sample(each.weighted / each.measured, {"cluster": name})
        for name, each in found.items()
        if each.measured
    ]
    return [
        Family(
            "traindeck_job_gpus",
            "gauge",
            f"GPUs of running jobs: idle where the job's mean utilisation is below {IDLE_BELOW:.0%}, "
            "unknown where nobody measures it.",
            uses,
        ),
        Family(
            "traindeck_gpu_utilisation_ratio",
            "gauge",
            "Mean utilisation of the GPUs of running jobs, over those that are measured; else nothing.",
            means,
        ),
    ]


def _add(gpus: _Gpus, number: int, utilisation: float | None) -> None:
    if utilisation is None:
        gpus.uses["unknown"] += number
        return
    gpus.uses["idle" if utilisation < IDLE_BELOW else "busy"] += number
    gpus.measured += number
    gpus.weighted += utilisation * number
