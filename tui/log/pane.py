"""The log of one job: a title, the lines, and a line to type a search or a file name in."""

import time
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.timer import Timer

from backend_client.logs import LogBuffer
from backend_client.models import Job
from backend_client.protocol import JobBackend
from tui.actions import Place
from tui.bindings import bindings
from tui.log.bars import LogInput, LogTitle
from tui.log.bookmarks import Bookmarks
from tui.log.empty_reason import empty_reason
from tui.log.export import LogTaker
from tui.log.ranks import next_step, silence
from tui.log.view import LogView
from tui.messages import OpenPlot
from tui.session import session_of
from tui.ui.sanitize import clean

_TAIL = 2_000


class LogPane(LogTaker):
    """Shows the log of the job that `show` names, and says in its title how it stands."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.LOG)]

    class Back(Message):
        """Escape, where there was nothing of our own to leave."""

    class Tiled(Message):
        """The log of this job is to lie beside the others, or no more."""

        def __init__(self, job: Job) -> None:
            super().__init__()
            self.job = job

    def __init__(self, *, tail: int | None = _TAIL, opened: tuple[Job, JobBackend] | None = None) -> None:
        """`tail`: so many lines to begin with; None for all. `opened`: whose log, from the start."""
        super().__init__(tail)
        self.nothing = ""
        """Why no job's log is shown, in words."""
        self._opened = opened
        self._marks = Bookmarks()
        self._silent: Timer | None = None

    def compose(self) -> ComposeResult:
        yield LogTitle()
        yield LogView(LogBuffer(self._limit))
        yield LogInput()

    def on_mount(self) -> None:
        self.view.tick = session_of(self).tick
        if self._opened:
            self.show(*self._opened)
        self.say()

    def forget(self) -> None:
        super().forget()
        self._marks = Bookmarks()

    # What it says

    def say(self) -> None:
        """Bring the title, and the reason for an empty log, up to date."""
        title, view = self.query_one(LogTitle), self.view
        title.whose = clean(self._job.name, 60) if self._job else ""
        title.state = self._state()
        nothing = "" if self._job else self.nothing
        empty = self._fault or nothing or empty_reason(self._job, self._backend)
        if view.buffer.end:
            empty = "No line is let through. & changes what lines must have, [ and ] the rank."
        if empty != view.empty:
            view.empty = empty
            if not view.window[1] >= 0:
                view.redraw()

    def _state(self) -> str:
        marks, place = str(self._marks), self._place()
        return "   ".join(filter(None, [self._fault, self.found, marks, self._silence(), *place]))

    def _place(self) -> list[str]:
        view = self.view
        if not view.following:
            below = f"{view.below:,} line{'s' * (view.below != 1)} below"
            word = "paused" if view.paused else "scrolled"
            place = f"{word}: {below}" if view.below or view.paused else "at the end, not following"
            dropped = view.window[0] == view.buffer.first > 0
            return [place, f"{view.buffer.first:,} older ones dropped" if dropped else ""]
        if self._job and not self._fault:
            return ["ended" if self._ended else "following"]
        return []

    def _silence(self) -> str:
        """Who is silent for long; it is looked at again when there may be more to tell, and not before."""
        heard = self.view.buffer.heard
        if self._ended or len(heard) < 2:
            return ""
        if self._sieve.rank is not None:
            heard = {self._sieve.rank: heard[self._sieve.rank]}
        now = int(time.time() * 1000)
        wait = next_step(heard, now)
        if self._silent is None and wait is not None:
            self._silent = self.set_timer(wait + 1, self._listen)
        return silence(heard, now)

    def _listen(self) -> None:
        self._silent = None
        self.say()

    # Keys and mouse

    def action_follow(self) -> None:
        self.view.action_follow()

    def action_pause(self) -> None:
        self.view.action_pause()

    def action_timestamps(self) -> None:
        self.view.set_times(not self.view.times)

    def action_wrap(self) -> None:
        self.view.set_wrap(not self.view.wrap)

    def action_log_mark(self) -> None:
        line = next((line for line in self.view.seen() if line.number == self.view.chosen), None)
        if line:
            self._marks.toggle(line)
            self.view.set_marked(self._marks.numbers)
            self.say()

    def action_log_tile(self) -> None:
        if self._job:
            self.post_message(self.Tiled(self._job))

    def action_plot(self) -> None:
        if self._job and self._backend:
            session_of(self).request(OpenPlot(self._job, self._backend))

    def action_back(self) -> None:
        if self.drop_search() or self.drop_only():
            self.say()
        else:
            self.post_message(self.Back())

    def on_click(self, event: events.Click) -> None:
        """The log takes the keys."""
        if event.widget is not self.query_one(LogInput):
            self.view.focus()
