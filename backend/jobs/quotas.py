"""Quotas of a user: jobs that have not ended, and the GPUs, pods, CPUs and memory that they asked for."""

from collections.abc import Container, Mapping
from decimal import ROUND_CEILING

from msgspec import Struct
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models import JobRow, User
from backend.settings import ServerSettings
from backend_client.errors import Refused
from backend_client.kubernetes.resources.quantities import parse_quantity
from backend_client.models import JobSpec

HINT = "Stop or delete one, or ask the server's admin for more."
_MOST = 2**53
"""More than any cluster has: what is larger is counted as this."""


class Demand(Struct, frozen=True):
    """What a job asks for, of all its nodes or replicas together. The names are columns of its row."""

    gpus: int = 0
    pods: int = 0
    millicpus: int = 0
    memory_mib: int = 0


class _Quota(Struct, frozen=True):
    """One kind of quota."""

    setting: str
    """Its name in the settings and as a column of the user."""
    column: str
    field: str
    """Field of the JobSpec."""
    unit: str
    size: int = 1
    """How many of the column make one of the unit."""


_QUOTAS = (
    _Quota("max_gpus", "gpus", "gpus", "GPUs"),
    _Quota("max_pods", "pods", "nodes", "pods"),
    _Quota("max_cpus", "millicpus", "cpu", "CPUs", 1000),
    _Quota("max_memory_gib", "memory_mib", "memory", "GiB of memory", 1024),
)


def demand_of(spec: JobSpec) -> Demand:
    """Return what a spec asks for. Memory has /dev/shm in it, as a pod's limit has."""
    pods = spec.replicas if spec.kind == "deployment" else spec.nodes
    memory = parse_quantity(spec.memory) + parse_quantity(spec.shm_size)
    millicpus, mebibytes = (
        int(amount.to_integral_value(ROUND_CEILING))
        for amount in (parse_quantity(spec.cpu) * 1000, memory / 2**20)
    )
    return Demand(spec.gpus * pods, pods, min(millicpus * pods, _MOST), min(mebibytes * pods, _MOST))


def counted_rows() -> ColumnElement[bool]:
    """Return the condition for rows that count: not ended, not deleted."""
    return JobRow.finished.is_(None) & JobRow.deleted.is_(None)


async def check(
    session: AsyncSession, user: User, spec: JobSpec, settings: ServerSettings, unknown: Container[str]
) -> None:
    """Check that a user may have one more job of this spec. Raises Refused.

    `user` is locked by this transaction, so that two creates at once do not both pass. `unknown`: fields that
    jobs of the cluster cannot have.
    """
    wrong = await violations(session, user, spec, settings, unknown)
    if wrong:
        title = "; ".join(f"{field}: {words}" if field else words for field, words in wrong.items())
        raise Refused(title, HINT, fields={field: words for field, words in wrong.items() if field})


async def violations(
    session: AsyncSession, user: User, spec: JobSpec, settings: ServerSettings, unknown: Container[str]
) -> Mapping[str, str]:
    """Return field -> why, for the quotas that one more job would exceed; "" is the number of jobs."""
    sums = (func.coalesce(func.sum(getattr(JobRow, quota.column)), 0) for quota in _QUOTAS)
    used = select(func.count(), *sums).where(JobRow.user_id == user.id, counted_rows())
    jobs, *taken = (await session.execute(used)).one()
    most_jobs, demand = _most(user, settings, "max_jobs"), demand_of(spec)
    if most_jobs is not None and jobs >= most_jobs:
        return {"": f"You have {jobs} jobs; {most_jobs} at a time are yours."}
    wrong = {}
    for quota, busy in zip(_QUOTAS, taken, strict=True):
        most = _most(user, settings, quota.setting)
        if most is None or quota.field in unknown:
            continue
        if words := _exceeded(quota, most, int(busy), getattr(demand, quota.column)):
            field = "replicas" if (quota.field, spec.kind) == ("nodes", "deployment") else quota.field
            wrong[field] = words
    return wrong


def _most(user: User, settings: ServerSettings, name: str) -> int | None:
    own: int | None = getattr(user, name)
    of_all: int | None = getattr(settings, name)
    return of_all if own is None else own


def _exceeded(quota: _Quota, most: int, busy: int, asked: int) -> str:
    """Say what speaks against so much more, "" where nothing does."""
    if not asked:
        needed = quota.field in ("cpu", "memory")
        return f"say how much; {most} {quota.unit} at a time are yours" if needed else ""
    over = busy + asked - most * quota.size
    if over <= 0:
        return ""
    asks, much, has = (f"{amount / quota.size:.10g}" for amount in (asked, over, busy))
    return f"asks for {asks}, which would be {much} over your {most} {quota.unit}; {has} are taken"
