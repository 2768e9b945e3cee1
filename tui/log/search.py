"""What a person looks for in a log: words, lines with some words only, one rank, the first error."""

from textual import work
from textual.message import Message

from backend_client.logs import LineFilter, Search
from backend_client.logs.failures import first_failure
from tui.log.bars import LogInput
from tui.log.feed import LogReader
from tui.log.matches import Matches
from tui.log.ranks import neighbour
from tui.log.view import LogView
from tui.ui.sanitize import clean

_ASKED = "text, or /regular expression/"


class LogFinder(LogReader):
    """Search marks and steps; a sieve hides. Both go on in the lines that come."""

    class Looked(Message):
        """The lines were looked at, as far as they have come."""

        def __init__(self, sieve: LineFilter, hits: Matches | None) -> None:
            super().__init__()
            self.sieve, self.hits = sieve, hits

    class Found(Message):
        """The first error, by its line (-1: there is none), in words."""

        def __init__(self, serial: int, number: int, words: str) -> None:
            super().__init__()
            self.serial, self.number, self.words = serial, number, words

    def __init__(self, tail: int | None) -> None:
        super().__init__(tail)
        self._hits: Matches | None = None
        self._sieve = LineFilter()
        self._looking = False
        self._wrong = ""
        self._error = ""

    @property
    def found(self) -> str:
        """What is looked for and what was found, in words."""
        only, rank = self._sieve.search, self._sieve.rank
        parts = [self._wrong, "" if rank is None else f"rank {rank}"]
        if only:
            slow = " (too slow: lines are missing)" if only.slow else ""
            parts.append(f"only {clean(typed(only), 30)}{slow}")
        return "   ".join(filter(None, [*parts, str(self._hits or ""), self._error]))

    def forget(self) -> None:
        self.workers.cancel_group(self, "look")
        self._hits, self._wrong, self._error, self._sieve, self._looking = None, "", "", LineFilter(), False

    # Looking

    def on_log_view_moved(self, message: LogView.Moved) -> None:
        """The title says where it is; lines that are new are looked at."""
        message.stop()
        self.say()
        closed, hits = self.view.buffer.closed, self._hits
        behind = self._sieve.upto < closed and not self._sieve.passes_all
        if not self._looking and (behind or (hits and hits.upto < closed)):
            self._look()

    def _look(self) -> None:
        self._looking = True
        self._look_at(self._sieve, self._hits)

    @work(exclusive=True, group="look", exit_on_error=False)
    async def _look_at(self, sieve: LineFilter, hits: Matches | None) -> None:
        await sieve.scan(self.view.buffer)
        if hits:
            await hits.scan(self.view.buffer, sieve)
        self.post_message(self.Looked(sieve, hits))

    def on_log_finder_looked(self, message: Looked) -> None:
        """Show what passes, and what was found from the screen's end upwards."""
        message.stop()
        if message.sieve is not self._sieve or message.hits is not self._hits:
            return
        self._looking = False
        if not self._sieve.passes_all or self.view.sieve is not self._sieve:
            self.view.set_sieve(self._sieve)
        if self._hits and self._hits.current < 0:
            self._go(self._hits.nearest(self.view.window))
        self.say()

    # Search

    def action_search(self) -> None:
        """Ask what for."""
        value = typed(self._hits.search) if self._hits else ""
        ask = self.query_one(LogInput).ask
        ask(value, _ASKED, typed=self._search, done=self.close_input, left=self._leave_search)

    def _leave_search(self, _typed: str) -> None:
        self.drop_search()
        self.close_input()

    def _search(self, text: str) -> None:
        self.drop_search()
        if search := self._parse(text):
            self._hits = Matches(search)
            self._look()
        self.say()

    def _parse(self, text: str) -> Search | None:
        self._wrong = ""
        try:
            return Search.parse(text) if text else None
        except ValueError as error:
            self._wrong = clean(error, 200)
            return None

    def drop_search(self) -> bool:
        """Look for nothing any more; False where nothing was looked for."""
        had, self._hits, self._wrong, self._error = bool(self._hits or self._error), None, "", ""
        if had:
            self.view.set_search(None)
            self._look()
        return had

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
        self.say()

    def close_input(self, _typed: str = "") -> None:
        """The log takes the keys again."""
        self.query_one(LogInput).display = False
        self.screen.set_focus(self.view)
        self.say()

    # Only some lines

    def action_only(self) -> None:
        """Ask what lines must have."""
        value = typed(self._sieve.search) if self._sieve.search else ""
        ask = self.query_one(LogInput).ask
        ask(
            value,
            f"only lines with: {_ASKED}",
            typed=self._only,
            done=self.close_input,
            left=self._leave_only,
        )

    def _leave_only(self, _typed: str) -> None:
        self._only("")
        self.close_input()

    def _only(self, text: str) -> None:
        search = self._parse(text)
        if not self._wrong:
            self.sift(LineFilter(self._sieve.rank, search))
        self.say()

    def drop_only(self) -> bool:
        """Show all lines of the rank again; False where they are shown."""
        had = self._sieve.search is not None
        if had:
            self.sift(LineFilter(self._sieve.rank))
        return had

    def sift(self, sieve: LineFilter) -> None:
        """Show only what passes, as soon as that is known; what is searched is searched there."""
        self._sieve, self._error = sieve, ""
        if self._hits:
            self._hits = Matches(self._hits.search)
        self._look()
        self.say()

    def action_rank_after(self) -> None:
        self._to_rank(1)

    def action_rank_before(self) -> None:
        self._to_rank(-1)

    def _to_rank(self, by: int) -> None:
        ranks = self.view.buffer.last_written
        if len(ranks) > 1:
            self.sift(LineFilter(neighbour(ranks, self._sieve.rank, by), self._sieve.search))

    # The first error

    @work(exclusive=True, group="error", exit_on_error=False)
    async def action_first_error(self) -> None:
        serial, rank = self._serial, self._sieve.rank
        found = await first_failure(self.view.buffer, rank)
        where = "" if rank is None else f" of rank {rank}"
        if found is None:
            self.post_message(self.Found(serial, -1, f"no error{where} found"))
        else:
            self.post_message(self.Found(serial, found.number, f"first error{where}: {found.message}"))

    def on_log_finder_found(self, message: Found) -> None:
        """Go there; a sieve that hides it is taken away."""
        message.stop()
        if message.serial != self._serial:
            return
        self.drop_search()
        number = message.number
        if number >= 0:
            if not self.view.sieve.has(number):
                self.drop_only()
                self.view.set_sieve(self._sieve)
            self.view.reveal(number)
            self.view.set_search(None, number)
        part = f" in the last {self._tail:,} lines" if self._is_part else ""
        self._error = message.words + part
        self.say()

    @property
    def _is_part(self) -> bool:
        """True where there are older lines that were not read."""
        return self._tail is not None and self.view.buffer.closed >= self._tail


def typed(search: Search) -> str:
    """A search as a person types it."""
    return f"/{search.query}/" if search.regex else search.query
