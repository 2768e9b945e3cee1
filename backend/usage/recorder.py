"""The recorder of attempts: what every pod of this server's jobs held, from the hub to rows.

A row is made of what the cluster says, so writing it again changes nothing, whoever writes. A pod that is
gone without a word is missed at once while its cluster is watched; after a gap (the server was down, the link
was) its end lies between two times, and both are kept.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import asdict, replace
from sqlalchemy import and_, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.clusters.event_log import Batch, Key
from backend.clusters.hub import Hub
from backend.db.engine import Database
from backend.db.models import AttemptRow, JobRow
from backend.usage.clock import ClusterClock
from backend.usage.held import Held, by_pod, closed, held_of, is_unseen
from backend_client.models import Attempt, Job
from backend_client.protocol import FreshnessState

SEEN_EVERY = timedelta(seconds=60)
"""How often it is written that pods are still there: what a crash leaves uncertain is no more than this."""
SETTLED_AFTER = timedelta(seconds=5)
"""After a link is live again, what was missed meanwhile is told within this time."""
_CHUNK = 500
_COLUMNS = [name for name in Held.__struct_fields__ if name != "job_uid"]


class AttemptRecorder:
    """Remembers what is held; `observe` is the hub's listener, `write` writes what is new."""

    def __init__(
        self, database: Database, hub: Hub, make_clock: Callable[[], ClusterClock] = ClusterClock
    ) -> None:
        """Know nothing yet; `load` reads the rows."""
        self._database, self._hub, self._make_clock = database, hub, make_clock
        self._clocks: dict[str, ClusterClock] = {}
        self._held: dict[Key, dict[str, Held]] = {}
        """Job -> pod -> what it holds or held."""
        self._last_seen: dict[Key, datetime] = {}
        """Pod -> when it was seen last, by the process before."""
        self._attempts: dict[Key, tuple[Sequence[Attempt], object]] = {}
        """What was taken in of a job last: the rest of it changes often, and says nothing here."""
        self._gaps: dict[str, datetime] = {}
        """Cluster -> since when it was not watched, the last time that it was."""
        self._live: dict[str, datetime] = {}
        """Cluster -> since when it is watched."""
        self._unwritten: dict[Key, Held] = {}
        self._job_ids: dict[Key, int] = {}
        self._seen: datetime | None = None

    async def load(self) -> None:
        """Read what is open, and all of the jobs that are still there; end what is open of deleted ones."""
        known = AttemptRow.released.is_(None) | JobRow.deleted.is_(None)
        query = select(AttemptRow, JobRow.uid, JobRow.deleted).join(JobRow, JobRow.id == AttemptRow.job_id)
        async with self._database.read() as session:
            rows = (await session.execute(query.where(known))).all()
        for row, uid, deleted in rows:
            held = Held(job_uid=uid or "", **{name: getattr(row, name) for name in _COLUMNS})
            self._job_ids[held.job] = row.job_id
            self._last_seen[held.key] = row.last_seen
            if deleted:
                self._put(closed(held, None, deleted, row.last_seen))
            else:
                self._held.setdefault(held.job, {})[held.pod_uid] = held

    def clock(self, cluster: str) -> ClusterClock:
        """Return the clock of a cluster."""
        if cluster not in self._clocks:
            self._clocks[cluster] = self._make_clock()
        return self._clocks[cluster]

    def observe(self, batch: Batch) -> None:
        """Take in a batch of the hub, to be written by `write`."""
        for cluster, link in batch.links.items():
            self._follow_link(cluster, live=link.state is FreshnessState.LIVE)
        for key, cached in batch.changed.items():
            self._take(key, cached.job)
        for key in batch.removed:
            self._take_removed(key)

    def holding(self, job: Key) -> list[Held]:
        """Return what the pods of a job hold now."""
        return [held for held in self._held.get(job, {}).values() if held.released is None]

    def _follow_link(self, cluster: str, *, live: bool) -> None:
        now = self.clock(cluster).now()
        if live:
            self._live.setdefault(cluster, now)
        elif cluster in self._live:
            if self._is_settled(cluster):
                self._gaps[cluster] = now
            del self._live[cluster]

    def _is_settled(self, cluster: str) -> bool:
        """Return whether a cluster is watched, and all was told that was missed before."""
        live = self._live.get(cluster)
        return live is not None and self.clock(cluster).now() - live >= SETTLED_AFTER

    def _gap_since(self, held: Held) -> datetime | None:
        """Return since when nobody had looked at a pod that is gone; None where it is missed at once."""
        if self._is_settled(held.cluster):
            return None
        return self._gaps.get(held.cluster) or self._last_seen.get(held.key)

    def _take(self, key: Key, job: Job) -> None:
        said = job.attempts, (job.state, job.pauses, job.finished, job.queue and job.queue.queue)
        if self._attempts.get(key) == said:
            return
        self._attempts[key] = said
        known = self._held.get(key, {})
        there = by_pod(job)
        for pod_uid, attempts in there.items():
            self._take_pod(job, pod_uid, attempts, known.get(pod_uid))
        for pod_uid, held in [*known.items()]:
            if pod_uid not in there and held.released is None:
                self._put(closed(held, job, self._now(held), self._gap_since(held)))

    def _take_pod(self, job: Job, pod_uid: str, attempts: Sequence[Attempt], before: Held | None) -> None:
        held = held_of(job, pod_uid, attempts, before)
        if before is None and held.released is None and self._is_settled(held.cluster):
            self.clock(held.cluster).note(held.allocated)
        if held.released and is_unseen(attempts):
            if before and before.released:
                return
            open_ = replace(held, released=None, finished=None)
            end = closed(open_, job, self._now(held), self._gap_since(held))
            held = replace(end, end=held.end)
        if held != before:
            self._put(held)

    def _take_removed(self, key: Key) -> None:
        self._attempts.pop(key, None)
        for held in self._held.pop(key, {}).values():
            if held.released is None:
                self._put(closed(held, None, self._now(held), self._gap_since(held)))
        self._held.pop(key, None)

    def _now(self, held: Held) -> datetime:
        return self.clock(held.cluster).now()

    def _put(self, held: Held) -> None:
        self._held.setdefault(held.job, {})[held.pod_uid] = held
        self._unwritten[held.key] = held

    # Writing

    async def write(self, session: AsyncSession) -> Callable[[], None]:
        """Write what is new; call what is returned once it is committed, and not where it failed."""
        unwritten = dict(self._unwritten)
        ids = await self._find_jobs(session, {held.job for held in unwritten.values()})
        written = {key: held for key, held in unwritten.items() if held.job in ids}
        values = [self._values(held, ids[held.job]) for held in written.values()]
        for start in range(0, len(values), _CHUNK):
            await session.execute(_upsert(self._database.sqlite), values[start : start + _CHUNK])
        await self._write_seen(session)

        def done() -> None:
            self._job_ids.update(ids)
            for key, held in written.items():
                if self._unwritten.get(key) is held:
                    del self._unwritten[key]

        return done

    def _values(self, held: Held, job_id: int) -> dict[str, Any]:
        values = asdict(held)
        del values["job_uid"]
        return {**values, "job_id": job_id, "last_seen": max(self._now(held), held.latest)}

    async def _find_jobs(self, session: AsyncSession, jobs: Iterable[Key]) -> dict[Key, int]:
        found = {job: self._job_ids[job] for job in jobs if job in self._job_ids}
        missing = [uid for cluster, uid in jobs if (cluster, uid) not in found]
        for start in range(0, len(missing), _CHUNK):
            uids = missing[start : start + _CHUNK]
            query = select(JobRow.cluster, JobRow.uid, JobRow.id).where(JobRow.uid.in_(uids))
            found |= {(cluster, uid or ""): id_ for cluster, uid, id_ in await session.execute(query)}
        return found

    async def _write_seen(self, session: AsyncSession) -> None:
        """Write that the pods of watched clusters are still there, once a minute."""
        for cluster in self._live:
            now = self.clock(cluster).now()
            if self._seen and now - self._seen < SEEN_EVERY:
                return
            await session.execute(
                update(AttemptRow)
                .where(AttemptRow.released.is_(None), AttemptRow.cluster == cluster)
                .values(last_seen=now)
            )
        if self._live:
            self._seen = now


def _upsert(sqlite: bool) -> Any:
    """Return the statement that writes a row or changes it; an end that was seen outdoes a guessed one."""
    if sqlite:
        from sqlalchemy.dialects.sqlite import insert  # noqa: PLC0415  one of two, by the database
    else:
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]  # noqa: PLC0415  as above
    statement = insert(AttemptRow)
    new = statement.excluded
    seen = and_(
        AttemptRow.released.is_not(None), AttemptRow.released_lo.is_(None), new.released_lo.is_not(None)
    )
    changed: dict[str, Any] = {name: new[name] for name in _COLUMNS if name not in ("cluster", "pod_uid")}
    changed["last_seen"] = new.last_seen
    changed["allocated"] = case(
        (AttemptRow.allocated < new.allocated, AttemptRow.allocated), else_=new.allocated
    )
    changed["started"] = func.coalesce(new.started, AttemptRow.started)
    for name in ("released", "released_lo", "end"):
        changed[name] = case((seen, getattr(AttemptRow, name)), else_=new[name])
    return statement.on_conflict_do_update(index_elements=["cluster", "pod_uid"], set_=changed)
