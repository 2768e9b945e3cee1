"""The jobs of a watch by uid, and how fresh they are. Pure; draws nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from backend_client.models import Job
from backend_client.protocol import Changed, Freshness, Gone, Snapshot, Synced, WatchEvent


@dataclass
class Difference:
    """The uids of jobs that changed between two reads of the store. A uid is in one set only."""

    added: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    freshness: bool = False
    """The freshness has changed too."""
    states_changed: bool = False
    """Some job has another state, so that other GPUs may be free."""

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.freshness)

    def add(self, uid: str) -> None:
        """Note that a job is new."""
        self.states_changed = True
        if uid in self.removed:
            self.removed.discard(uid)
            self.changed.add(uid)
        else:
            self.added.add(uid)

    def change(self, uid: str) -> None:
        """Note that a job is another object now."""
        if uid not in self.added:
            self.changed.add(uid)

    def remove(self, uid: str) -> None:
        """Note that a job is gone."""
        self.states_changed = True
        self.changed.discard(uid)
        if uid in self.added:
            self.added.discard(uid)
        else:
            self.removed.add(uid)


class JobStore:
    """Queues the batches of a watch; `drain()` applies them and returns what changed.

    So `jobs` changes only when a reader asks for it, and never between two lines that it draws.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.freshness: Freshness | None = None
        self.synced = False
        """The list has been complete once."""
        self._listed: set[str] | None = None
        self._events: list[WatchEvent] = []
        self._pending = Difference()

    def queue(self, events: Iterable[WatchEvent]) -> None:
        """Queue one batch of a watch; the next `drain()` applies it."""
        self._events.extend(events)

    def drain(self) -> Difference:
        """Apply the batches that were queued since the last call, and return what they changed."""
        self._pending = Difference()
        events, self._events = self._events, []
        for event in events:
            match event:
                case Snapshot(jobs):
                    self._listed = self._listed or set()
                    self._put(jobs)
                case Changed(jobs):
                    self._put(jobs)
                case Gone(refs):
                    self._drop(ref.uid for ref in refs)
                case Synced():
                    self._drop(self.jobs.keys() - (self._listed or set()))
                    self._listed = None
                    self._pending.freshness |= not self.synced
                    self.synced = True
                case Freshness():
                    self._pending.freshness |= event != self.freshness
                    self.freshness = event
        return self._pending

    def _put(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            uid = job.ref.uid
            if self._listed is not None:
                self._listed.add(uid)
            old = self.jobs.get(uid)
            self.jobs[uid] = job
            if old is None:
                self._pending.add(uid)
            elif old != job:
                self._pending.change(uid)
                self._pending.states_changed |= old.state is not job.state

    def _drop(self, uids: Iterable[str]) -> None:
        for uid in list(uids):
            if self._listed is not None:
                self._listed.discard(uid)
            if self.jobs.pop(uid, None) is not None:
                self._pending.remove(uid)
