"""Jobs and events of a watch as a server tells them, and a reader that believes what it is told."""

from datetime import UTC, datetime

from backend_client.models import Job, JobRef, JobSpec, JobState
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced
from backend_client.server.wire import ClusterLink, watch_frame

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def job(name, state=JobState.RUNNING, cluster="lab", reason=""):
    """A job of the wire: its context is its cluster."""
    ref = JobRef(cluster, "ns", "job", name, f"uid-{name}")
    return Job(ref=ref, state=state, spec=JobSpec(name=name), created=THEN, reason=reason)


def snapshot(*names):
    return watch_frame(Snapshot(tuple(map(job, names))))


def changed(*jobs, at=""):
    return watch_frame(Changed(jobs), at)


def gone(*names, at=""):
    return watch_frame(Gone(tuple(job(name).ref for name in names)), at)


def synced(at):
    return watch_frame(Synced(), at)


def link(state=FreshnessState.LIVE, why="", cluster="lab"):
    return watch_frame(ClusterLink(cluster, state, THEN, why))


class Reader:
    """What somebody knows who reads a watch as the Protocol says."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.links: list[Freshness] = []
        self.kinds: list[str] = []
        self.synced = 0
        self._listed: set[str] = set()

    def read(self, batch) -> None:
        for event in batch:
            self.kinds.append(type(event).__name__)
            match event:
                case Snapshot(jobs):
                    assert not self.synced
                    self._listed |= {one.ref.uid for one in jobs}
                    self._put(jobs)
                case Changed(jobs):
                    assert self.synced
                    self._put(jobs)
                case Gone(refs):
                    for ref in refs:
                        del self.jobs[ref.uid]
                        self._listed.discard(ref.uid)
                case Synced():
                    self.synced += 1
                    assert set(self.jobs) == self._listed
                case Freshness():
                    assert not self.links or self.links[-1] != event
                    self.links.append(event)

    def _put(self, jobs) -> None:
        for one in jobs:
            assert one != self.jobs.get(one.ref.uid)
            self.jobs[one.ref.uid] = one

    @property
    def names(self):
        return sorted(one.name for one in self.jobs.values())

    @property
    def states(self):
        return [one.state for one in self.links]
