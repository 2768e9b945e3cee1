"""The watch of a server over all jobs for its alerts: the hub's changes and time in, rows and messages out.

Runs in the one server that has the database (`db/server_lock`). What changed is judged and written in one
transaction with the messages that tell of it, and with the states that were judged; what a crash cut off is
judged again by the next process, and what was written is not written again.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import select

from backend.alerts import recorder
from backend.alerts.cluster_rules import ClusterRules
from backend.clusters.event_log import Batch
from backend.clusters.hub import Hub
from backend.db.engine import Database
from backend.db.models import AlertWishesRow, JobRow
from backend.jobs.rows import live_jobs, state_of
from backend_client.alerts.alert import AlertWishes
from backend_client.alerts.engine import EVERY_SECONDS, SLICE, Transition
from backend_client.alerts.timeline import LogRead
from backend_client.alerts.wishes import readable
from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobRef

log = logging.getLogger("traindeck.alerts")
GATHER_SECONDS = 0.5
STARTING_SECONDS = 1.0
"""How often it is looked whether a cluster's list is there, until it is."""


def _now() -> datetime:
    return datetime.now(UTC)


class AlertWatcher:
    """`observe` is the hub's listener, `run_forever` the task that judges and writes."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        site_rules: Mapping[str, str],
        *,
        log_read: LogRead,
        wake_sender: Callable[[], None],
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._database = database
        self._hub = hub
        self._site_rules = dict(site_rules)
        self._log_read = log_read
        self._wake_sender = wake_sender
        self._clock = clock
        self._wishes: dict[int, Mapping[str, str]] = {}
        """User -> what they and the site want."""
        self._clusters: dict[str, ClusterRules] = {}
        self._changed: defaultdict[str, dict[str, Job]] = defaultdict(dict)
        self._removed: defaultdict[str, dict[str, JobRef]] = defaultdict(dict)
        self._unwritten: defaultdict[str, tuple[list[Transition], dict[str, str]]] = defaultdict(
            lambda: ([], {})
        )
        """Cluster -> what was judged and could not be written yet."""
        self._news = asyncio.Event()

    def observe(self, batch: Batch) -> None:
        """Take in a batch of the hub."""
        for (cluster, uid), cached in batch.changed.items():
            self._removed[cluster].pop(uid, None)
            self._changed[cluster][uid] = cached.job
        for (cluster, uid), removed in batch.removed.items():
            self._changed[cluster].pop(uid, None)
            self._removed[cluster][uid] = removed.ref
        self._news.set()

    def set_wishes(self, user_id: int, rules: Mapping[str, str]) -> None:
        """Take what a person wants from now on."""
        self._wishes[user_id] = self._site_rules | readable(rules)
        mine = [cached.job.ref for cached in self._hub.all() if cached.user_id == user_id]
        for cluster, rules_of in self._clusters.items():
            rules_of.wishes_changed(ref.uid for ref in mine if ref.context == cluster)
        self._news.set()

    def wishes_of(self, job: Job) -> Mapping[str, str]:
        """Return what the owner of a job and the site want to be told."""
        owner = self._hub.find_owner(job.ref.uid)
        return self._wishes.get(owner[1].user_id, self._site_rules) if owner else self._site_rules

    async def load(self) -> None:
        """Read what people want. Raises Unreachable."""
        async with self._database.read() as session:
            for row in await session.scalars(select(AlertWishesRow)):
                rules = msgspec.json.decode(row.wishes, type=AlertWishes).rules
                self._wishes[row.user_id] = self._site_rules | readable(rules)

    async def run_forever(self) -> None:
        """Judge what changes, and what time does, for ever."""
        while True:
            try:
                await self.round()
            except BackendError as error:
                log.warning("alerts are not written: %s", fragment(error.title))
            waits = any(not self._hub.is_synced(name) for name in self._hub.links)
            try:
                async with asyncio.timeout(STARTING_SECONDS if waits else EVERY_SECONDS):
                    await self._news.wait()
                await asyncio.sleep(GATHER_SECONDS)
            except TimeoutError:
                pass

    async def round(self) -> None:
        """Judge and write once. Raises Unreachable; then nothing of it is lost."""
        self._news.clear()
        now = self._clock()
        for cluster in [*self._clusters]:
            if cluster not in self._hub.links:
                await self._drop(cluster, now)
        for cluster in [*self._hub.links]:
            await self._judge(cluster, now)
        async with self._database.write() as session:
            again = await recorder.tell_again(session, now)
        if again:
            self._wake_sender()

    async def _judge(self, cluster: str, now: datetime) -> None:
        rules = self._clusters.get(cluster) or await self._open(cluster)
        changed, removed = self._changed.pop(cluster, {}), self._removed.pop(cluster, {})
        live = self._hub.is_synced(cluster)
        await self._show(rules, [*changed.values()], now)
        if live and not rules.synced:
            await self._show(rules, rules.unseen(self._jobs_of(cluster)), now)
        rules.observe((), removed.values(), now)
        rules.set_live(live, now)
        waiting = self._unwritten[cluster]
        for transitions in rules.slices(now):
            waiting[0].extend(transitions)
            await asyncio.sleep(0)
        waiting[1].update(rules.take_states())
        if not (waiting[0] or waiting[1]):
            return
        async with self._database.write() as session:
            await recorder.record(session, cluster, *waiting)
        told = bool(waiting[0])
        del self._unwritten[cluster]
        if told:
            self._wake_sender()

    async def _show(self, rules: ClusterRules, jobs: Sequence[Job], now: datetime) -> None:
        """Show jobs to the rules, without holding up the loop."""
        for start in range(0, len(jobs), SLICE):
            rules.observe(jobs[start : start + SLICE], (), now)
            await asyncio.sleep(0)

    async def _open(self, cluster: str) -> ClusterRules:
        """Make the rules of a cluster, with what an earlier process told and judged. Raises Unreachable."""
        query = select(JobRow.uid, JobRow.alerted_state, JobRow.state).where(
            JobRow.cluster == cluster, live_jobs()
        )
        async with self._database.read() as session:
            states = {
                row.uid: state_of(row.alerted_state or row.state) for row in await session.execute(query)
            }
            episodes = await recorder.read_episodes(session, cluster)
        made = self._clusters[cluster] = ClusterRules(self.wishes_of, self._log_read, episodes, states)
        return made

    async def _drop(self, cluster: str, now: datetime) -> None:
        async with self._database.write() as session:
            await recorder.close_all(session, cluster, now)
        for kept in (self._clusters, self._changed, self._removed, self._unwritten):
            kept.pop(cluster, None)

    def _jobs_of(self, cluster: str) -> Iterable[Job]:
        return [cached.job for cached in self._hub.all() if cached.key[0] == cluster]
