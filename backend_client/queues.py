"""The queues of a context: their quotas, who borrows, and what waits in which order.

A small protocol beside `JobBackend`, for contexts that have `Feature.QUEUE`. The words are Kueue's:
LocalQueue, ClusterQueue, cohort, flavor (https://kueue.sigs.k8s.io/docs/concepts/).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from backend_client.gpu_nodes import Whose
from backend_client.models import Job, JobRef
from backend_client.protocol import Scope


class FlavorQuota(Struct, frozen=True, kw_only=True):
    """What a ClusterQueue, or a cohort, has of one resource in one flavor.

    All figures are of the resource's own unit, rounded up: GPUs, CPU cores, bytes of memory.
    """

    flavor: str
    resource: str
    """As jobs ask for it: "nvidia.com/gpu", "cpu"."""
    nominal: int
    """What is its own."""
    used: int = 0
    """What its admitted jobs hold, borrowed ones too."""
    borrowed: int = 0
    """What of `used` is another queue's, which can take it back."""
    borrowing_limit: int | None = None
    """At most so much may be borrowed; None: all that the cohort has idle."""
    lending_limit: int | None = None
    """At most so much of `nominal` is lent; None: all of it."""

    @property
    def idle(self) -> int:
        """What of its own is not used."""
        return max(0, self.nominal - self.used)

    @property
    def lendable(self) -> int:
        """What others of the cohort may borrow of it now."""
        return self.idle if self.lending_limit is None else min(self.idle, self.lending_limit)


class FlavorUse(Struct, frozen=True, kw_only=True):
    """What the admitted jobs of a LocalQueue hold of one resource in one flavor."""

    flavor: str
    resource: str
    used: int


class ClusterQueueInfo(Struct, frozen=True, kw_only=True):
    """A ClusterQueue: whose quota it is, and what is used of it."""

    name: str
    cluster: str = ""
    """Of a server: in which of its clusters; "" in a context that is one cluster."""
    cohort: str = ""
    """The queues that lend to each other; "" where it lends and borrows nothing."""
    strategy: str = ""
    """"BestEffortFIFO": smaller jobs may pass one that does not fit; "StrictFIFO": none may."""
    stopped: str = ""
    """"Hold": an administrator has closed it; "HoldAndDrain": and taken out what ran; "" where it is open."""
    trouble: str = ""
    """Why it admits nothing, as it says itself; "" where it does."""
    quotas: tuple[FlavorQuota, ...] = ()
    waiting: int = 0
    admitted: int = 0


class LocalQueueInfo(Struct, frozen=True, kw_only=True):
    """A LocalQueue: the queue of a namespace, which jobs name."""

    namespace: str
    name: str
    cluster: str = ""
    cluster_queue: str = ""
    stopped: str = ""
    trouble: str = ""
    usage: tuple[FlavorUse, ...] = ()
    waiting: int = 0
    admitted: int = 0


class WaitingJob(Struct, frozen=True, kw_only=True):
    """A job (of a deployment: one replica) that waits to be admitted."""

    cluster: str = ""
    cluster_queue: str = ""
    namespace: str = ""
    queue: str = ""
    """Its LocalQueue; of a held one that in which it is put again."""
    position: int | None = None
    """From 1, in its ClusterQueue; None where it has none: it is held."""
    name: str = ""
    """"" where the job may not be told, as its uid, kind, owner, namespace and queue."""
    uid: str = ""
    kind: str = ""
    """Of its object: "Job", "Pod", "PyTorchJob"."""
    owner: str = ""
    whose: Whose = Whose.OTHER
    priority: int | None = None
    gpus: int | None = None
    """All that it asks for; None where that may not be read."""
    since: datetime | None = None
    held: bool = False
    """A person holds it back."""


class QueuePriority(Struct, frozen=True, kw_only=True):
    """A priority that a job may have in its queue (a WorkloadPriorityClass)."""

    name: str
    value: int
    about: str = ""


