"""Reads the log of one job for its series, once or for as long as it goes on."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from backend_client.errors import BackendError, LoginNeeded
from backend_client.logs.follow import follow
from backend_client.logs.source_or_copy import Batch, source_or_copy
from backend_client.models import Job
from backend_client.progress.loss_curve import split_batch
from backend_client.progress.points import MOST
from backend_client.progress.series import LogSeries
from backend_client.protocol import JobBackend, Lines, LogQuery

READ = 100_000
"""Lines that are read of the logs of all jobs together that stand over one another."""
_LEAST = 2_000
"""Lines of one rank that are read, however many jobs and ranks there are."""
_AT_ONCE = 200
"""Lines that are parsed before the event loop has its turn."""


class SeriesReader:
    """The series of one job, which grow while `read` runs."""

    def __init__(
        self,
        job: Job,
        backend: JobBackend,
        *,
        of: int = 1,
        most: int = MOST,
        tail: int = 0,
        turn: asyncio.Lock | None = None,
    ) -> None:
        """Read a share of a log: of one job in `of` that are compared, or the last `tail` lines.

        Keeps `most` points of each series. `turn` is held while lines are parsed.
        """
        self.job, self.backend = job, backend
        self.series = LogSeries(most)
        self.lines = 0
        self.trouble: BackendError | None = None
        """Why its log cannot be read (on)."""
        self.answered = False
        """Whether something is known of its log, be it that there is none."""
        ranks = len({attempt.rank for attempt in job.attempts}) or 1
        self.tail = tail or max(_LEAST, READ // of // ranks)
        """How many lines of a rank are read."""
        self._turn = turn or asyncio.Lock()

    @property
    def is_part(self) -> bool:
        """Whether older lines may not have been read."""
        return self.lines >= self.tail

    async def read(
        self,
        *,
        on: bool = False,
        login: Callable[[LoginNeeded], Awaitable[bool]] | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """Read the newest lines, with `on` those that come too; `changed` is called after each batch."""
        query = LogQuery(ref=self.job.ref, follow=on, tail=self.tail)
        batches = source_or_copy(follow(self.backend, query, login=login), self.backend, query, self.job)
        try:
            await self.take(batches, changed)
        except BackendError as error:
            self.trouble = error
        self.answered = True
        changed()

    async def take(self, batches: AsyncGenerator[Batch], changed: Callable[[], None] = lambda: None) -> None:
        """Read batches to their end; `changed` is called after each. Raises what they raise."""
        async with aclosing(batches):
            async for items in batches:
                for item in items:
                    if isinstance(item, Lines):
                        await self._take(item)
                self.answered = True
                changed()

    async def _take(self, batch: Lines) -> None:
        for part in split_batch(batch, _AT_ONCE):
            async with self._turn:
                self.series.feed(part)
                await asyncio.sleep(0)
        self.lines += len(batch.lines)
