"""The GPU-seconds of jobs, from their attempts, each second counted once (pure)."""

from datetime import datetime

from backend.clusters.event_log import Key
from backend_client.models import Attempt, Job

_Id = tuple[str, int, int]


class GpuSecondsMeter:
    """The meter of GPU-seconds: until when each attempt was counted."""

    def __init__(self) -> None:
        self._counted: dict[Key, dict[_Id, datetime]] = {}
        self._running: dict[Key, set[_Id]] = {}

    def count(self, key: Key, job: Job, now: datetime, since: datetime | None = None) -> float:
        """Count the GPU-seconds since the last call; `since`: until when another process has counted."""
        before = self._counted.get(key)
        marks: dict[_Id, datetime] = {}
        running, total = set(), 0.0
        for attempt in job.attempts:
            if attempt.started is None:
                continue
            start = (before or {}).get(_id(attempt), attempt.started)
            if before is None and since:
                start = max(start, since)
            end = max(start, attempt.finished or job.finished or now)
            total += (end - start).total_seconds()
            marks[_id(attempt)] = end
            if not attempt.finished:
                running.add(_id(attempt))
        for lost in self._running.get(key, set()) - marks.keys():  # its pod went with its end
            total += max(0.0, ((job.finished or now) - (before or {})[lost]).total_seconds())
        self._counted[key], self._running[key] = marks, running
        return total * job.spec.gpus

    def forget(self, key: Key) -> None:
        """Forget a job that was removed."""
        self._counted.pop(key, None)
        self._running.pop(key, None)


def _id(attempt: Attempt) -> _Id:
    return attempt.pod or str(attempt.pid), attempt.number, attempt.rank
