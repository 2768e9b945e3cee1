"""The watched jobs: the end of each is announced, once."""

from collections.abc import Container, Sequence

from backend_client.models import Job
from backend_client.text.sanitize import clean
from tui.jobs.store import JobStore


class WatchedJobs(Container[str]):
    """Uids of one context. The session keeps them, over the end of a screen and every break of the watch."""

    def __init__(self, names: dict[str, str], announced: set[str] | None = None) -> None:
        """Watch the jobs in `names`, uid -> name, which is changed here; whose end was told: `announced`."""
        self._names = names
        self._announced = set() if announced is None else announced

    def __contains__(self, uid: object) -> bool:
        return uid in self._names

    def __len__(self) -> int:
        return len(self._names)

    def toggle(self, jobs: Sequence[Job]) -> bool:
        """Watch these jobs, or none where all are watched already; True where they are watched now."""
        watch = not all(job.ref.uid in self._names for job in jobs)
        for job in jobs:
            if watch:
                self._names[job.ref.uid] = clean(job.name, 80)
            else:
                del self._names[job.ref.uid]
        return watch

    def take_ended(self, store: JobStore) -> list[str]:
        """Return a sentence for each watched job that has ended or is gone, and watch it no more."""
        sentences = []
        for uid, name in list(self._names.items()):
            job = store.jobs.get(uid)
            if (job and job.ended) or (not job and store.synced):
                del self._names[uid]
                self._announced.add(uid)
                sentences.append(_end(job) if job else f"{name} is gone")
        return sentences


def _end(job: Job) -> str:
    why = f": {clean(job.reason, 200)}" if job.reason else ""
    return f"{clean(job.name, 80)} has ended: {job.state}{why}"
