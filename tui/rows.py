"""Which jobs a list shows, and in what order. Pure; quick with ten thousand jobs and 500 changes a second."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from backend_client.models import Job
from tui.store import Difference

_Key = tuple[float, float, str, str]


class Order(StrEnum):
    """The orders that `o` goes through."""

    ATTENTION = "what needs you first"
    NEWEST = "newest first"
    NAME = "by name"

    @property
    def following(self) -> "Order":
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


def _age(job: Job) -> float:
    return -job.created.timestamp()


_KEYS: dict[Order, Callable[[Job], _Key]] = {
    Order.ATTENTION: lambda job: (job.state.look.rank, _age(job), job.name, job.ref.uid),
    Order.NEWEST: lambda job: (0, _age(job), job.name, job.ref.uid),
    Order.NAME: lambda job: (0, 0, job.name, job.ref.uid),
}


def matches(job: Job, words: tuple[str, ...]) -> bool:
    """True where the job has all words (small letters) somewhere that a person would look."""
    labels = " ".join(f"{key}={value}" for key, value in job.spec.labels.items())
    node = job.attempts[-1].node if job.attempts else ""
    about = (job.name, job.state, job.owner, job.ref.namespace, job.ref.kind, node, labels, job.reason)
    text = "\n".join(about).lower()
    return all(word in text for word in words)


class Rows:
    """The uids to show, in order. `jobs` is the store's own dict, read and never written here."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self.jobs = jobs
        self.order = Order.ATTENTION
        self.words: tuple[str, ...] = ()
        self.uids: list[str] = []
        self._keys: dict[str, _Key] = {}
        self._index: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.uids)

    def index(self, uid: str) -> int | None:
        """The row of a job, or None where it is not shown."""
        return self._index.get(uid)

    def rearrange(self, *, order: Order | None = None, words: tuple[str, ...] | None = None) -> None:
        """Take another order or filter."""
        self.order = order or self.order
        self.words = self.words if words is None else words
        key = _KEYS[self.order]
        self._keys = {uid: key(job) for uid, job in self.jobs.items() if matches(job, self.words)}
        self._sort(list(self._keys))

    def update(self, difference: Difference) -> bool:
        """Follow the store; True where a row came, went or moved."""
        moved = False
        for uid in difference.added | difference.changed:
            moved |= self._set(uid, self.jobs[uid])
        for uid in difference.removed:
            moved |= self._keys.pop(uid, None) is not None
        if moved:
            kept = [uid for uid in self.uids if uid in self._keys]
            self._sort(kept + [uid for uid in self._keys if uid not in self._index])
        return moved

    def _set(self, uid: str, job: Job) -> bool:
        old = self._keys.get(uid)
        if self.words and not matches(job, self.words):
            return self._keys.pop(uid, None) is not None
        new = self._keys[uid] = _KEYS[self.order](job)
        return new != old

    def _sort(self, uids: list[str]) -> None:
        uids.sort(key=self._keys.__getitem__)
        self.uids = uids
        self._index = {uid: row for row, uid in enumerate(uids)}
