"""A Textual app that lets nothing unsafe out: no control characters, no markup from data, no traceback."""

import time
from collections.abc import Sequence

from textual import constants, events
from textual.app import App
from textual.driver import Driver
from textual.filter import LineFilter
from textual.notifications import Notification, Notify, SeverityLevel
from textual.screen import Screen
from textual.worker import Worker, WorkerState

from backend_client.errors import BackendError
from backend_client.text.sanitize import clean
from tui.ui.sanitize_filter import SanitizeFilter
from tui.ui.svg import without_addresses
from tui.ui.terminal_driver import TerminalDriver
from tui.ui.typed_ahead import TypedAhead

_SHORTEST = 0.05
"""Seconds."""


class LateNotification(Notification):
    """A notification whose toast ends, also where it is made after its time is over.

    The timer of such a toast would have a negative interval, and Textual's loops for ever then, before it
    waits for anything (textual/timer.py, `Timer._run`): a program that is held up in between would be deaf.
    """

    @property
    def time_left(self) -> float:
        return max(_SHORTEST, super().time_left)

    @property
    def has_expired(self) -> bool:
        return self.raised_at + self.timeout <= time.time()


class SafeApp(App[int]):
    """Cleans what it shows, and turns a defect into one sentence and a report."""

    def __init__(self) -> None:
        super().__init__()
        self.last_words = ""
        """What to say on the plain terminal after the end."""
        self._sanitize_filter = SanitizeFilter()
        self._typed_ahead = TypedAhead(self, super().on_event, lambda: self.is_opening)

    # What comes in

    def get_driver_class(self) -> type[Driver]:
        """Return the driver that reads whatever comes, unless a browser is the terminal (textual-serve)."""
        return super().get_driver_class() if constants.DRIVER else TerminalDriver

    @property
    def is_opening(self) -> bool:
        """True while what keys are meant for is not there yet."""
        return False

    async def on_event(self, event: events.Event) -> None:
        """Let keys wait until what the key before has opened has the focus."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            self.app_focus = True  # a terminal that lost the news of its focus types all the same
            await self._typed_ahead.take(event)
        else:
            await super().on_event(event)

    # What goes out

    @property
    def _background_screens(self) -> list[Screen[object]]:
        """The screens that are seen through the one above them.

        Textual takes the screen below any other for seen: what changes in it, be it hidden, is painted as the
        whole screen above, 17 KB at 200x50.
        """
        above = self._screen_stack[-1]
        return [] if above.styles.background.a == 1 else super()._background_screens

    def _check_resize(self) -> None:
        """Paint all of a screen that has the size it had: the terminal may have cut off a part meanwhile."""
        event = self._resize_event
        super()._check_resize()
        if event and self._screen_stack and event.size == self.screen.size:
            self.screen.refresh()

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._sanitize_filter]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,  # noqa: ARG002  Textual's signature
    ) -> None:
        """Show a notification as Textual does; its texts are always plain and clean."""
        seconds = self.NOTIFICATION_TIMEOUT if timeout is None else timeout
        notification = LateNotification(clean(message, 600), clean(title, 100), severity, seconds)
        self.post_message(Notify(notification))

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Return the screen as SVG, as Textual does, but one that fetches nothing when it is opened."""
        return without_addresses(super().export_screenshot(title=title, simplify=simplify))

    # Defects

    def _handle_exception(self, error: Exception) -> None:
        """End the program with one sentence; Textual would print a traceback with all locals."""
        if self._exception is None:
            self.last_words = self._report(error)
            self._exception = error
            self._exception_event.set()
        self._return_code = 1
        self._close_messages_no_wait()

    def panic(self, *_renderables: object) -> None:
        self._handle_exception(RuntimeError("the terminal's input could not be read"))

    def _report(self, error: BaseException) -> str:
        from tui import crash_report  # noqa: PLC0415  not on the way of a start

        return crash_report.sentence(error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the defect of a worker as a notification, the last net: it ends nothing else."""
        error = event.worker.error
        if event.state is WorkerState.ERROR and error is not None:
            words = str(error) if isinstance(error, BackendError) else self._report(error)
            self.notify(words, severity="error", timeout=20)
