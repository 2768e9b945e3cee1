"""Report the jobs that a screen shows to the server: at once, and again, since a server forgets."""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence

from backend_client.errors import BackendError
from backend_client.models import JobRef
from backend_client.server.bodies import VisibleJobs
from backend_client.server.connection import Connection
from backend_client.server.wire import encode

REPEAT_SECONDS = 40.0
"""A server forgets a report after 90 s; one that was restarted has none."""


class VisibleJobsReporter:
    """Reports the visible jobs of one screen. Never fails: without it a server only shows no progress."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._screen = secrets.token_hex(8)
        self._task: asyncio.Task[None] | None = None

    def set_visible_jobs(self, refs: Sequence[JobRef]) -> None:
        """Set the jobs that the screen shows; replaces those set before."""
        if self._task:
            self._task.cancel()
        self._task = asyncio.create_task(self._report([ref.uid for ref in refs]))

    async def aclose(self) -> None:
        """Stop reporting; the server forgets."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _report(self, uids: Sequence[str]) -> None:
        body = encode(VisibleJobs(self._screen, tuple(uids)))
        while True:
            with contextlib.suppress(BackendError):
                await self._connection.request("POST", "/api/look", body=body)
            if not uids:
                return
            await asyncio.sleep(REPEAT_SECONDS)
