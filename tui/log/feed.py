"""Which log a pane shows, and reading it: opened when the cursor rests, opened again where it broke."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from textual import work
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from backend_client.errors import BackendError, NotFound
from backend_client.logs import LogBuffer, follow
from backend_client.models import Job
from backend_client.protocol import Closed, JobBackend, LogItem, LogQuery
from tui.log.view import LogView
from tui.session import session_of
from tui.ui.sanitize import clean

_SETTLE = 0.12
"""Seconds that the cursor must rest on a job before its log is opened."""


def _start(job: Job | None) -> tuple[object, ...]:
    """Another one where the job was started again."""
    return (job.state, job.restarts, len(job.attempts)) if job else ()


def _same(one: Job | None, other: Job | None) -> bool:
    return one is not None and other is not None and one.ref.key == other.ref.key


class LogReader(Vertical):
    """Follows the log of the job that `show` names. Whatever goes wrong is said in words; the lines stay."""

    class Arrived(Message):
        """A batch of the log; `taken` is set when it is in the buffer, and only then comes the next one."""

        def __init__(self, serial: int, items: Sequence[LogItem]) -> None:
            super().__init__()
            self.serial, self.items, self.taken = serial, items, asyncio.Event()

    class Failed(Message):
        """The log cannot be read."""

        def __init__(self, serial: int, error: BackendError) -> None:
            super().__init__()
            self.serial, self.error = serial, error

    def __init__(self, tail: int | None) -> None:
        """`tail`: so many lines to begin with; None for all."""
        super().__init__()
        self._tail = tail
        self._job: Job | None = None
        self._backend: JobBackend | None = None
        self._next: tuple[Job | None, JobBackend] | None = None
        self._timer: Timer | None = None
        self._serial = 0
        self._ended = False
        self._fault = ""

    def say(self) -> None:
        """Bring what is said about the log up to date."""
        raise NotImplementedError

    def forget(self) -> None:
        """Another log is shown from now on."""

    @property
    def job(self) -> Job | None:
        """Whose log it is."""
        return self._job

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    @property
    def _limit(self) -> int:
        return session_of(self).settings.log.buffer * 2**20

    def show(self, job: Job | None, backend: JobBackend) -> None:
        """Show the log of this job, or (the same job again) how it stands now.

        A job that is passed by quickly, with a key held down, is not opened at all.
        """
        if _same(job, self._job) and backend is self._backend:
            self._rest()
            again = self._ended and job and not job.ended and _start(job) != _start(self._job)
            self._job = job
            if not again:
                self.say()
                return
        waits = self._timer is not None and self._next is not None and _same(job, self._next[0])
        self._next = (job, backend)
        if self._job is None or job is None:
            self._rest()
            self._open()
        elif not waits:
            self._rest()
            self._timer = self.set_timer(_SETTLE, self._open)

    def _rest(self) -> None:
        """The cursor came back, or went on: what it passed is not opened."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _open(self) -> None:
        self._timer = None
        if self._next is None:
            return
        self._job, self._backend = self._next
        self._serial += 1
        self._ended, self._fault = False, ""
        self.forget()
        self.view.show(LogBuffer(self._limit))
        self.say()
        self._read(self._serial, self._job, self._backend)

    @work(exclusive=True, group="log", exit_on_error=False)
    async def _read(self, serial: int, job: Job | None, backend: JobBackend) -> None:
        if job is None:
            return
        try:
            query = LogQuery(ref=job.ref, follow=True, tail=self._tail)
            login = session_of(self).login_prompt.wait_for_login
            async with aclosing(follow(backend, query, login=login)) as batches:
                async for items in batches:
                    message = self.Arrived(serial, items)
                    self.post_message(message)
                    await message.taken.wait()
        except BackendError as error:
            self.post_message(self.Failed(serial, error))

    def on_log_reader_arrived(self, message: Arrived) -> None:
        """Into the buffer with it."""
        message.stop()
        message.taken.set()
        if message.serial != self._serial:
            return
        lost = next((item for item in message.items if isinstance(item, Closed) and item.lost), None)
        fault = f"{clean(lost.why, 200)}; trying again" if lost else ""
        end = next((item for item in message.items if isinstance(item, Closed) and not item.lost), None)
        self._ended = self._ended or end is not None
        self.view.append([item for item in message.items if item is not end or self.view.buffer.end])
        if (fault, end) != (self._fault, None):
            self._fault = fault
            self.say()

    def on_log_reader_failed(self, message: Failed) -> None:
        """In words; the lines stay."""
        message.stop()
        if message.serial == self._serial:
            gone = isinstance(message.error, NotFound)
            self._fault = "Its log was deleted." if gone else clean(str(message.error), 300)
            self._ended = True
            self.say()
