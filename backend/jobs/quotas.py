"""Quotas of a user: jobs that have not ended, and their GPUs."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models import JobRow, User
from backend.settings import ServerSettings
from backend_client.errors import Refused
from backend_client.models import JobSpec

HINT = "Stop or delete one, or ask the server's admin for more."


def gpus_of(spec: JobSpec) -> int:
    """Return the GPUs of a spec, of all its nodes or replicas together."""
    return spec.gpus * (spec.replicas if spec.kind == "deployment" else spec.nodes)


def counted_rows() -> ColumnElement[bool]:
    """Return the condition for rows that count: not ended, not deleted."""
    return JobRow.finished.is_(None) & JobRow.deleted.is_(None)


async def check(session: AsyncSession, user: User, gpus: int, settings: ServerSettings) -> None:
    """Check that a user may have one more job with so many GPUs. Raises Refused.

    `user` is locked by this transaction, so that two creates at once do not both pass.
    """
    most_jobs = settings.max_jobs if user.max_jobs is None else user.max_jobs
    most_gpus = settings.max_gpus if user.max_gpus is None else user.max_gpus
    used = select(func.count(), func.coalesce(func.sum(JobRow.gpus), 0)).where(
        JobRow.user_id == user.id, counted_rows()
    )
    jobs, busy = (await session.execute(used)).one()
    if most_jobs is not None and jobs >= most_jobs:
        raise Refused(f"You have {jobs} jobs; {most_jobs} at a time are yours.", HINT)
    if gpus and most_gpus is not None and busy + gpus > most_gpus:
        words = f"asks for {gpus} GPUs; of the {most_gpus} that are yours, {busy} are taken"
        raise Refused(f"gpus: {words}", HINT, fields={"gpus": words})
