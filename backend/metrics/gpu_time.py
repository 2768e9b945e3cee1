"""The GPU time of jobs since this process started, by cluster and owner: a counter, which never falls (pure).

What was held before, or while no server ran, is not in it: Prometheus itself adds up what the counters of
earlier processes have counted.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from backend.metrics.job_metrics import MOST_VALUES, OTHERS
from backend.metrics.text_format import Family, Sample
from backend_client.models import Attempt, Job

_AttemptKey = tuple[str, str, str, int, int]


class GpuTime:
    """Until when each attempt was counted, and the sums."""

    def __init__(self, since: datetime) -> None:
        """`since`: nothing before is counted."""
        self._since = since
        self._counted: dict[_AttemptKey, datetime] = {}
        self._owners: set[str] = set()
        """Those that have a value of their own: the first ones, as nobody may move among the others later."""
        self._seconds: defaultdict[tuple[str, str], float] = defaultdict(float)

    def count(self, jobs: Iterable[Job], now: datetime) -> None:
        """Count what the attempts of jobs held since the last call."""
        counted: dict[_AttemptKey, datetime] = {}
        for job in jobs:
            for attempt in job.attempts if job.spec.gpus else ():
                begun = attempt.allocated or attempt.started
                if begun is None:
                    continue
                key = _key(job, attempt)
                start = self._counted.get(key) or max(begun, self._since)
                end = max(start, attempt.released or attempt.finished or job.finished or now)
                self._add(job, (end - start).total_seconds())
                counted[key] = end
        self._counted = counted

    def family(self) -> Family:
        """Return the sums."""
        return Family(
            "traindeck_gpu_seconds_total",
            "counter",
            "GPU-seconds for which jobs held GPUs since the server started, by cluster and owner.",
            [
                Sample(seconds, {"cluster": cluster, "owner": owner})
                for (cluster, owner), seconds in sorted(self._seconds.items())
            ],
        )

    def _add(self, job: Job, seconds: float) -> None:
        if len(self._owners) < MOST_VALUES:
            self._owners.add(job.owner)
        owner = job.owner if job.owner in self._owners else OTHERS
        self._seconds[job.ref.context, owner] += seconds * job.spec.gpus


def _key(job: Job, attempt: Attempt) -> _AttemptKey:
    name = attempt.uid or attempt.pod or str(attempt.pid)
    return job.ref.context, job.ref.uid, name, attempt.number, attempt.rank
