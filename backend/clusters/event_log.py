"""The event log of the watch: the last batches of changes, for all streams, instead of a queue for each.

A stream is a position in it. One that reads slowly gets what it missed as one merged batch; one whose
position was dropped has lagged, and starts over. So no slow client costs another memory or time.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Protocol

from msgspec import Struct, field

from backend_client.models import Job, JobRef
from backend_client.protocol import DeleteStep, Gone, Synced
from backend_client.server.wire import ClusterLink, Lagged, Step, frame, jobs_data, watch_frame

MAX_BATCHES = 1_000
MAX_BYTES = 8 * 2**20
SNAPSHOT_PAGE = 500
"""Jobs in one `snapshot`."""
Key = tuple[str, str]
"""(cluster, uid)."""


class CachedJob(Struct, frozen=True):
    """A job as it was published last, with its JSON."""

    user_id: int
    job: Job
    encoded: bytes

    @property
    def key(self) -> Key:
        return self.job.ref.context, self.job.ref.uid


class RemovedJob(Struct, frozen=True):
    """A job that was removed."""

    user_id: int
    ref: JobRef

    @property
    def key(self) -> Key:
        return self.ref.context, self.ref.uid


class Audience(Struct, frozen=True):
    """The jobs of a stream: of some users or (None) all, of one cluster or ("") all, or one job."""

    users: frozenset[int] | None
    cluster: str = ""
    uid: str = ""

    def sees(self, user_id: int, key: Key) -> bool:
        """Tell whether a job is for this audience."""
        cluster, uid = key
        return (
            (self.users is None or user_id in self.users)
            and self.cluster in ("", cluster)
            and self.uid in ("", uid)
        )


class FrameFormat(Protocol):
    """How a stream's events are encoded: as the API's JSON, or as a page's rows. One object for all."""

    @property
    def lagged(self) -> bytes:
        """The frame that ends a stream which read too slowly."""

    def snapshot(self, jobs: Sequence[CachedJob], id: str) -> bytes:  # noqa: A002  the field's name
        """Encode all jobs of an audience; the last frame has the id."""

    def changed(self, jobs: Sequence[CachedJob]) -> bytes:
        """Encode changed jobs as one frame without an id."""

    def gone(self, refs: Sequence[JobRef]) -> bytes:
        """Encode removed jobs as one frame without an id."""

    def link(self, link: ClusterLink) -> bytes:
        """Encode the link of a cluster as one frame without an id."""

    def step(self, step: Step) -> bytes:
        """Encode a step of a deletion as one frame without an id."""


class JsonFrames:
    """The frames of the API's watch (backend_client/server/wire.py)."""

    lagged = watch_frame(Lagged("more happened than was read; the list starts over"))

    def snapshot(self, jobs: Sequence[CachedJob], id: str) -> bytes:  # noqa: A002  the field's name
        starts = range(0, len(jobs), SNAPSHOT_PAGE) or (0,)
        pages = (jobs[start : start + SNAPSHOT_PAGE] for start in starts)
        frames = [frame("snapshot", jobs_data([job.encoded for job in page])) for page in pages]
        return b"".join((*frames, watch_frame(Synced(), id)))

    def changed(self, jobs: Sequence[CachedJob]) -> bytes:
        return frame("changed", jobs_data([job.encoded for job in jobs]))

    def gone(self, refs: Sequence[JobRef]) -> bytes:
        return watch_frame(Gone(tuple(refs)))

    def link(self, link: ClusterLink) -> bytes:
        return watch_frame(link)

    def step(self, step: Step) -> bytes:
        return watch_frame(step)


JSON = JsonFrames()


class Batch(Struct):
    """Changes that were published together, or (merged) one after the other."""

    changed: dict[Key, CachedJob] = field(default_factory=dict)
    removed: dict[Key, RemovedJob] = field(default_factory=dict)
    links: dict[str, ClusterLink] = field(default_factory=dict)
    steps: list[tuple[Key, int, DeleteStep]] = field(default_factory=list)
    """Of deletions: (key, user_id, step). They are few, and every one is sent."""
    _by_user: dict[int, list[tuple[Key, CachedJob]]] | None = None
    """`changed` by user, once a frame was asked for: each of many streams looks at its own jobs alone."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed or self.links or self.steps)

    @property
    def size(self) -> int:
        """Size in bytes, about."""
        return sum(len(cached.encoded) for cached in self.changed.values()) + 100 * len(self.removed) + 100

    def merge(self, later: "Batch") -> None:
        """Merge a later batch into this one: of each job and link its state counts."""
        self._by_user = None
        for key, cached in later.changed.items():
            self.removed.pop(key, None)
            self.changed[key] = cached
        for key, left in later.removed.items():
            self.changed.pop(key, None)
            self.removed[key] = left
        self.links.update(later.links)
        self.steps += later.steps

    def frames(self, audience: Audience, id: str, form: FrameFormat = JSON) -> bytes:  # noqa: A002  the field's name
        """Encode the batch as server-sent events for an audience; b"" where it has nothing for it.

        Only the last event has the id: a client that has read it has the whole batch.
        """
        refs = [job.ref for key, job in self.removed.items() if audience.sees(job.user_id, key)]
        jobs = [job for key, job in self._changed_for(audience) if audience.sees(job.user_id, key)]
        parts = [
            form.step(step) for step in self._steps(audience)
        ]  # before the end of the job that they belong to
        parts += [form.gone(refs)] if refs else []
        parts += [form.changed(jobs)] if jobs else []
        parts += [form.link(link) for link in self.links.values() if audience.cluster in ("", link.cluster)]
        return b"".join((*parts[:-1], f"id: {id}\n".encode(), parts[-1])) if parts else b""

    def _changed_for(self, audience: Audience) -> Iterable[tuple[Key, CachedJob]]:
        """Return the changed jobs among which an audience has its own: of a few users, only theirs."""
        if audience.users is None:
            return self.changed.items()
        if self._by_user is None:
            self._by_user = defaultdict(list)
            for key, job in self.changed.items():
                self._by_user[job.user_id].append((key, job))
        return chain.from_iterable(self._by_user.get(user, ()) for user in sorted(audience.users))

    def _steps(self, audience: Audience) -> Iterable[Step]:
        for key, user_id, step in self.steps:
            if audience.sees(user_id, key):
                yield Step(key[1], step.message, step.slow)


class EventLog:
    """The last batches, numbered from 1; at most `MAX_BATCHES` and about `MAX_BYTES`."""

    def __init__(self) -> None:
        self.last = 0
        """The number of the newest batch."""
        self._batches: deque[Batch] = deque()
        self._size = 0

    def add(self, batch: Batch) -> None:
        """Add the newest batch, and drop the oldest ones that are too many; never the newest."""
        self.last += 1
        self._batches.append(batch)
        self._size += batch.size
        while len(self._batches) > 1 and (self._size > MAX_BYTES or len(self._batches) > MAX_BATCHES):
            self._size -= self._batches.popleft().size

    def since(self, number: int) -> Batch | None:
        """Return all batches after a number, merged, to be read only; None where one was dropped."""
        missing = self.last - number
        if not 0 <= missing <= len(self._batches):
            return None
        if missing == 1:  # who reads in time: nothing is to be merged, and there are many of them
            return self._batches[-1]
        whole = Batch()
        for index in range(len(self._batches) - missing, len(self._batches)):
            whole.merge(self._batches[index])
        return whole
