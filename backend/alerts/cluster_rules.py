"""The rules over the jobs of one cluster: what the hub publishes, as the engine reads it (no I/O).

The hub starts with what the rows remember, so the engine is told of a job when its cluster has named it, or
when the cluster's whole list is there. A job that ended while no server looked is shown to it twice: as the
rules saw it last, then as it is, which is news.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from backend_client.alerts.engine import AlertEngine, OpenEpisode, Transition
from backend_client.alerts.timeline import LogRead
from backend_client.models import Job, JobRef, JobState
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent


class ClusterRules:
    """One engine, and the states that it has seen."""

    def __init__(
        self,
        wishes_of: Callable[[Job], Mapping[str, str]],
        log_read: LogRead,
        episodes: Iterable[OpenEpisode],
        seen_states: Mapping[str, JobState],
    ) -> None:
        """`seen_states`: by uid, the state in which an earlier process has judged a job."""
        self._engine = AlertEngine(wishes_of, episodes, log_read=log_read)
        self._seen_states = dict(seen_states)
        self._known: set[str] = set()
        self._unwritten: dict[str, str] = {}
        self.synced = False
        """The cluster's whole list was shown."""
        self._live: bool | None = None

    def observe(self, changed: Iterable[Job], removed: Iterable[JobRef], now: datetime) -> None:
        """Take what the hub published of this cluster."""
        events: list[WatchEvent] = []
        for job in changed:
            events += self._events_of(job)
            state = JobState.UNKNOWN if job.state.ended and not job.ended else job.state  # it is tried again
            self._unwritten[job.ref.uid] = str(state)
        if gone := tuple(removed):
            events.append(Gone(gone))
            self._known.difference_update(ref.uid for ref in gone)
        if events:
            self._engine.observe(events, now)

    def unseen(self, jobs: Iterable[Job]) -> list[Job]:
        """Return those of a cluster's jobs that the rules were never shown."""
        return [job for job in jobs if job.ref.uid not in self._known]

    def set_live(self, live: bool, now: datetime) -> None:
        """Say whether the cluster's list is there and holds. The first time all of it was shown before."""
        if live and not self.synced:
            self._engine.observe([Synced()], now)
            self.synced = True
        if live is not self._live:
            self._live = live
            state = FreshnessState.LIVE if live else FreshnessState.STALE
            self._engine.observe([Freshness(state, now)], now)

    def slices(self, now: datetime) -> Iterator[Sequence[Transition]]:
        """Yield what fires and recovers now, in parts between which the loop may do other things."""
        return self._engine.slices(now)

    def take_states(self) -> dict[str, str]:
        """Return the states (by uid) that were judged since the last time; to be called after `slices`."""
        if not self._live:
            return {}
        judged, self._unwritten = self._unwritten, {}
        return judged

    def wishes_changed(self, uids: Iterable[str]) -> None:
        """Judge jobs again: their owner wants something else."""
        self._engine.wishes_changed(uids)

    def _events_of(self, job: Job) -> Iterable[WatchEvent]:
        uid = job.ref.uid
        if uid in self._known:
            yield Changed((job,))
            return
        self._known.add(uid)
        before = self._seen_states.pop(uid, None)
        if job.ended and before is not None and not before.ended:
            yield self._first((replace(job, state=before, finished=None),))
            yield Changed((job,))
        else:
            yield self._first((job,))

    def _first(self, jobs: tuple[Job, ...]) -> WatchEvent:
        """Return the event that names a job first: what no list names before it is whole would be gone."""
        return Changed(jobs) if self.synced else Snapshot(jobs)
