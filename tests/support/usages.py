"""What a job uses, written for tests: `make_usage` for now, `make_history` for the last hour."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from backend_client.usage import (
    GpuUsage,
    Measure,
    RankUsage,
    Usage,
    UsageHistory,
    UsageSeries,
    UsageSource,
)

PROMETHEUS = UsageSource(
    name="Prometheus", gives=(Measure.UTILISATION, Measure.MEMORY, Measure.POWER, Measure.CPU)
)
GIB = 2**30
Values = Callable[[int, int, int], float | None]
"""Rank, GPU and step -> its utilisation then; None where nothing was told."""


def make_usage(
    ranks: int = 1, gpus: int = 1, utilisation: Callable[[int, int], float | None] = lambda *_: 0.87
) -> Usage:
    """So many ranks of so many GPUs, `utilisation` by rank and GPU; seen now, told by Prometheus."""
    now = datetime.now(UTC)
    return Usage(
        ranks=tuple(
            RankUsage(
                rank=rank,
                node=f"gpu-{rank}",
                pod=f"pod-{rank}",
                gpus=tuple(
                    GpuUsage(
                        gpu=str(gpu),
                        product="NVIDIA A100",
                        utilisation=utilisation(rank, gpu),
                        memory=61 * GIB,
                        memory_total=80 * GIB,
                        power=310.0,
                        xid=0,
                        as_of=now,
                    )
                    for gpu in range(gpus)
                ),
                cpu=7.5,
                memory=90 * GIB,
                as_of=now,
            )
            for rank in range(ranks)
        ),
        sources=(PROMETHEUS,),
    )


def make_history(
    ranks: int = 1, gpus: int = 1, values: Values = lambda *_: 0.87, *, steps: int = 120, step: float = 30.0
) -> UsageHistory:
    """The hour until now of so many GPUs: `values` as utilisation, and memory, power, CPU and RSS."""
    times = range(steps)
    series = []
    for rank in range(ranks):
        for gpu in range(gpus):
            name = str(gpu)
            told = tuple(values(rank, gpu, at) for at in times)
            for measure, most in ((Measure.UTILISATION, 1.0), (Measure.POWER, 400.0)):
                scaled = tuple(None if value is None else value * most for value in told)
                series.append(UsageSeries(measure=measure, rank=rank, gpu=name, values=scaled))
            memory = tuple(None if value is None else 61.0 * GIB for value in told)
            series.append(UsageSeries(measure=Measure.MEMORY, rank=rank, gpu=name, values=memory))
        series.append(UsageSeries(measure=Measure.CPU, rank=rank, values=(7.5,) * steps))
        series.append(UsageSeries(measure=Measure.RSS, rank=rank, values=(90.0 * GIB,) * steps))
    start = datetime.now(UTC) - timedelta(seconds=step * (steps - 1))
    return UsageHistory(start=start, step=step, series=tuple(series), sources=(PROMETHEUS,))
