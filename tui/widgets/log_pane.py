"""The log of one job: a title, the lines, and a line to type a search or a file name in."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from backend_client.errors import BackendError, NotFound
from backend_client.logs import LogBuffer, Search, follow
from backend_client.models import Job
from backend_client.protocol import Closed, JobBackend, LogItem, LogQuery
from tui.actions import Where
from tui.bindings import bindings
from tui.log_hits import Hits
from tui.log_save import save
from tui.log_words import why_empty
from tui.terminal import clean
from tui.widgets.log_line import LogInput, LogTitle
from tui.widgets.log_view import LogView

if TYPE_CHECKING:
    from tui.app import TraindeckApp

_SETTLE = 0.12
"""Seconds that the cursor must rest on a job before its log is opened."""
_TAIL = 2_000
_COPY_AT_MOST = 70_000


def _start(job: Job | None) -> tuple[object, ...]:
    """Another one where the job was started again."""
    return (job.state, job.restarts, len(job.attempts)) if job else ()


def _same(one: Job | None, other: Job | None) -> bool:
    return one is not None and other is not None and one.ref.key == other.ref.key


class LogPane(Vertical):
    """Follows the log of the job that `show` names. Whatever goes wrong is said in words; the lines stay."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.LOG)]

    if TYPE_CHECKING:
        app: "TraindeckApp"

    class Back(Message):
        """Escape, where there was nothing of our own to leave."""

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

    class Looked(Message):
        """A search has come to an end."""

        def __init__(self, hits: Hits) -> None:
            super().__init__()
            self.hits = hits

    class Saved(Message):
        """A file was written, or was not: `words` says it. `exists`: the file is there already."""

        def __init__(self, words: str, *, failed: bool = False, exists: str = "") -> None:
            super().__init__()
            self.words, self.failed, self.exists = words, failed, exists

    def __init__(self, *, tail: int | None = _TAIL) -> None:
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
        self._hits: Hits | None = None
        self._wrong = ""
        self._overwrite = ""

    def compose(self) -> ComposeResult:
        yield LogTitle()
        yield LogView(LogBuffer(self._limit))
        yield LogInput()

    def on_mount(self) -> None:
        self.view.tick = getattr(self.app, "tick", 0.1)
        self._say()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    @property
    def _limit(self) -> int:
        settings = getattr(self.app, "settings", None)
        return (settings.log.buffer if settings else 64) * 2**20

    # Which log

    def show(self, job: Job | None, backend: JobBackend) -> None:
        """Show the log of this job, or (the same job again) how it stands now.

        A job that is passed by quickly, with a key held down, is not opened at all.
        """
        if _same(job, self._job) and backend is self._backend:
            self._rest()
            again = self._ended and job and not job.ended and _start(job) != _start(self._job)
            self._job = job
            if not again:
                self._say()
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
        self._drop_search()
        self.view.show(LogBuffer(self._limit))
        self._say()
        self._read(self._serial, self._job, self._backend)

    @work(exclusive=True, group="log", exit_on_error=False)
    async def _read(self, serial: int, job: Job | None, backend: JobBackend) -> None:
        if job is None:
            return
        try:
            query = LogQuery(ref=job.ref, follow=True, tail=self._tail)
            logins = getattr(self.app, "logins", None)
            async with aclosing(follow(backend, query, login=logins and logins.again)) as batches:
                async for items in batches:
                    message = self.Arrived(serial, items)
                    self.post_message(message)
                    await message.taken.wait()
        except BackendError as error:
            self.post_message(self.Failed(serial, error))

    def on_log_pane_arrived(self, message: Arrived) -> None:
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
            self._say()

    def on_log_pane_failed(self, message: Failed) -> None:
        """In words; the lines stay."""
        message.stop()
        if message.serial == self._serial:
            gone = isinstance(message.error, NotFound)
            self._fault = "Its log was deleted." if gone else clean(str(message.error), 300)
            self._ended = True
            self._say()

    def on_log_view_moved(self, message: LogView.Moved) -> None:
        """The title says where it is."""
        message.stop()
        self._say()
        if self._hits and not self._hits.busy and self._hits.upto < self.view.buffer.closed:
            self._look(self._hits)

    def _say(self) -> None:
        """Bring the title, and the reason for an empty log, up to date."""
        title, view = self.query_one(LogTitle), self.view
        title.whose = clean(self._job.name, 60) if self._job else ""
        title.state = self._state()
        empty = self._fault or why_empty(self._job, self._backend)
        if empty != view.empty:
            view.empty = empty
            if not view.buffer.end:
                view.redraw()

    def _state(self) -> str:
        view = self.view
        if self._wrong:
            return self._wrong
        parts = [self._fault, str(self._hits) if self._hits else ""]
        if not view.following:
            below = f"scrolled: {view.below:,} line{'s' * (view.below != 1)} below"
            parts.append(below if view.below else "at the end, not following")
            if view.window[0] == view.buffer.first > 0:
                parts.append(f"{view.buffer.first:,} older ones dropped")
        elif self._job and not self._fault:
            parts.append("ended" if self._ended else "following")
        return "   ".join(filter(None, parts))

    # Search

    def action_search(self) -> None:
        """Ask what for."""
        value = self._hits.search.words if self._hits else ""
        if self._hits and self._hits.search.regex:
            value = f"/{value}/"
        self.query_one(LogInput).ask(
            value,
            "text, or /regular expression/",
            typed=self._search,
            done=self._close_input,
            left=self._leave_search,
        )

    def _leave_search(self, _typed: str) -> None:
        self._drop_search()
        self._close_input()

    def _search(self, typed: str) -> None:
        self._drop_search()
        if typed:
            try:
                self._hits = Hits(Search.parse(typed))
            except ValueError as error:
                self._wrong = clean(error, 200)
            else:
                self._look(self._hits)
        self._say()

    def _drop_search(self) -> None:
        had, self._hits, self._wrong = self._hits, None, ""
        if had:
            self.workers.cancel_group(self, "search")
            self.view.set_search(None)

    @work(exclusive=True, group="search", exit_on_error=False)
    async def _look(self, hits: Hits) -> None:
        await hits.look(self.view.buffer)
        self.post_message(self.Looked(hits))

    def on_log_pane_looked(self, message: Looked) -> None:
        """Show what was found, from the screen's end upwards."""
        message.stop()
        if message.hits is not self._hits:
            return
        if self._hits.current < 0:
            self._go(self._hits.nearest(self.view.window))
        self._say()

    def action_next_match(self) -> None:
        if self._hits:
            self._go(self._hits.step(1))

    def action_previous_match(self) -> None:
        if self._hits:
            self._go(self._hits.step(-1))

    def _go(self, number: int) -> None:
        if self._hits and number >= 0:
            self._hits.current = number
            self.view.reveal(number)
            self.view.set_search(self._hits.search, number)
        elif self._hits:
            self.view.set_search(self._hits.search)
        self._say()

    def _close_input(self, _typed: str = "") -> None:
        self.query_one(LogInput).display = False
        self.screen.set_focus(self.view)
        self._say()

    # Other keys

    def action_follow(self) -> None:
        self.view.action_follow()

    def action_timestamps(self) -> None:
        self.view.set_times(not self.view.times)

    def action_wrap(self) -> None:
        self.view.set_wrap(not self.view.wrap)

    def action_back(self) -> None:
        if self._hits:
            self._drop_search()
            self._say()
        else:
            self.post_message(self.Back())

    def action_copy(self) -> None:
        lines = self.view.seen()
        text = "\n".join(lines).encode()
        if text:
            self.app.copy_to_clipboard(text[:_COPY_AT_MOST].decode(errors="ignore"))
            cut = f"the first {_COPY_AT_MOST:,} bytes of " if len(text) > _COPY_AT_MOST else ""
            self.app.notify(
                f"Asked the terminal to copy {cut}the {len(lines)} lines on screen (OSC 52; tmux needs"
                " set-clipboard on). S saves the whole log to a file."
            )

    def action_save(self) -> None:
        if self._job and self._backend:
            self._overwrite = ""
            self.query_one(LogInput).ask(
                f"{self._job.name}.log",
                "file to save the log to",
                typed=self._other_file,
                done=partial(self._save, self._job, self._backend),
                left=self._close_input,
            )

    def _other_file(self, _typed: str) -> None:
        self._overwrite = ""

    def _save(self, job: Job, backend: JobBackend, typed: str) -> None:
        try:
            path = Path(typed.strip() or ".").expanduser().absolute()
        except RuntimeError as error:  # a ~name that is nobody's
            self.app.notify(str(error), severity="error")
        else:
            self._write(path, job, backend, overwrite=str(path) == self._overwrite)

    @work(exclusive=True, group="save", exit_on_error=False)
    async def _write(self, path: Path, job: Job, backend: JobBackend, *, overwrite: bool) -> None:
        try:
            written = await save(backend, job.ref, path, overwrite=overwrite)
        except FileExistsError:
            self.post_message(self.Saved(f"{path} exists. Enter again overwrites it.", exists=str(path)))
        except OSError as error:
            self.post_message(self.Saved(f"{path} was not written: {error.strerror or error}", failed=True))
        except BackendError as error:
            self.post_message(self.Saved(str(error), failed=True))
        else:
            self.post_message(self.Saved(f"Saved {written:,} bytes to {path}"))

    def on_log_pane_saved(self, message: Saved) -> None:
        """Say what became of the file."""
        message.stop()
        self.app.notify(message.words, severity="error" if message.failed else "information")
        self._overwrite = message.exists
        if not message.exists and not message.failed:
            self._close_input()

    def on_click(self, event: events.Click) -> None:
        """The log takes the keys."""
        if event.widget is not self.query_one(LogInput):
            self.view.focus()
