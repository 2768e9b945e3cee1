"""A desk as a server starts it: what the rows remember, the clusters' watches, the work beside requests."""

from contextlib import AsyncExitStack

from sqlalchemy import select

from backend.clusters.hub import Owner
from backend.db.engine import Database
from backend.db.models import JobRow, User
from backend.jobs import reconcile
from backend.jobs.history_recorder import History
from backend.jobs.rows import job_of, live_jobs
from backend.jobs.service import JobService
from backend.settings import ServerSettings


async def start_job_service(
    settings: ServerSettings, database: Database, server_id: str, stack: AsyncExitStack
) -> JobService:
    """Everything runs when it returns; no cluster has answered yet. `stack` closes it. Raises Refused."""
    desk = JobService(settings, database, server_id)
    stack.push_async_callback(desk.aclose)
    history = History(database, desk.hub)
    query = select(JobRow, User.name).join(User, User.id == JobRow.user_id).where(live_jobs())
    async with database.read() as session:
        rows = (await session.execute(query)).all()
    desk.hub.remember((Owner(row.user_id, owner), job_of(row, owner)) for row, owner in rows)
    history.remember(((row.cluster, row.uid or ""), row.counted) for row, _ in rows)
    await desk.clusters.open()
    desk.keep(history.keep())
    desk.keep(desk.looks.keep())
    desk.keep(reconcile.keep(desk))
    return desk
