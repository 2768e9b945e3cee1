"""The start of the job service: the hub filled from the rows, the clusters' watches, the background tasks."""

from contextlib import AsyncExitStack

from sqlalchemy import select

from backend.clusters.hub import Owner
from backend.clusters.usage_pace import pace_forever
from backend.db.engine import Database
from backend.db.models import JobRow, User
from backend.estimates.start_estimates import StartEstimates
from backend.jobs import reconcile
from backend.jobs.history_recorder import HistoryRecorder
from backend.jobs.rows import job_of, live_jobs
from backend.jobs.service import JobService
from backend.settings import ServerSettings
from backend.usage.recorder import AttemptRecorder
from backend.usage.usage_recorder import UsageRecorder


async def start_job_service(
    settings: ServerSettings, database: Database, server_id: str, stack: AsyncExitStack
) -> JobService:
    """Start the job service: all runs when it returns, no cluster has answered yet. Raises Refused.

    `stack` closes it.
    """
    service = JobService(settings, database, server_id)
    stack.push_async_callback(service.aclose)
    attempts = AttemptRecorder(database, service.hub)
    await attempts.load()
    history = HistoryRecorder(database, attempts)
    service.hub.subscribe(attempts.observe)
    service.hub.subscribe(history.observe)
    query = select(JobRow, User.name).join(User, User.id == JobRow.user_id).where(live_jobs())
    async with database.read() as session:
        rows = (await session.execute(query)).all()
    service.hub.remember((Owner(row.user_id, owner), job_of(row, owner)) for row, owner in rows)
    await service.clusters.open()
    service.run_in_background(history.run_forever())
    service.run_in_background(UsageRecorder(database, service.hub, attempts).run_forever())
    service.run_in_background(pace_forever(service.hub, service.clusters))
    service.run_in_background(service.visible_jobs.expire_forever())
    service.run_in_background(service.code.clean_forever())
    service.run_in_background(StartEstimates(database, service.hub, service.clusters).run_forever())
    service.run_in_background(reconcile.run_forever(service))
    return service
