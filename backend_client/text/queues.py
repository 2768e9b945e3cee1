"""Queues and waiting jobs as text: bars of quotas, who lends, the cells of a waiting job. Pure."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from backend_client.gpu_nodes import Whose
from backend_client.queues import (
    ClusterQueueInfo,
    FlavorQuota,
    LocalQueueInfo,
    QueueBoard,
    WaitingJob,
    borrowable,
    lenders,
    loan,
)
from backend_client.text.figures import span
from backend_client.text.questions import Question
from backend_client.text.sanitize import clean

_STOPPED = {
    "Hold": "stopped by an administrator; what runs goes on",
    "HoldAndDrain": "stopped by an administrator, and emptied",
}
_MARKS = {Whose.MINE: "*", Whose.TEAM: "+", Whose.OTHER: ""}
_BYTES = ("memory", "ephemeral-storage")
NOTHING_WAITS = "Nothing waits."
NOT_QUEUED = "It does not wait in a queue."
PRIORITY_STAYS = "A job that has a priority in its queue can get another one, but not be without one again."
AGE_STAYS = "It keeps its age, by which it is placed."
TITLES = ("", "POS", "NAME", "OWNER", "QUEUE", "PRIO", "GPUS", "AGE", "IN")


class Bar(Struct, frozen=True):
    """How a quota is drawn, in cells."""

    own: int
    """What is used of its own."""
    borrowed: int
    idle: int


def counts_devices(resource: str) -> bool:
    """Return whether a resource is GPUs or the like: only those are DOMAIN/NAME."""
    return "/" in resource


def shown_quotas(queue: ClusterQueueInfo) -> list[FlavorQuota]:
    """Return the quotas of GPUs that a queue has, or uses of others."""
    return [
        quota for quota in queue.quotas if counts_devices(quota.resource) and (quota.nominal or quota.used)
    ]


def bar(quota: FlavorQuota, cells: int, most: int) -> Bar:
    """Return the bar of a quota where `most` fills all cells; whatever is not 0 gets one at least."""
    scale = cells / max(1, most)
    own, borrowed, idle = (
        max(1, round(count * scale)) if count else 0
        for count in (quota.used - quota.borrowed, quota.borrowed, quota.idle)
    )
    return Bar(own, borrowed, idle)


def longest(board: QueueBoard) -> int:
    """Return how long the longest bar of a board is, in GPUs."""
    quotas = (quota for queue in board.cluster_queues for quota in queue.quotas)
    return max(
        (max(quota.nominal, quota.used) for quota in quotas if counts_devices(quota.resource)), default=1
    )


def quota_words(board: QueueBoard, queue: ClusterQueueInfo, quota: FlavorQuota) -> str:
    """Describe a quota: "24 of 16, 8 borrowed from team-b", "0 of 8"."""
    words = [f"{_figure(quota, quota.used)} of {_figure(quota, quota.nominal)}"]
    if quota.borrowed:
        names = " or ".join(clean(name, 30) for name in lenders(board, queue, quota))
        words.append(f"{_figure(quota, quota.borrowed)} borrowed{f' from {names}' if names else ''}")
    lent = loan(board, queue, quota)
    if lent:
        names = " and ".join(clean(name, 30) for name in lent.to)
        most = _figure(quota, lent.amount)
        words.append(f"{most} lent to {names}" if lent.is_certain else f"up to {most} lent to {names}")
    may_borrow = sum(borrowable(board, queue, quota).values())
    if may_borrow:
        words.append(f"may borrow {_figure(quota, may_borrow)}")
    return ", ".join(words)


def _figure(quota: FlavorQuota, amount: int) -> str:
    """Format an amount: memory, which is counted in bytes, in GiB."""
    if quota.resource in _BYTES:
        return f"{amount / 2**30:.0f}Gi"
    return str(amount)


def queue_words(queue: ClusterQueueInfo | LocalQueueInfo) -> str:
    """Describe a queue: its cohort and order, why it admits nothing, how much waits in it."""
    parts = []
    if isinstance(queue, ClusterQueueInfo):
        cohort = f"cohort {clean(queue.cohort, 30)}" if queue.cohort else "no cohort"
        parts = [cohort, "strictly in order"] if queue.strategy == "StrictFIFO" else [cohort]
    else:
        parts = [f"of {clean(queue.cluster_queue, 30)}"]
    trouble = _STOPPED.get(queue.stopped, queue.stopped) or queue.trouble
    counts = f"{queue.waiting} waiting, {queue.admitted} admitted"
    return "; ".join(filter(None, (*parts, counts, clean(trouble, 200))))


def queue_name(queue: ClusterQueueInfo | LocalQueueInfo, *, several_clusters: bool = False) -> str:
    """Return the name of a queue; of a LocalQueue with its namespace, on a server with its cluster."""
    name = queue.name if isinstance(queue, ClusterQueueInfo) else f"{queue.namespace}/{queue.name}"
    return clean(f"{queue.cluster}/{name}" if several_clusters and queue.cluster else name, 60)


def held_words(queue: LocalQueueInfo) -> str:
    """Describe what the jobs of a LocalQueue hold: "24 a100, 16 h100"."""
    held = [
        f"{use.used} {clean(use.flavor, 30)}"
        for use in queue.usage
        if counts_devices(use.resource) and use.used
    ]
    return f"its jobs hold {', '.join(held)}" if held else "its jobs hold no GPUs"


def has_several_clusters(board: QueueBoard) -> bool:
    """Return whether a board has queues of more than one cluster."""
    clusters = {queue.cluster for queue in board.cluster_queues}
    return len(clusters | {queue.cluster for queue in board.local_queues}) > 1


def waiting_cells(job: WaitingJob, now: datetime) -> list[str]:
    """Return the cells of a waiting job, as `TITLES` names them."""
    position = "held" if job.held else str(job.position or "")
    return [
        _MARKS[job.whose],
        position,
        clean(job.name, 80) if job.name else "(another's)",
        clean(job.owner, 40),
        clean(job.queue, 40),
        "" if job.priority is None else str(job.priority),
        "" if job.gpus is None else str(job.gpus),
        span((now - job.since).total_seconds()) if job.since else "",
        clean(job.cluster_queue, 40),
    ]


def why_fixed(job: WaitingJob) -> str:
    """Return why nobody can change how this is queued, as a sentence; "" where somebody may."""
    if not job.name:
        return "That job is another's."
    if job.kind != "Job":
        return f"{clean(job.name, 80)} is a {clean(job.kind, 40)}; only a job can be changed here."
    return ""


def change_question(job: WaitingJob) -> Question:
    """Return the question before a job is changed that is not one's own."""
    whose = f"It is {clean(job.owner, 40)}'s." if job.owner else "Whose it is is not known."
    return Question(f"Change {clean(job.name, 80)}?", whose, "Go on")


def notes(board: QueueBoard) -> Iterator[str]:
    """Yield what a person should know of a board beside its figures."""
    if board.note:
        yield clean(board.note, 300)
    yield from (clean(sentence, 300) for sentence in board.unknown)
