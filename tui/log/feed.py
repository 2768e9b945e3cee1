"""Reads the log of a job: opened when the cursor rests on it, opened again when it restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from textual.message import Message

from backend_client.errors import BackendError, LoginNeeded, NotFound
from backend_client.logs.follow import follow
from backend_client.logs.log_copy import CopyHead
from backend_client.logs.source_or_copy import Batch, source_or_copy
from backend_client.models import Job
from backend_client.protocol import Closed, JobBackend, Lines, LogQuery, Opened
from backend_client.text.empty_reason import LOG_DELETED
from backend_client.text.sanitize import clean
from tui.log.host import Host, Stoppable, start_worker
from tui.ui.once import once

_REST = 0.12
"""Seconds that the cursor must rest on a job before its log is opened."""


class LogFeed:
    """Reads the log of the job that `show` names, and says how the reading goes.

    A worker reads; its messages reach the host's handlers, which hand them to `receive` and `fail`.
    """

    @dataclass(eq=False)
    class Arrived(Message):
        """A batch of a log. The worker waits for `taken` before it reads the next one."""

        serial: int
        items: Batch
        taken: asyncio.Event = field(default_factory=asyncio.Event, init=False)

        @property
        def end(self) -> Closed | None:
            """The end of the log, where the batch has it."""
            return self._closed(lost=False)

        @property
        def lost(self) -> Closed | None:
            """The break of the link, where the batch has one."""
            return self._closed(lost=True)

        @property
        def copy(self) -> CopyHead | None:
            """The beginning of a copy of what was followed before, where the batch has one."""
            return next((item for item in self.items if isinstance(item, CopyHead)), None)

        def _closed(self, *, lost: bool) -> Closed | None:
            closed = (item for item in self.items if isinstance(item, Closed))
            return next((item for item in closed if item.lost == lost), None)

    @dataclass(eq=False)
    class Failed(Message):
        """A log cannot be read."""

        serial: int
        error: BackendError

    def __init__(
        self,
        host: Host,
        tail: int | None,
        *,
        opened: Callable[[], None],
        login: Callable[[LoginNeeded], Awaitable[bool]],
    ) -> None:
        """Prepare to read the last `tail` lines of a log and all that follow; None reads it whole.

        `opened` is called when another log is about to be read; `login` waits for a login (see `follow`).
        """
        self._host, self._tail, self._opened, self._login = host, tail, opened, login
        self.job: Job | None = None
        """The job whose log is read."""
        self.backend: JobBackend | None = None
        self.serial = 0
        """The number of the log that is read; a message with another one is about a log before it."""
        self.ended = False
        """True where no more lines will come."""
        self.reading = False
        """True until what was there when the log was opened has begun to come, if only that there is none."""
        self.fault = ""
        """Why lines do not come, as a sentence."""
        self.copy: CopyHead | None = None
        """Set while all that is shown is a copy: the log is gone at its source."""
        self._next: tuple[Job | None, JobBackend] | None = None
        self._timer: Stoppable | None = None

    def show(self, job: Job | None, backend: JobBackend) -> None:
        """Read the log of this job; the same job again, with what has changed of it, is read on.

        A job that the cursor passes by quickly, with a key held down, is not opened at all.
        """
        if _same_job(job, self.job) and backend is self.backend:
            self._stop_timer()
            restarted = self.ended and job and not job.ended and _starts(job) != _starts(self.job)
            self.job = job
            if not restarted:
                return
        waiting = self._timer is not None and self._next is not None and _same_job(job, self._next[0])
        self._next = (job, backend)
        if self.job is None or job is None:
            self._stop_timer()
            self._open()
        elif not waiting:
            self._stop_timer()
            self._timer = once(self._host, _REST, self._open)

    def _stop_timer(self) -> None:
        """Leave closed what the cursor has passed."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _open(self) -> None:
        self._timer = None
        if self._next is None:
            return
        self.job, self.backend = self._next
        self.serial += 1
        self.ended, self.fault, self.reading = False, "", self.job is not None
        self.copy = None
        self._opened()
        # Where no job is chosen as well: the worker that read the log before ends.
        start_worker(self._host, "log", partial(self._read, self.serial, self.job, self.backend))

    async def _read(self, serial: int, job: Job | None, backend: JobBackend) -> None:
        if job is None:
            return
        try:
            query = LogQuery(ref=job.ref, follow=True, tail=self._tail)
            followed = follow(backend, query, login=self._login)
            async with aclosing(source_or_copy(followed, backend, query, job)) as batches:
                async for items in batches:
                    message = self.Arrived(serial, items)
                    self._host.post_message(message)
                    await message.taken.wait()
        except BackendError as error:
            self._host.post_message(self.Failed(serial, error))

    def receive(self, message: Arrived) -> bool:
        """Note what a batch says of the link and the end. Return True where the status may have changed."""
        lost, end, reading = message.lost, message.end, self.reading
        self.reading = reading and all(isinstance(item, Opened) for item in message.items)
        before, self.fault = self.fault, f"{clean(lost.why, 200)}; trying again" if lost else ""
        self.ended = self.ended or end is not None
        if message.copy or any(isinstance(item, Lines) and item.lines for item in message.items):
            self.copy = message.copy
        return message.copy is not None or end is not None or self.fault != before or self.reading != reading

    def fail(self, message: Failed) -> None:
        """Note why the log cannot be read; the lines that were read stay."""
        deleted = isinstance(message.error, NotFound)
        self.fault = LOG_DELETED if deleted else clean(str(message.error), 300)
        self.ended, self.reading = True, False


def _starts(job: Job | None) -> tuple[object, ...]:
    """Return what changes when a job is started again."""
    return (job.state, job.restarts, len(job.attempts)) if job else ()


def _same_job(job: Job | None, other: Job | None) -> bool:
    return job is not None and other is not None and job.ref.key == other.ref.key
