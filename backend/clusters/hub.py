"""The hub: every job that a user of this server owns, as it is now, and the streams of its changes.

Each cluster is watched once (`apply`), each job is encoded once, and each audience's frames are made once.
The owner of a job comes from its row (`claim`): a job without a row is unclaimed, and sent to nobody.
"""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from backend.clusters.event_log import (
    JSON,
    Audience,
    Batch,
    CachedJob,
    EventLog,
    FrameFormat,
    Key,
    RemovedJob,
)
from backend_client.models import Job, JobState, QueuePlace, StartRange
from backend_client.protocol import (
    Changed,
    DeleteStep,
    Freshness,
    FreshnessState,
    Gone,
    Snapshot,
    Synced,
    WatchEvent,
)
from backend_client.server.wire import ClusterLink, encode

FRAME_SECONDS = 0.2
"""Seconds between two frames to one client, so that a storm of changes costs a few writes."""
LOOK_SECONDS = 600.0
"""So long after a list or a job was asked for, somebody may look at jobs."""


class Owner(Struct, frozen=True):
    """The user who owns a job."""

    user_id: int
    name: str


class Hub:
    """The cache of owned jobs with its listeners and streams. All in one event loop; only `frames` waits."""

    def __init__(self) -> None:
        self.links: dict[str, ClusterLink] = {}
        self._listeners: list[Callable[[Batch], None]] = []
        self._epoch = secrets.token_hex(4)
        self._log = EventLog()
        self._owners: dict[Key, Owner] = {}
        self._key_of_uid: dict[str, Key] = {}
        """uid -> key, of the jobs that somebody owns."""
        self._cached: dict[Key, CachedJob] = {}
        self._unclaimed: dict[Key, Job] = {}
        """Jobs of a cluster that no row has claimed (yet)."""
        self._listed: dict[str, set[Key]] = {}
        """cluster -> the jobs that its list, while it is read, has named so far."""
        self._before_resync: dict[str, set[Key]] = {}
        """cluster -> the jobs cached before its next list: one that the list does not name is removed."""
        self._held: set[Key] = set()
        """Jobs that are being deleted: removed once their rows say so, which is after their clusters do."""
        self._starts: dict[Key, StartRange] = {}
        """When waiting jobs are likely to start."""
        self._readers = 0
        self._looked_at = float("-inf")
        self._looks = asyncio.Event()
        self._published = asyncio.Event()
        self._frames: dict[tuple[int, Audience, FrameFormat], bytes] = {}
        self._snapshots: dict[tuple[Audience, FrameFormat], bytes] = {}

    def subscribe(self, listener: Callable[[Batch], None]) -> None:
        """Call a listener with every batch that is published from now on; it must not wait."""
        self._listeners.append(listener)

    def add(self, cluster: str) -> None:
        """Add a cluster that has not answered yet."""
        self.links[cluster] = ClusterLink(cluster, FreshnessState.STALE, datetime.now(UTC), "not reached yet")
        self._publish(Batch(links={cluster: self.links[cluster]}))

    def drop(self, cluster: str) -> None:
        """Drop a cluster that is no longer this server's, with its jobs."""
        self.links.pop(cluster, None)
        keys = [key for key in self._cached if key[0] == cluster]
        self._unclaimed = {key: job for key, job in self._unclaimed.items() if key[0] != cluster}
        self._remove(keys)

    def remember(self, jobs: Iterable[tuple[Owner, Job]]) -> None:
        """Cache jobs as their rows have them, until their clusters have listed them."""
        for owner, job in jobs:
            cached = self._cached_job(owner, job)
            self._set_owner(cached.key, owner)
            self._cached.setdefault(cached.key, cached)
            self._before_resync.setdefault(job.ref.context, set()).add(cached.key)

    def claim(self, owner: Owner, job: Job) -> None:
        """Claim a job that was just created for its owner."""
        key = _key_of(job)
        self._set_owner(key, owner)
        self._update([self._unclaimed.pop(key, job)])

    def hold(self, cluster: str, uid: str) -> None:
        """Hold a deleted job until `release`: a client that reads of its end must not find its row."""
        self._held.add((cluster, uid))

    def release(self, cluster: str, uid: str) -> None:
        """Remove a held job: nothing of it is left in its cluster, and its row says so."""
        self._held.discard((cluster, uid))
        self._remove([(cluster, uid)])

    def apply(self, cluster: str, events: Sequence[WatchEvent]) -> None:
        """Apply the events of a cluster's watch to the cache."""
        for event in events:
            match event:
                case Snapshot():
                    self._listed.setdefault(cluster, set()).update(_key_of(job) for job in event.jobs)
                    self._update(event.jobs)
                case Changed():
                    self._update(event.jobs)
                case Gone():
                    self._remove([(cluster, ref.uid) for ref in event.refs], forget=False)
                case Synced():
                    listed, before = self._listed.pop(cluster, set()), self._before_resync.pop(cluster, set())
                    self._remove(before - listed, forget=False)
                case Freshness():
                    self.set_link(ClusterLink(cluster, event.state, event.since, event.why))

    def set_link(self, link: ClusterLink) -> None:
        """Set the link (freshness) of a cluster; while it is stale, its next list decides what is gone."""
        if link.state is FreshnessState.STALE:
            old = {key for key in self._cached if key[0] == link.cluster}
            self._before_resync.setdefault(link.cluster, set()).update(old)
        if link.cluster in self.links and self.links[link.cluster] != link:
            self.links[link.cluster] = link
            self._publish(Batch(links={link.cluster: link}))

    def is_synced(self, cluster: str) -> bool:
        """Tell whether the jobs of a cluster are all that it has now: its list was read, and holds."""
        link = self.links.get(cluster)
        return bool(link and link.state is FreshnessState.LIVE and cluster not in self._before_resync)

    def publish_step(self, cluster: str, uid: str, step: DeleteStep) -> None:
        """Publish a step of a job's deletion to its owner."""
        if owner := self._owners.get((cluster, uid)):
            self._publish(Batch(steps=[((cluster, uid), owner.user_id, step)]))

    def get(self, cluster: str, uid: str) -> CachedJob | None:
        """Return a job as it is now, None where nobody owns it."""
        return self._cached.get((cluster, uid))

    def is_claimed(self, cluster: str, uid: str) -> bool:
        """Tell whether a row has claimed a job."""
        return (cluster, uid) in self._owners

    def find_owner(self, uid: str) -> tuple[str, Owner] | None:
        """Return (cluster, owner) of a job; None where nobody owns it."""
        key = self._key_of_uid.get(uid)
        owner = self._owners.get(key) if key else None
        return (key[0], owner) if key and owner else None

    def all(self) -> Iterable[CachedJob]:
        """Return every owned job."""
        return [*self._cached.values()]

    def note_look(self) -> None:
        """Note that somebody looks at jobs now."""
        self._looked_at = time.monotonic()
        self._looks.set()

    async def wait_for_look(self) -> None:
        """Wait until somebody looks at jobs from now on."""
        self._looks.clear()
        await self._looks.wait()

    @property
    def is_looked_at(self) -> bool:
        """Whether somebody looks at jobs: a stream is open, or jobs were asked for a little while ago."""
        return self._readers > 0 or time.monotonic() - self._looked_at < LOOK_SECONDS

    def set_starts(self, cluster: str, starts: Mapping[str, StartRange]) -> None:
        """Set when the waiting jobs of a cluster (by uid) are likely to start; replaces those set before."""
        now = {(cluster, uid): found for uid, found in starts.items()}
        before = {key: found for key, found in self._starts.items() if key[0] == cluster}
        self._starts = {key: found for key, found in self._starts.items() if key[0] != cluster} | now
        changed = (key for key in before | now if before.get(key) != now.get(key))
        self._update([self._cached[key].job for key in changed if key in self._cached])

    def with_owner(self, job: Job) -> Job:
        """Return a backend's job as its owner gets it: with the owner's name, without the namespace."""
        owner = self._owners.get(_key_of(job))
        return self._cached_job(owner, job).job if owner else job

    async def frames(
        self, audience: Audience, after: str = "", form: FrameFormat = JSON
    ) -> AsyncGenerator[bytes, None]:
        """Stream the frames of one client, from a snapshot or behind the id `after`. Ends once it lags."""
        self._readers += 1
        self._looks.set()
        try:
            async for part in self._frames_after(self._position(after, audience), audience, form):
                yield part
        finally:
            self._readers -= 1

    async def _frames_after(
        self, position: int | None, audience: Audience, form: FrameFormat
    ) -> AsyncGenerator[bytes, None]:
        if self.links:
            yield b"".join(map(form.link, self.links_for(audience)))
        if position is None:
            position = self._log.last
            yield self._snapshot(audience, form)
        while True:
            news = self._published
            if position < self._log.last:
                frames = self._frames_since(position, audience, form)
                if frames is None:
                    yield form.lagged
                    return
                position = self._log.last
                if frames:
                    yield frames
                    # Not all at once: hundreds of sends in a row hold up everybody else.
                    await asyncio.sleep(FRAME_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311  no secret
            else:
                await news.wait()

    def jobs_for(self, audience: Audience) -> list[CachedJob]:
        """Return the jobs of an audience, in no order."""
        return [job for job in self._jobs_among(audience) if audience.sees(job.user_id, job.key)]

    def last_id(self, audience: Audience) -> str:
        """Return the id behind which `frames` goes on from what `jobs_for` has just returned."""
        return f"{self._id_prefix(audience)}-{self._log.last}"

    def links_for(self, audience: Audience) -> list[ClusterLink]:
        """Return the links of the clusters that an audience is about."""
        return [link for name, link in self.links.items() if audience.cluster in ("", name)]

    def _cached_job(self, owner: Owner, job: Job) -> CachedJob:
        """Return a job with its row's owner, whatever the object says, and with when it starts.

        Its namespace stays in the ref alone.
        """
        owned = replace(job, owner=owner.name, spec=replace(job.spec, namespace="", cluster=""))
        owned = _with_start(owned, self._starts.get(_key_of(job)))
        return CachedJob(owner.user_id, owned, encode(owned))

    def _set_owner(self, key: Key, owner: Owner) -> None:
        self._owners[key] = owner
        self._key_of_uid[key[1]] = key

    def _update(self, jobs: Iterable[Job]) -> None:
        batch = Batch()
        for job in jobs:
            key = _key_of(job)
            owner = self._owners.get(key)
            if owner is None:
                self._unclaimed[key] = job
                continue
            cached, before = self._cached_job(owner, job), self._cached.get(key)
            if before is None or before.encoded != cached.encoded:
                self._cached[key] = batch.changed[key] = cached
        self._publish(batch)

    def _remove(self, keys: Iterable[Key], *, forget: bool = True) -> None:
        """Remove jobs. Unless `forget`, their owners stay known, for an event that comes late."""
        batch = Batch()
        for key in [key for key in keys if key not in self._held]:
            self._unclaimed.pop(key, None)
            if cached := self._cached.pop(key, None):
                batch.removed[key] = RemovedJob(cached.user_id, cached.job.ref)
            if forget:
                self._owners.pop(key, None)
                self._key_of_uid.pop(key[1], None)
        self._publish(batch)

    def _publish(self, batch: Batch) -> None:
        if not batch:
            return
        self._log.add(batch)
        self._frames.clear()
        self._snapshots.clear()
        for listener in self._listeners:
            listener(batch)
        self._published.set()
        self._published = asyncio.Event()

    def _frames_since(self, position: int, audience: Audience, form: FrameFormat) -> bytes | None:
        key = (position, audience, form)
        if key not in self._frames:
            batch = self._log.since(position)
            if batch is None:
                return None
            self._frames[key] = batch.frames(audience, self.last_id(audience), form)
        return self._frames[key]

    def _snapshot(self, audience: Audience, form: FrameFormat) -> bytes:
        key = (audience, form)
        if key not in self._snapshots:
            self._snapshots[key] = form.snapshot(self.jobs_for(audience), self.last_id(audience))
        return self._snapshots[key]

    def _jobs_among(self, audience: Audience) -> Iterable[CachedJob]:
        """Return the jobs among which an audience has its own."""
        if not audience.uid:
            return self._cached.values()
        key = self._key_of_uid.get(audience.uid)
        return [self._cached[key]] if key in self._cached else []

    def _id_prefix(self, audience: Audience) -> str:
        """Return the part of an id that is the audience's own: no other audience can resume by it."""
        user = "all" if audience.users is None else "+".join(map(str, sorted(audience.users)))
        return f"{self._epoch}.{user}.{quote(audience.cluster, '')}.{quote(audience.uid, '')}"

    def _position(self, after: str, audience: Audience) -> int | None:
        """Return the number of the batch with the id `after`; None where it was dropped, or is not ours."""
        stem, _, number = after.rpartition("-")
        if stem != self._id_prefix(audience) or not number.isdecimal() or len(number) > 18:
            return None
        return int(number) if self._log.since(int(number)) is not None else None


def _key_of(job: Job) -> Key:
    return job.ref.context, job.ref.uid


def _with_start(job: Job, starts: StartRange | None) -> Job:
    """Return a job with the range of its start; with none where it does not wait."""
    found = starts if job.state is JobState.QUEUED else None
    if found is None and (job.queue is None or job.queue.starts is None):
        return job
    return replace(job, queue=replace(job.queue or QueuePlace(queue=job.spec.queue), starts=found))
