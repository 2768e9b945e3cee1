"""What jobs use: GPUs, CPU and memory, by rank, each figure with its source and its age.

A small protocol beside `JobBackend`, for contexts that have `Feature.METRICS`. No data is never 0: a figure
that nobody told is None, and a source that cannot be read says why. Shares are 0 to 1, memory is bytes, power
watts, temperature degrees Celsius, CPU cores; times are aware UTC.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from backend_client.models import JobRef, JobUsage
from backend_client.protocol import Scope

UNUSED = 0.02
"""A GPU below this share is not used: what a driver does for itself is about one point."""
MOST_IDLE = 16


def idle_parts(least: Iterable[tuple[str, float | None]], mean: float | None) -> tuple[str, ...]:
    """Return `JobUsage.idle`: the parts with a GPU that is not used, where the mean says that others are.

    `least`: (part, share), in their order, so that what is cut off is always the same.
    """
    if mean is None or mean < UNUSED:
        return ()
    return tuple(part for part, share in least if share is not None and share < UNUSED)[:MOST_IDLE]


class Measure(StrEnum):
    """What is measured, of one GPU or (the last two) of one rank."""

    UTILISATION = "utilisation"
    """The share of time in which a kernel ran, however small it was."""
    ACTIVITY = "activity"
    """The share of time in which the graphics or compute engine was busy (DCGM's GR_ENGINE_ACTIVE)."""
    MEMORY = "memory"
    POWER = "power"
    TEMPERATURE = "temperature"
    CPU = "cpu"
    RSS = "rss"
    """Memory of the rank's processes; of a container, its working set."""


class GpuUsage(Struct, frozen=True, kw_only=True):
    """One GPU that a rank holds, as it is now."""

    gpu: str
    """As its source calls it on its machine: its number, or its UUID."""
    uuid: str = ""
    product: str = ""
    utilisation: float | None = None
    activity: float | None = None
    memory: int | None = None
    memory_total: int | None = None
    power: float | None = None
    temperature: float | None = None
    xid: int | None = None
    """The number of its last error (NVIDIA XID), 0 where there was none; it stays until a reload."""
    shared: bool = False
    """Others use the card too: figures of the card are not the rank's alone."""
    strangers: bool = False
    """Processes that are not the job's own use it."""
    as_of: datetime | None = None


class RankUsage(Struct, frozen=True, kw_only=True):
    """What one rank uses now."""

    rank: int = 0
    attempt: int = 1
    node: str = ""
    pod: str = ""
    gpus: tuple[GpuUsage, ...] = ()
    cpu: float | None = None
    memory: int | None = None
    memory_limit: int | None = None
    containers: tuple["ContainerUsage", ...] = ()
    """Where a pod has more than one."""
    as_of: datetime | None = None
    """Of CPU and memory."""


class ContainerUsage(Struct, frozen=True, kw_only=True):
    """What one container of a rank uses now."""

    name: str
    cpu: float | None = None
    memory: int | None = None


class UsageSource(Struct, frozen=True, kw_only=True):
    """Where figures come from, or why they do not."""

    name: str
    """As a person knows it: "Prometheus monitoring/prometheus-operated", "metrics.k8s.io", "NVML"."""
    gives: tuple[Measure, ...] = ()
    missing: str = ""
    """Why it gives nothing, as a sentence that names what would help; empty where it answers."""
    since: datetime | None = None
    """Since when it has not answered, where it did before."""


class Usage(Struct, frozen=True, kw_only=True):
    """What one job uses now, by rank."""

    ranks: tuple[RankUsage, ...] = ()
    sources: tuple[UsageSource, ...] = ()
    """All that were asked, those too that gave nothing."""


class UsageSeries(Struct, frozen=True, kw_only=True):
    """One measure of one GPU, or of one rank, over time."""

    measure: Measure
    rank: int = 0
    gpu: str = ""
    """As `GpuUsage.gpu`; "" where the measure is the rank's."""
    values: tuple[float | None, ...] = ()
    """One for each step from `UsageHistory.start`; None where nothing was told."""


class UsageHistory(Struct, frozen=True, kw_only=True):
    """What one job used over a time."""

    start: datetime
    step: float
    """Seconds between two values."""
    series: tuple[UsageSeries, ...] = ()
    sources: tuple[UsageSource, ...] = ()


class UsageTable(Struct, frozen=True, kw_only=True):
    """The jobs of a scope that run, each in sum."""

    jobs: Mapping[str, JobUsage] = {}
    """By uid; a job that nobody tells of is not in it."""
    sources: tuple[UsageSource, ...] = ()


@runtime_checkable
class HasUsage(Protocol):
    """A backend that has `Feature.METRICS`. Every method may raise a BackendError.

    While a watch is open, its jobs carry `Job.usage`: that comes as any change does, about every 30 s.
    """

    async def usage(self, ref: JobRef) -> Usage:
        """Return what a job uses now. Raises NotFound where no job has its uid."""
        ...

    async def usage_history(self, ref: JobRef, since: datetime) -> UsageHistory:
        """Return what a job has used since a time, some 120 values of each at most; also after its end."""
        ...

    async def usages(self, scope: Scope) -> UsageTable:
        """Return what the running jobs of a scope use now, each in sum."""
        ...
