"""The loss curve of one job, out of the lines of its log; it grows as the log does."""

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from backend_client.errors import BackendError
from backend_client.logs import follow
from backend_client.models import Job
from backend_client.progress.loss_curve import LossCurve, split_batch
from backend_client.protocol import JobBackend, Lines, LogQuery
from tui.actions import Place
from tui.bindings import bindings
from tui.log.plot import draw
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.format import loss_text, short
from tui.ui.sanitize import clean

_TAIL = 100_000
_AT_ONCE = 200
"""Lines that are parsed before the event loop has its turn."""
_EVERY = 2.0
"""Seconds between two drawings."""
_SOON = 0.1
"""Seconds until the first drawing after a quiet time."""


class PlotScreen(Screen[None]):
    """Draws the curve, and follows the log as long as it is open."""

    CSS_PATH = "plot_screen.tcss"
    where = Place.PLOT
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.PLOT, "screen")]

    @dataclass(eq=False)
    class PointsAdded(Message):
        """The curve may have more points. `end`: why there will be no more, as a sentence."""

        end: str = ""

    def __init__(self, job: Job, backend: JobBackend) -> None:
        super().__init__()
        self._job, self._backend = job, backend
        self._curve = LossCurve()
        self._end = ""
        self._shown: tuple[object, ...] = ()
        self._drawn = 0.0
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(Content(" Reading the log ..."), id="plot")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        """Start to read the log."""
        self._read()

    @work(exclusive=True, group="read", exit_on_error=False)
    async def _read(self) -> None:
        query = LogQuery(ref=self._job.ref, follow=True, tail=_TAIL)
        try:
            login = session_of(self).login_prompt.wait_for_login
            async with aclosing(follow(self._backend, query, login=login)) as batches:
                async for items in batches:
                    for batch in items:
                        if isinstance(batch, Lines):
                            await self._add(batch)
            self.post_message(self.PointsAdded("ended"))
        except BackendError as error:
            self.post_message(self.PointsAdded(str(error)))

    async def _add(self, batch: Lines) -> None:
        for part in split_batch(batch, _AT_ONCE):
            self._curve.feed(part)
            await asyncio.sleep(0)
        self.post_message(self.PointsAdded())

    def on_plot_screen_points_added(self, message: PointsAdded) -> None:
        """Draw soon where it was quiet, else once the last drawing is old enough."""
        self._end = message.end or self._end
        if self._timer is None:
            due = self._drawn + _EVERY - time.monotonic()
            self._timer = self.set_timer(max(_SOON, due), self._draw)

    def on_resize(self) -> None:
        """Draw the curve in the new size."""
        self._draw()

    def _draw(self) -> None:
        self._timer, self._drawn = None, time.monotonic()
        points, size = tuple(self._curve.points), self.query_one("#plot").size
        shown = (points, size, self._end)
        if shown == self._shown or not (points or self._end):
            return
        self._shown = shown
        self.query_one("#title", Static).update(self._title(points))
        none = " No line of its log tells a step and a loss."
        plot = draw(points, size.width, size.height) if points else none
        self.query_one("#plot", Static).update(Content(plot))

    def _title(self, points: tuple[tuple[int, float], ...]) -> Content:
        losses = ""
        if points:
            lowest = min(points, key=lambda point: point[1])
            losses = f"  loss {_at_step(points[-1])}, lowest {_at_step(lowest)}"
        name = clean(self._job.name, 60)
        return Content.assemble((f" {name}", "bold"), losses, (f"  {clean(self._end, 200)}", "$text-muted"))

    def action_plot_back(self) -> None:
        """Go back to the screen before."""
        self.dismiss()


def _at_step(point: tuple[int, float]) -> str:
    step, loss = point
    return f"{loss_text(loss)} at step {short(step)}"