class QueueBoard(Struct, frozen=True, kw_only=True):
    """The queues that the caller may see, and what waits in them."""

    cluster_queues: tuple[ClusterQueueInfo, ...] = ()
    local_queues: tuple[LocalQueueInfo, ...] = ()
    waiting: tuple[WaitingJob, ...] = ()
    """By ClusterQueue, in the order in which they are tried; held ones last."""
    priorities: tuple[QueuePriority, ...] = ()
    """The highest first."""
    note: str = ""
    """What orders the jobs where the context has no queues; "" where it has."""
    unknown: tuple[str, ...] = ()
    """What could not be read, a sentence each."""


def lenders(board: QueueBoard, queue: ClusterQueueInfo, quota: FlavorQuota) -> list[str]:
    """Return the queues of whose quota a queue may have borrowed: those of its cohort that use less.

    Kueue keeps no account of who lent what: of several each may be it.
    """
    if not quota.borrowed or not queue.cohort:
        return []
    return [other.name for other, has in _same_flavor(board, queue, quota) if has.idle]


class Loan(Struct, frozen=True):
    """What a queue has lent of one resource in one flavor."""

    amount: int
    """At most so much, where `is_certain` is False: another queue of the cohort may have lent it."""
    to: tuple[str, ...]
    is_certain: bool


def loan(board: QueueBoard, queue: ClusterQueueInfo, quota: FlavorQuota) -> Loan | None:
    """Return what a queue has lent to others of its cohort; None where it has lent nothing."""
    if not queue.cohort or not quota.idle:
        return None
    others = list(_same_flavor(board, queue, quota))
    borrowers = tuple(other.name for other, has in others if has.borrowed)
    borrowed = sum(has.borrowed for _, has in others)
    if not borrowers:
        return None
    return Loan(min(quota.idle, borrowed), borrowers, not any(has.idle for _, has in others))


def borrowable(board: QueueBoard, queue: ClusterQueueInfo, quota: FlavorQuota) -> dict[str, int]:
    """Return other queue -> how much of this resource and flavor it would lend to `queue` now."""
    if not queue.cohort:
        return {}
    taken = quota.borrowed + sum(has.borrowed for _, has in _same_flavor(board, queue, quota))
    offers = {other.name: has.lendable for other, has in _same_flavor(board, queue, quota) if has.lendable}
    free = sum(offers.values()) - taken
    if quota.borrowing_limit is not None:
        free = min(free, quota.borrowing_limit - quota.borrowed)
    return {name: min(most, free) for name, most in offers.items()} if free > 0 else {}


def _same_flavor(
    board: QueueBoard, queue: ClusterQueueInfo, quota: FlavorQuota
) -> Iterator[tuple[ClusterQueueInfo, FlavorQuota]]:
    """Yield the other queues of a cohort, with what they have of this resource in this flavor."""
    for other in board.cluster_queues:
        if (other.cluster, other.cohort) == (queue.cluster, queue.cohort) and other.name != queue.name:
            for has in other.quotas:
                if (has.flavor, has.resource) == (quota.flavor, quota.resource):
                    yield other, has


@runtime_checkable
class HasQueues(Protocol):
    """A backend that has `Feature.QUEUE`. Every method may raise a BackendError.

    The writes are for jobs that wait: Refused for one that runs, or that has no queue. They return the job.
    """

    async def queues(self, scope: Scope) -> QueueBoard:
        """Return the queues of a scope, and what waits in them; what may not be read is said in it."""
        ...

    async def set_priority(self, ref: JobRef, name: str) -> Job:
        """Give a waiting job another of its queue's priorities. Raises Invalid where there is none such."""
        ...

    async def hold(self, ref: JobRef) -> Job:
        """Hold a waiting job back: it is not started, and is lost neither itself nor in its place."""
        ...

    async def release(self, ref: JobRef) -> Job:
        """Put a held job into its queue again, with the age that it has. One that is not held stays."""
        ...

    async def move(self, ref: JobRef, queue: str) -> Job:
        """Put a waiting job into another queue of its namespace. Raises Invalid where there is none such."""
        ...
