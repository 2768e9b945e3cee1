"""The log of one job: a title, the lines, and a line to type a search or a file name in."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message

from backend_client.errors import LoginNeeded
from backend_client.logs import LogBuffer
from backend_client.models import Job
from backend_client.protocol import JobBackend
from backend_client.text.empty_reason import empty_reason
from backend_client.text.sanitize import clean
from tui.actions import Place
from tui.bindings import bindings
from tui.log.bars import Answer, LogInput, LogTitle
from tui.log.bookmarks import Bookmarks
from tui.log.export import LogExport, clipboard_text
from tui.log.feed import LogFeed
from tui.log.keeper import LogKeeper
from tui.log.memory import LARGE, give_back
from tui.log.plot import PLOTTED
from tui.log.search import LogSearch
from tui.log.status import LogStatus
from tui.log.view import LogView
from tui.messages import OpenPlot
from tui.session import session_of

_TAIL = 2_000
_PATTERN = "text, or /regular expression/"


class LogPane(Vertical):
    """Shows the log of the job that `show` names, and says in its title how it stands.

    The feed reads the log, the view draws it, the search and the export work on it; none of them knows
    another but by what it is given. The pane has the keys, and hands messages on to whom they are for.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.LOG)]

    class Back(Message):
        """Escape was pressed, and there was nothing of the pane's own to leave."""

    @dataclass(eq=False)
    class Tiled(Message):
        """The log of this job is to lie beside the others, or no more."""

        job: Job

    def __init__(
        self,
        *,
        tail: int | None = _TAIL,
        opened: tuple[Job, JobBackend] | None = None,
        at_error: bool = False,
    ) -> None:
        """Show the last `tail` lines (None: all) and what follows.

        `opened`: whose log, from the start; `at_error`: go to its first error when it is read to its end.
        """
        super().__init__()
        self._at_error = at_error
        self.why_no_job = ""
        """Why no job's log is shown, as a sentence."""
        self.title, self.view, self.input = LogTitle(), LogView(), LogInput()
        self.feed = LogFeed(self, tail, opened=self._start_over, login=self._wait_for_login)
        self.search = LogSearch(self, self.view, tail, changed=self.update_title)
        self.export = LogExport(self)
        self._bookmarks = Bookmarks()
        self._keeper = LogKeeper(self.view.buffer)
        self._status = LogStatus(
            self, self.feed, self.search, self.view.viewport, self._bookmarks, changed=self.update_title
        )
        self._opened = opened

    def compose(self) -> ComposeResult:
        yield self.title
        yield self.view
        yield self.input

    def on_mount(self) -> None:
        """Show the log that was named from the start."""
        self.view.tick = session_of(self).tick
        if self._opened:
            self.show(*self._opened)
        self.update_title()

    # Which log

    @property
    def job(self) -> Job | None:
        """The job whose log is shown."""
        return self.feed.job

    def show(self, job: Job | None, backend: JobBackend) -> None:
        """Show the log of a job, or (the same job again) what has changed of it; None shows no log."""
        self.feed.show(job, backend)
        self.update_title()

    def _start_over(self) -> None:
        """Empty the view: the feed opens another log."""
        buffer = LogBuffer(session_of(self).settings.log.buffer * 2**20)
        self._forget(buffer)
        self._keeper = LogKeeper(buffer, self.feed.job, self.feed.backend)
        self.update_title()

    def on_unmount(self) -> None:
        """Let the lines go at once: what holds them may stay until Python looks for circles."""
        self._forget(LogBuffer())

    def _forget(self, following: LogBuffer) -> None:
        """Show another log; a copy of this one may stay, the memory of a large one goes to the system."""
        self._keeper.keep()
        shown, large = self.view.buffer, self.view.buffer.size >= LARGE
        self._bookmarks.clear()
        self.search.reset()
        self.view.show(following)
        shown.clear()
        if large:
            give_back()

    async def _wait_for_login(self, error: LoginNeeded) -> bool:
        return await session_of(self).login_prompt.wait_for_login(error)

    def on_log_feed_arrived(self, message: LogFeed.Arrived) -> None:
        """Append a batch to the view."""
        message.stop()
        message.taken.set()
        if message.serial != self.feed.serial:
            return
        changed, end = self.feed.receive(message), message.end
        # The end is no line of an empty log: that says why it is empty.
        self.view.append([item for item in message.items if item is not end or self.view.buffer.end])
        self._keeper.receive(message.items)
        if changed:
            self.update_title()
        if end and self._at_error:
            self._at_error = False
            self.search.find_first_error()

    def on_log_feed_failed(self, message: LogFeed.Failed) -> None:
        """Say why the log cannot be read."""
        message.stop()
        if message.serial == self.feed.serial:
            self.feed.fail(message)
            self.update_title()

    def on_log_view_moved(self, message: LogView.Moved) -> None:
        """Say where the view is now, and scan the lines that have come."""
        message.stop()
        self.search.scan_new_lines()
        self.update_title()

    # The title

    def update_title(self) -> None:
        """Bring the title, and the reason for an empty log, up to date."""
        job, fault = self.feed.job, self.feed.fault
        self.title.job_name = clean(job.name, 60) if job else ""
        self.title.status = self._status.text()
        empty = empty_reason(job, self.feed.backend, reading=self.feed.reading)
        reason = fault or ("" if job else self.why_no_job) or empty
        if self.view.buffer.end:
            reason = "No line is let through. & changes what lines must have, [ and ] the rank."
        self.view.set_empty_reason(reason)

    # The search, the filter and the ranks

    def action_search(self) -> None:
        """Ask what to search for."""
        self._ask(_PATTERN, self.search.text, self.search.search_for, self._cancel_search)

    def _cancel_search(self, _text: str) -> None:
        self.search.clear_search()
        self._close_input()

    def action_only(self) -> None:
        """Ask what lines must have to be shown."""
        placeholder, text = f"only lines with: {_PATTERN}", self.search.filter_text
        self._ask(placeholder, text, self.search.filter_by, self._cancel_filter)

    def _cancel_filter(self, _text: str) -> None:
        self.search.filter_by("")
        self._close_input()

    def _ask(self, placeholder: str, text: str, changed: Answer, cancelled: Answer) -> None:
        """Ask for a text that takes effect while it is typed."""
        self.input.ask(text, placeholder, changed=changed, submitted=self._close_input, cancelled=cancelled)

    def _close_input(self, _text: str = "") -> None:
        """Hide the line to type in, and give the log the keys again."""
        self.input.display = False
        self.screen.set_focus(self.view)
        self.update_title()

    def action_next_match(self) -> None:
        """Go to the next match."""
        self.search.step(1)

    def action_previous_match(self) -> None:
        """Go to the match before."""
        self.search.step(-1)

    def action_rank_after(self) -> None:
        """Show the next rank alone."""
        self.search.step_rank(1)

    def action_rank_before(self) -> None:
        """Show the rank before alone."""
        self.search.step_rank(-1)

    def action_first_error(self) -> None:
        """Look for the first error."""
        self.search.find_first_error()

    def on_log_search_scanned(self, message: LogSearch.Scanned) -> None:
        """Show what passes and what matches."""
        message.stop()
        self.search.show_scan(message)

    def on_log_search_first_error(self, message: LogSearch.FirstError) -> None:
        """Go to the first error, or say that there is none."""
        message.stop()
        self.search.show_first_error(message)

    # Copying and saving

    def action_copy(self) -> None:
        """Copy the lines on the screen."""
        text, sentence = clipboard_text(self.view.viewport.lines())
        if text:
            self.app.copy_to_clipboard(text)
            self.app.notify(sentence)

    def action_save(self) -> None:
        """Ask for the file to save the log to."""
        job, backend = self.feed.job, self.feed.backend
        if job and backend:
            self.export.forget_path()
            self.input.ask(
                f"{job.name}.log",
                "file to save the log to",
                changed=lambda _text: self.export.forget_path(),
                submitted=partial(self.export.save, backend, job),
                cancelled=self._close_input,
            )

    def on_log_export_saved(self, message: LogExport.Saved) -> None:
        """Say what became of the file."""
        message.stop()
        self.app.notify(message.text, severity="error" if message.failed else "information")
        if self.export.finish(message):
            self._close_input()

    # Other keys, and the mouse

    def action_follow(self) -> None:
        """Go to the end, and stay there."""
        self.view.action_follow()

    def action_pause(self) -> None:
        """Stop following, or follow again."""
        self.view.action_pause()

    def action_timestamps(self) -> None:
        """Show when each line was written, or hide it."""
        self.view.action_timestamps()

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.view.action_wrap()

    def action_log_mark(self) -> None:
        """Set a bookmark on the selected line, or take it away."""
        if line := self.view.selected_line:
            self._bookmarks.toggle(line)
            self.view.set_bookmarks(self._bookmarks.numbers)
            self.update_title()

    def action_log_tile(self) -> None:
        """Put this log beside the others, or take it away."""
        if self.feed.job:
            self.post_message(self.Tiled(self.feed.job))

    def action_plot(self) -> None:
        """Draw the loss: of the lines in memory, where reading the log anew would give no more."""
        if self.feed.job and self.feed.backend:
            buffer = self.view.buffer
            enough = self.search.has_whole_log or self.feed.copy or buffer.closed - buffer.first >= PLOTTED
            memory = buffer if enough and not buffer.overwritten else None
            session_of(self).request(OpenPlot(self.feed.job, self.feed.backend, memory))

    def action_back(self) -> None:
        """Leave the search, else the filter, else the log."""
        if not (self.search.clear_search() or self.search.clear_filter()):
            self.post_message(self.Back())

    def on_click(self, event: events.Click) -> None:
        """Give the log the keys."""
        if event.widget is not self.input:
            self.view.focus()
