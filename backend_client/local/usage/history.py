"""What jobs have used, as far as this program has seen: a reading for each 30 s, for an hour, in memory."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from backend_client.usage import GpuUsage, Measure, RankUsage, UsageHistory, UsageSeries

STEP = 30.0
"""Seconds between two values."""
LENGTH = 120
"""Values that are kept of each series: an hour."""
_OF_GPU: dict[Measure, Callable[[GpuUsage], float | None]] = {
    Measure.UTILISATION: lambda gpu: gpu.utilisation,
    Measure.MEMORY: lambda gpu: gpu.memory,
    Measure.POWER: lambda gpu: gpu.power,
    Measure.TEMPERATURE: lambda gpu: gpu.temperature,
}
_OF_RANK: dict[Measure, Callable[[RankUsage], float | None]] = {
    Measure.CPU: lambda rank: rank.cpu,
    Measure.RSS: lambda rank: rank.memory,
}


class SeenUsage:
    """The last hour of each job, by uid."""

    def __init__(self, opened: float) -> None:
        """`opened`: when the program began to look, seconds since the epoch."""
        self.opened = opened
        self._seen: dict[str, dict[int, RankUsage]] = {}
        """By uid and step; of several readings within one step the last."""

    def add(self, uid: str, at: float, usage: RankUsage) -> None:
        """Keep what a job used at a time."""
        self._seen.setdefault(uid, {})[int(at // STEP)] = usage

    def forget_old(self, now: float) -> None:
        """Forget what is older than an hour, of all jobs."""
        oldest = int(now // STEP) - LENGTH + 1
        for uid, steps in list(self._seen.items()):
            for step in [step for step in steps if step < oldest]:
                del steps[step]
            if not steps:
                del self._seen[uid]

    def history(self, uid: str, since: float, now: float) -> UsageHistory:
        """Return what one job used since a time, at most an hour; where nobody looked there is no value."""
        last = int(now // STEP)
        first = max(min(int(since // STEP), last), last - LENGTH + 1)
        steps = self._seen.get(uid, {})
        ranks = [steps.get(step) for step in range(first, last + 1)]
        return UsageHistory(
            start=datetime.fromtimestamp(first * STEP, UTC),
            step=STEP,
            series=tuple(series for series in _series(ranks) if any(v is not None for v in series.values)),
        )


def _series(ranks: list[RankUsage | None]) -> Iterator[UsageSeries]:
    gpus = dict.fromkeys(gpu.gpu for rank in ranks if rank for gpu in rank.gpus)
    for name in gpus:
        held = [_gpu(rank, name) for rank in ranks]
        for measure, of_gpu in _OF_GPU.items():
            yield UsageSeries(
                measure=measure, gpu=name, values=tuple(of_gpu(gpu) if gpu else None for gpu in held)
            )
    for measure, of_rank in _OF_RANK.items():
        yield UsageSeries(measure=measure, values=tuple(of_rank(rank) if rank else None for rank in ranks))


def _gpu(rank: RankUsage | None, name: str) -> GpuUsage | None:
    return next((gpu for gpu in rank.gpus if gpu.gpu == name), None) if rank else None
