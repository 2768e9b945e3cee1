"""What jobs have cost: sums over recorded attempts, and the receipt of one job.

A small protocol beside `JobBackend`, for contexts that have `Feature.ACCOUNTING`. A GPU is held from the
binding of its pod until the pod has ended or is gone, whether it runs or not. (Kueue holds quota for a little
longer, from its reservation on, which is before any GPU is given.) Times are the cluster's own, aware UTC.
"""

from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from backend_client.models import JobRef, JobSpec

GroupBy = Literal["user", "team", "queue", "project", "day", "gpu_type"]
"""What a row of a report is; `project` is the label `project` of a job, or its namespace."""


class ReportQuery(Struct, frozen=True, kw_only=True):
    """Which attempts, and how they are put together."""

    by: GroupBy = "user"
    since: datetime | None = None
    until: datetime | None = None
    zone: str = "UTC"
    """IANA time zone of the days."""
    user: str = ""


class ReportRow(Struct, frozen=True, kw_only=True):
    """The sums of one group."""

    group: str
    held: float = 0.0
    """GPU-hours for which GPUs were held."""
    running: float = 0.0
    """GPU-hours for which a command ran on them."""
    preempted: float = 0.0
    """Of `held`: in attempts that were preempted or evicted."""
    failed: float = 0.0
    """Of `held`: in attempts that failed."""
    waited: float = 0.0
    """Hours that jobs waited, each once."""
    idle: float | None = None
    """The share of `held` in which GPUs did nothing, over what was measured; None where too little was."""
    utilisation: float | None = None
    """Mean, over what was measured."""
    coverage: float = 0.0
    """The share of `held` that was measured, 0 to 1."""
    jobs: int = 0
    uncertain: float = 0.0
    """Of `held`: hours that may not have been, as nobody saw the end."""


class UsageReport(Struct, frozen=True, kw_only=True):
    """The answer to a ReportQuery."""

    by: GroupBy
    rows: tuple[ReportRow, ...]
    total: ReportRow
    since: datetime
    until: datetime


class Advice(Struct, frozen=True, kw_only=True):
    """What a receipt suggests for the next time; at most one."""

    sentence: str
    """"asked for 8 CPUs, used 1.3"."""
    changes: dict[str, str] = {}
    """Field of JobSpec -> text, as `why.Offer.changes`."""


class Receipt(Struct, frozen=True, kw_only=True):
    """What one job has cost, over all its attempts so far. What was not measured is None."""

    job: JobRef
    spec: JobSpec
    final: bool = False
    """The job has ended, and all was counted."""
    gpu_hours: float = 0.0
    gpu_types: tuple[str, ...] = ()
    uncertain: float = 0.0
    """Of `gpu_hours`."""
    waited: float | None = None
    """Seconds in the queue."""
    preempted: float = 0.0
    """GPU-hours of attempts that were preempted or evicted: repeated at most."""
    attempts: int = 0
    utilisation: float | None = None
    utilisation_p95: float | None = None
    utilisation_min: float | None = None
    """Mean of the GPU that did least."""
    idle_minutes: float | None = None
    """For which all its GPUs did nothing."""
    gpu_memory_peak: int | None = None
    gpu_memory_p95: int | None = None
    gpu_memory_total: int | None = None
    gpu_memory_share: float | None = None
    """Of the fullest GPU at its fullest, 0 to 1; also where nobody tells how large it is."""
    cpu_asked: float | None = None
    cpu_used: float | None = None
    """Cores, mean."""
    memory_asked: int | None = None
    memory_peak: int | None = None
    energy: float | None = None
    """kWh of its GPUs."""
    coverage: float = 0.0
    advice: Advice | None = None


@runtime_checkable
class HasAccounting(Protocol):
    """A backend that has `Feature.ACCOUNTING`. Every method may raise a BackendError."""

    async def usage_report(self, query: ReportQuery) -> UsageReport:
        """Return sums over what the caller may see: their own, their team's, or all."""
        ...

    async def receipt(self, ref: JobRef) -> Receipt:
        """Return what a job has cost so far. Raises NotFound."""
        ...
