"""The GPUs of a cohort's queues while they are taken and given back: nominal, borrowed and lent (pure).

Kueue's own arithmetic for a flat cohort: kueue.sigs.k8s.io/docs/concepts/cluster_queue, "Cohort",
"BorrowingLimit", "LendingLimit". Limits of cohorts within cohorts are not counted.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import inf
from typing import Protocol

from msgspec import Struct

from backend_client.queue_snapshot import QueueQuota


class Request(Protocol):
    """A job that asks for GPUs of one of some flavors."""

    @property
    def queue(self) -> str: ...
    @property
    def gpus(self) -> int: ...
    @property
    def flavors(self) -> tuple[str, ...]: ...


class _Cell(Struct):
    """One flavor in one queue."""

    most: float
    """What the queue may use, borrowed ones too."""
    kept: int
    """What it lends to nobody."""
    used: int = 0

    @property
    def shared(self) -> int:
        """What it uses of that which the cohort shares."""
        return max(0, self.used - self.kept)


class QuotaCells:
    """The GPUs of each queue and flavor, all free at first."""

    def __init__(self, queues: Sequence[QueueQuota], own: Mapping[str, int]) -> None:
        """`own`: GPUs by flavor of the cohort itself."""
        self._cells: dict[tuple[str, str], _Cell] = {}
        self._shared: defaultdict[str, int] = defaultdict(int, own)
        """Flavor -> GPUs that are left of those that the cohort shares."""
        for queue in queues:
            for flavor, quota in queue.flavors.items():
                borrowing = (inf if quota.borrowing is None else quota.borrowing) if queue.cohort else 0
                lending = quota.nominal if quota.lending is None else min(quota.lending, quota.nominal)
                kept = quota.nominal - lending if queue.cohort else quota.nominal
                self._cells[queue.name, flavor] = _Cell(quota.nominal + borrowing, kept)
                self._shared[flavor] += quota.nominal - kept

    def room(self, job: Request) -> float:
        """Return the most GPUs that the queue of a job could get now in one of its flavors."""
        return max((self._room(job.queue, flavor) for flavor in job.flavors), default=0)

    def fitting_flavor(self, job: Request) -> str | None:
        """Return the first of the job's flavors in which it fits now."""
        for flavor in job.flavors:
            if self._room(job.queue, flavor) >= job.gpus:
                return flavor
        return None

    def take(self, queue: str, gpus: Mapping[str, int]) -> None:
        """Take GPUs by flavor, even more than there are: the cluster has admitted them."""
        for flavor, count in gpus.items():
            self._add(queue, flavor, count)

    def release(self, queue: str, gpus: Mapping[str, int]) -> None:
        """Give GPUs back, by flavor."""
        for flavor, count in gpus.items():
            self._add(queue, flavor, -count)

    def _room(self, queue: str, flavor: str) -> float:
        cell = self._cells.get((queue, flavor))
        if cell is None:
            return 0
        return min(cell.most - cell.used, max(0, cell.kept - cell.used) + max(0, self._shared[flavor]))

    def _add(self, queue: str, flavor: str, count: int) -> None:
        if cell := self._cells.get((queue, flavor)):
            before = cell.shared
            cell.used += count
            self._shared[flavor] -= cell.shared - before
