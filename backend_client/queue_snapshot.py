"""What Kueue's queues hold at one moment: enough to work out in what order, and when, waiting jobs start."""

from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct


class FlavorQuota(Struct, frozen=True):
    """GPUs of one ResourceFlavor in a ClusterQueue."""

    nominal: int
    borrowing: int | None = None
    """How many more the queue may borrow; None is no limit."""
    lending: int | None = None
    """How many of its own the cohort may use; None is all."""


class QueueQuota(Struct, frozen=True, kw_only=True):
    """A ClusterQueue with its GPUs."""

    name: str
    cohort: str = ""
    """The uppermost cohort it is in; "" is none: it can neither borrow nor lend."""
    strict: bool = False
    """StrictFIFO: nothing passes a job that does not fit."""
    stopped: bool = False
    flavors: dict[str, FlavorQuota] = {}
    """In the order in which they are tried."""
    preempted: int = 0
    """How often the jobs that the cluster still shows have given way."""
    finished: int = 0
    """How many of those have ended."""


class PendingJob(Struct, frozen=True, kw_only=True):
    """A job that waits in a ClusterQueue."""

    uid: str
    """Of the job's own object."""
    namespace: str = ""
    queue: str
    local_queue: str = ""
    gpus: int
    """Of all its pods together."""
    flavors: tuple[str, ...] = ()
    """Those that its pods can use, in the order in which they are tried."""
    priority: int = 0
    since: datetime
    """Where it stands among those of its priority."""
    limit: float | None = None
    """Seconds after which it is ended, once it runs."""
    blocked: str = ""
    """Why GPUs that come free do not start it; "" where they do."""
    evicted: datetime | None = None
    """When it was last put back into the queue."""


class AdmittedJob(Struct, frozen=True, kw_only=True):
    """A job that holds GPUs of a ClusterQueue."""

    uid: str
    namespace: str = ""
    queue: str
    gpus: dict[str, int]
    """By flavor."""
    since: datetime
    limit: float | None = None
    ends: bool = True
    """False for what runs until somebody stops it."""


class QueueSnapshot(Struct, frozen=True, kw_only=True):
    """The queues of a cluster at one moment."""

    at: datetime
    queues: tuple[QueueQuota, ...] = ()
    cohorts: dict[str, dict[str, int]] = {}
    """GPUs by flavor that a cohort has of its own, beside those of its queues."""
    local_queues: dict[str, str] = {}
    """"NAMESPACE/NAME" of a LocalQueue -> its ClusterQueue."""
    products: dict[str, frozenset[str]] = {}
    """Flavor -> what its node labels say; none where it takes any node."""
    waiting: tuple[PendingJob, ...] = ()
    admitted: tuple[AdmittedJob, ...] = ()


@runtime_checkable
class HasQueueSnapshot(Protocol):
    """A backend that may have Kueue, read with its own rights for everybody."""

    async def queue_snapshot(self) -> QueueSnapshot | None:
        """Read all queues; None where the cluster has none. Raises a BackendError."""
        ...
