"""Puts the status of a log into words: faults, matches, silent ranks, and where the view stands."""

import time
from collections.abc import Callable

from backend_client.logs.log_copy import clock
from tui.log.bookmarks import Bookmarks
from tui.log.feed import LogFeed
from tui.log.host import Host, Stoppable
from tui.log.ranks import next_step, silence
from tui.log.search import LogSearch
from tui.log.viewport import Viewport
from tui.ui.once import once


class LogStatus:
    """What the title of a log pane says."""

    def __init__(
        self,
        host: Host,
        feed: LogFeed,
        search: LogSearch,
        viewport: Viewport,
        bookmarks: Bookmarks,
        *,
        changed: Callable[[], None],
    ) -> None:
        """Say how these stand. `changed` is called when a rank has been silent for longer than was said."""
        self._host, self._changed = host, changed
        self._feed, self._search, self._viewport, self._bookmarks = feed, search, viewport, bookmarks
        self._timer: Stoppable | None = None

    def text(self) -> str:
        """Return what the title says."""
        parts = [self._feed.fault, self._search.summary, str(self._bookmarks), self._silence()]
        return "   ".join(filter(None, [*parts, self._location()]))

    def _location(self) -> str:
        if not self._viewport.following:
            return self._viewport.location()
        if self._feed.copy:
            return f"a copy, of what was followed until {clock(self._feed.copy.until)}"
        if self._feed.job and not self._feed.fault:
            return "ended" if self._feed.ended else "following"
        return ""

    def _silence(self) -> str:
        """Say which ranks are silent for long, and set a timer for when there may be more to say."""
        last_written = self._viewport.buffer.last_written
        if self._feed.ended or len(last_written) < 2:
            return ""
        if (rank := self._search.rank) is not None:
            last_written = {rank: last_written[rank]}
        now = int(time.time() * 1000)
        wait = next_step(last_written, now)
        if self._timer is None and wait is not None:
            self._timer = once(self._host, wait + 1, self._check_silence)
        return silence(last_written, now)

    def _check_silence(self) -> None:
        self._timer = None
        self._changed()
