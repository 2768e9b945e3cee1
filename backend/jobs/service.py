"""The job service: the clusters, the hub, and the creates and deletions under way."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from backend.clusters.hub import Hub
from backend.clusters.registry import ClusterRegistry
from backend.db.engine import Database
from backend.jobs.code_store import CodeStore
from backend.jobs.loss_store import LossStore
from backend.jobs.visible_jobs import VisibleJobsRegistry
from backend.settings import ServerSettings
from backend_client.models import Job

log = logging.getLogger("traindeck.jobs")
_CODE_TURNS = 4


class JobService:
    """Shared by all requests. `startup.start_job_service` makes it; `aclose` cancels what it started."""

    def __init__(self, settings: ServerSettings, database: Database, server_id: str) -> None:
        self.settings = settings
        self.database = database
        self.server_id = server_id
        self.hub = Hub()
        self.clusters = ClusterRegistry(settings, database, self.hub)
        self.creates: dict[str, asyncio.Task[Job]] = {}
        """Key of a row -> its create, under way."""
        self.deletions: dict[int, asyncio.Task[None]] = {}
        """Id of a row -> its deletion, under way."""
        self.orphans: dict[str, int] = {}
        """Cluster -> number of objects with this server's id that no row has. They are never touched."""
        self.visible_jobs = VisibleJobsRegistry(self.hub, self.clusters)
        self.losses = LossStore()
        self.code = CodeStore(
            settings.folder / "code",
            most=settings.max_code_total * 2**20,
            most_of_one=settings.max_code * 2**20,
        )
        self.code_turns = asyncio.Semaphore(_CODE_TURNS)
        """Of creates with code: each holds it in memory, several times over."""
        self.reconciled = asyncio.Event()
        """Set once the first round of the reconciler has settled what an earlier process left."""
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def code_limit(self) -> int:
        """Bytes that packed code may have."""
        return self.clusters.kubernetes.code_limit * 2**20

    def run_in_background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine beside the requests, until the server ends."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def aclose(self) -> None:
        """Cancel what is under way: the next start finds it in the rows, and continues."""
        tasks = [*self._tasks, *self.creates.values(), *self.deletions.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.clusters.aclose()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("work beside the requests failed", exc_info=error)
