"""Keeps a copy of a log that is followed on the screen, where logs go with what ran the job."""

import asyncio

from backend_client.logs import LogBuffer
from backend_client.logs.block import Notice
from backend_client.logs.log_copies import LogCopies
from backend_client.logs.source_or_copy import Batch, logs_go
from backend_client.models import Job, JobRef
from backend_client.protocol import Closed, JobBackend, Lines
from tui.log.memory import LARGE, give_back


class LogKeeper:
    """Keeps a copy of one log: at its end, and when the screen leaves it."""

    def __init__(self, buffer: LogBuffer, job: Job | None = None, backend: JobBackend | None = None) -> None:
        """Keep what comes into `buffer`, where the context of `job` loses logs."""
        self._buffer = buffer
        self._ref = job.ref if job and backend and logs_go(backend) else None
        self._has_new_lines = False

    def receive(self, items: Batch) -> None:
        """Note what the buffer got. A batch that begins with a notice of ours is a copy itself."""
        if items and isinstance(items[0], Notice):
            return
        self._has_new_lines |= any(isinstance(item, Lines) and item.lines for item in items)
        if any(isinstance(item, Closed) and not item.lost for item in items):
            self.keep()

    def keep(self) -> None:
        """Write the copy, in a thread: no key waits for a disk."""
        if self._ref and self._has_new_lines:
            self._has_new_lines = False
            asyncio.get_running_loop().run_in_executor(None, _keep, self._ref, self._buffer.copy())


def _keep(ref: JobRef, buffer: LogBuffer) -> None:
    LogCopies().keep(ref, buffer)
    if buffer.size >= LARGE:
        buffer.clear()
        give_back()
