"""What is looked for in a log: a search, lines with some text only, one rank, the first error."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from textual.message import Message

from backend_client.logs import LineFilter, LogBuffer, Search
from backend_client.logs.failures import first_failure
from backend_client.text.sanitize import clean
from tui.log.host import Cancellable, Host, start_worker
from tui.log.matches import Matches
from tui.log.ranks import neighbour
from tui.log.viewport import Viewport


class Display(Protocol):
    """What a search needs of the view of a log."""

    @property
    def viewport(self) -> Viewport:
        """What is in sight."""
        ...

    def set_filter(self, line_filter: LineFilter) -> None:
        """Show only the lines that pass."""

    def set_search(self, search: Search | None, current: int = -1) -> None:
        """Mark the matches; the line `current` stands out."""

    def reveal(self, number: int) -> None:
        """Bring a line into sight."""


class LogSearch:
    """Searches and filters the log of a view; both go on in the lines that come.

    A worker scans the lines; its messages reach the host's handlers, which hand them to `show_scan` and
    `show_first_error`.
    """

    @dataclass(eq=False)
    class Scanned(Message):
        """The lines that have come so far were scanned."""

        line_filter: LineFilter
        matches: Matches | None

    @dataclass(eq=False)
    class FirstError(Message):
        """The number of the line that says why the job failed (-1: none does), and a sentence about it."""

        buffer: LogBuffer
        number: int
        text: str

    def __init__(self, host: Host, view: Display, tail: int | None, *, changed: Callable[[], None]) -> None:
        """Search the log that `view` shows, of which the last `tail` lines were read (None: all).

        `changed` is called when `summary` may be a different one.
        """
        self._host, self._view, self._tail, self._changed = host, view, tail, changed
        self._worker: Cancellable | None = None
        """What scans the lines now."""
        self._matches: Matches | None = None
        self._filter = LineFilter()
        self._mistake = ""
        """Why the text cannot be searched for, as a sentence."""
        self._first_error = ""

    def reset(self) -> None:
        """Search for nothing and filter nothing: the view shows another log."""
        if self._worker is not None:
            self._worker.cancel()
        self._worker, self._matches, self._filter = None, None, LineFilter()
        self._mistake = self._first_error = ""

    @property
    def text(self) -> str:
        """What is searched for, as a person types it."""
        return _typed(self._matches.search) if self._matches else ""

    @property
    def filter_text(self) -> str:
        """What lines must have to be shown, as a person types it."""
        return _typed(self._filter.search) if self._filter.search else ""

    @property
    def rank(self) -> int | None:
        """The rank whose lines are shown; None for all."""
        return self._filter.rank

    @property
    def summary(self) -> str:
        """What is looked for and what was found, for a title."""
        only = self._filter.search
        parts = [self._mistake, "" if self.rank is None else f"rank {self.rank}"]
        if only:
            slow = " (too slow: lines are missing)" if only.slow else ""
            parts.append(f"only {clean(_typed(only), 30)}{slow}")
        return "   ".join(filter(None, [*parts, str(self._matches or ""), self._first_error]))

    # Scanning

    def scan_new_lines(self) -> None:
        """Scan what has come since the last scan, where something is searched for or filtered."""
        closed, matches = self._buffer.closed, self._matches
        if matches:
            matches.unfinished = self._unfinished_matches(matches.search)
        unfiltered = self._filter.upto < closed and not self._filter.passes_all
        if self._worker is None and (unfiltered or (matches and matches.upto < closed)):
            self._start_scan()

    def _unfinished_matches(self, search: Search) -> list[int]:
        """Return the numbers of the lines without a newline that match, a bar perhaps."""
        lines = self._buffer.lines(self._buffer.closed, self._buffer.end)
        return [line.number for line in lines if self._filter.passes(line) and list(search.spans(line.text))]

    @property
    def _buffer(self) -> LogBuffer:
        return self._view.viewport.buffer

    def _start_scan(self) -> None:
        work = partial(self._scan, self._buffer, self._filter, self._matches)
        self._worker = start_worker(self._host, "scan", work)

    async def _scan(self, buffer: LogBuffer, line_filter: LineFilter, matches: Matches | None) -> None:
        await line_filter.scan(buffer)
        if matches:
            await matches.scan(buffer, line_filter)
        self._host.post_message(self.Scanned(line_filter, matches))

    def show_scan(self, message: Scanned) -> None:
        """Show the lines that pass; a new search begins with its last match above the end of the screen."""
        if message.line_filter is not self._filter or message.matches is not self._matches:
            return
        self._worker = None
        if self._matches:
            self._matches.unfinished = self._unfinished_matches(self._matches.search)
        viewport = self._view.viewport
        if not self._filter.passes_all or viewport.line_filter is not self._filter:
            self._view.set_filter(self._filter)
        if self._matches and self._matches.current < 0:
            self._go_to(self._matches.nearest(viewport.last))
        self._changed()

    # The search

    def search_for(self, text: str) -> None:
        """Search for a text, or for a /regular expression/; for nothing where the text is empty."""
        self.clear_search()
        if search := self._parse(text):
            self._matches = Matches(search)
            self._start_scan()
        self._changed()

    def _parse(self, text: str) -> Search | None:
        self._mistake = ""
        try:
            return Search.parse(text) if text else None
        except ValueError as error:
            self._mistake = clean(error, 200)
            return None

    def clear_search(self) -> bool:
        """Search for nothing any more. Return False where nothing was searched for."""
        had = bool(self._matches or self._first_error)
        self._matches, self._mistake, self._first_error = None, "", ""
        if had:
            self._view.set_search(None)
            self._start_scan()
            self._changed()
        return had

    def step(self, by: int) -> None:
        """Go to the next match (1) or to the one before (-1)."""
        if self._matches:
            self._go_to(self._matches.step(by))
            self._changed()

    def _go_to(self, number: int) -> None:
        if self._matches and number >= 0:
            self._matches.current = number
            self._view.reveal(number)
            self._view.set_search(self._matches.search, number)
        elif self._matches:
            self._view.set_search(self._matches.search)

    # The filter

    def filter_by(self, text: str) -> None:
        """Show only the lines that have a text, or match a /regular expression/; all where it is empty."""
        search = self._parse(text)
        if not self._mistake:
            self.set_filter(LineFilter(self.rank, search))
        self._changed()

    def clear_filter(self) -> bool:
        """Show all lines of the rank again. Return False where they are shown."""
        had = self._filter.search is not None
        if had:
            self.set_filter(LineFilter(self.rank))
        return had

    def step_rank(self, by: int) -> None:
        """Show the lines of the next rank (1) or of the one before (-1); between last and first, of all."""
        ranks = self._buffer.last_written
        if len(ranks) > 1:
            self.set_filter(LineFilter(neighbour(ranks, self.rank, by), self._filter.search))

    def set_filter(self, line_filter: LineFilter) -> None:
        """Show only the lines that pass, once they are scanned; a search goes on among them."""
        self._filter, self._first_error = line_filter, ""
        if self._matches:
            self._matches = Matches(self._matches.search)
        self._start_scan()
        self._changed()

    # The first error

    def find_first_error(self) -> None:
        """Look for the line that says why the job failed, in the rank that is shown."""
        start_worker(self._host, "error", partial(self._find_first_error, self._buffer, self.rank))

    async def _find_first_error(self, buffer: LogBuffer, rank: int | None) -> None:
        failure = await first_failure(buffer, rank)
        where = "" if rank is None else f" of rank {rank}"
        number = failure.number if failure else -1
        text = f"first error{where}: {failure.message}" if failure else f"no error{where} found"
        self._host.post_message(self.FirstError(buffer, number, text))

    def show_first_error(self, message: FirstError) -> None:
        """Go to the first error; a filter that hides it is cleared."""
        if message.buffer is not self._buffer:
            return
        self.clear_search()
        number = message.number
        if number >= 0:
            if not self._view.viewport.line_filter.has(number):
                self.clear_filter()
                self._view.set_filter(self._filter)
            self._view.reveal(number)
            self._view.set_search(None, number)
        read = self._buffer.closed - self._buffer.first
        part = "" if self.has_whole_log else f" in the last {min(read, self._tail or read):,} lines"
        self._first_error = message.text + part
        self._changed()

    @property
    def has_whole_log(self) -> bool:
        """True where no older lines were left out when it was read, or dropped since."""
        return self._buffer.first == 0 and (self._tail is None or self._buffer.closed < self._tail)


def _typed(search: Search) -> str:
    return f"/{search.query}/" if search.regex else search.query
