"""Servers that die while they tell of a job that failed (`dying`).

A step is a commit of the database or a message on its way.
"""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from backend.alerts.post import Poster
from backend.db.engine import database_url, open_database
from backend_client.models import JobState
from backend_client.protocol import Changed
from tests.backend.alerts.conftest import Office
from tests.backend.alerts.test_watcher import Server, job
from tests.backend.support.dying import Steps, answer_in_forks


async def serve(request: dict) -> dict:
    """Live one life: the cluster's list, the failure, its message. Return what is in the database."""
    steps = Steps(request["step"])
    steps.around(AsyncSession, "commit")
    steps.around(Poster, "post")
    database = await open_database(database_url(request["database"], Path()))
    office = Office(database, Path(request["folder"]), [request["port"]])
    office.clock.pass_(seconds=request["later"])
    server = await Server(office).start()
    steps.armed = bool(request["step"])
    await server.list(job(JobState.FAILED) if request["has_failed"] else job())
    await server.change(Changed((job(JobState.FAILED),)))
    await office.sender.send_due()
    states = await office.states()
    await database.aclose()
    return {"states": states}


if __name__ == "__main__":
    answer_in_forks(serve, lambda _: None)
