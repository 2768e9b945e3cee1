"""The loss curve of one job, out of the lines of its log; it grows as the log does.

Over its steps, or over the time, with the use of its GPUs below.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from backend_client.errors import BackendError, fragment
from backend_client.job_use import PATIENCE, measuring
from backend_client.logs import Line, LogBuffer, follow_lines
from backend_client.models import Job
from backend_client.progress.loss_curve import LossCurve, split_batch
from backend_client.protocol import Feature, JobBackend, Lines, LogQuery
from backend_client.text.loss import NO_LOSS, loss_alarm, loss_summary
from backend_client.text.sanitize import clean
from backend_client.usage import HasUsage, Measure, UsageHistory
from backend_client.usage_series import mean, merged, of_measure, time_of
from tui.actions import Place
from tui.bindings import bindings
from tui.log.plot import PLOTTED, draw, draw_over_time
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.format import fit
from tui.ui.once import once
from tui.ui.plot import Point

_AT_ONCE = 200
"""Lines that are parsed before the event loop has its turn."""
_EVERY = 2.0
"""Seconds between two drawings."""
_SOON = 0.1
"""Seconds until the first drawing after a quiet time."""
_USAGE_EVERY = 30.0


class PlotScreen(Screen[None]):
    """Draws the curve, and follows the log as long as it is open."""

    CSS_PATH = "plot_screen.tcss"
    where = Place.PLOT
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.PLOT, "screen")]

    @dataclass(eq=False)
    class PointsAdded(Message):
        """The curve may have more points. `end`: why there will be no more, as a sentence."""

        end: str = ""

    @dataclass(eq=False)
    class UsageRead(Message):
        """What the job has used, or why that is not known."""

        history: UsageHistory | None = None
        trouble: str = ""

    def __init__(self, job: Job, backend: JobBackend, buffer: LogBuffer | None = None) -> None:
        """Draw the loss of a job; `buffer` has its log, where the screen below reads it on."""
        super().__init__()
        self._job, self._backend, self._buffer = job, backend, buffer
        self._lines = 0
        self._part = ""
        """Which part of the log the curve is of, where older lines are not."""
        self._curve = LossCurve()
        self._end = ""
        self._shown: tuple[object, ...] = ()
        self._drawn = 0.0
        self._timer: Timer | None = None
        self._over_time = False
        self._history: UsageHistory | None = None
        self._no_usage = ""
        """Why nothing (newer) is known of the use."""
        self._usage_timer: Timer | None = None
        self._usage_asked = False

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(Content(" Reading the log ..."), id="plot")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        """Start to read the log."""
        self._read()

    @work(exclusive=True, group="read", exit_on_error=False)
    async def _read(self) -> None:
        if self._buffer is not None and not self._buffer.overwritten:
            await self._read_buffer(self._buffer)
        else:
            await self._read_log()

    async def _read_buffer(self, buffer: LogBuffer) -> None:
        """Read the lines that are in memory, and those that come, for as long as this is open."""
        at, size = buffer.first, _AT_ONCE
        while True:
            while at < buffer.closed:
                for batch in _batches(buffer.lines(at, min(at + size, buffer.closed))):
                    self._curve.feed(batch)
                at = max(min(at + size, buffer.closed), buffer.first)
                await asyncio.sleep(0)
            count = buffer.closed - buffer.first
            self._part = f"last {count:,} lines" if count >= PLOTTED else ""
            self.post_message(self.PointsAdded("ended" if self._job.ended else ""))
            while at == buffer.closed:  # noqa: ASYNC110  the buffer wakes nobody, and is asked seldom
                await asyncio.sleep(_EVERY / 2)

    async def _read_log(self) -> None:
        query = LogQuery(ref=self._job.ref, follow=True, tail=PLOTTED)
        try:
            login = session_of(self).login_prompt.wait_for_login
            async with aclosing(follow_lines(self._backend, query, login=login)) as batches:
                async for batch in batches:
                    await self._add(batch)
            self.post_message(self.PointsAdded("ended"))
        except BackendError as error:
            self.post_message(self.PointsAdded(str(error)))

    async def _add(self, batch: Lines) -> None:
        for part in split_batch(batch, _AT_ONCE):
            self._curve.feed(part)
            await asyncio.sleep(0)
        self._lines += len(batch.lines)
        if self._lines >= PLOTTED:
            self._part = f"last {self._lines:,} lines"
        self.post_message(self.PointsAdded())

    def on_plot_screen_points_added(self, message: PointsAdded) -> None:
        """Draw soon where it was quiet, else once the last drawing is old enough."""
        self._end = message.end or self._end
        if self._timer is None:
            due = self._drawn + _EVERY - time.monotonic()
            self._timer = once(self, max(_SOON, due), self._draw)

    @work(exclusive=True, group="usage", exit_on_error=False)
    async def _read_usage(self, backend: HasUsage, since: datetime) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                history = await backend.usage_history(self._job.ref, since)
            self.post_message(self.UsageRead(history))
        except TimeoutError:
            self.post_message(self.UsageRead(trouble=f"no answer within {PATIENCE:.0f} seconds"))
        except BackendError as error:
            self.post_message(self.UsageRead(trouble=fragment(error.title)))

    def on_plot_screen_usage_read(self, message: UsageRead) -> None:
        """Draw what the job has used; where it cannot be read, what was read before stays."""
        self._history = message.history or self._history
        self._no_usage = message.trouble
        self._draw()
        if not self._job.ended:
            self._usage_timer = once(self, _USAGE_EVERY, self._start_usage)

    def _start_usage(self) -> None:
        """Read the use since the curve begins, while it is drawn over the time."""
        if self._usage_timer:
            self._usage_timer.stop()
            self._usage_timer = None
        points = self._curve.points_in_time
        if not self._over_time or not points:
            return
        self._usage_asked = True
        backend = measuring(self._backend)
        if backend is None:
            self._no_usage = self._backend.missing_features.get(Feature.METRICS, "")
        elif self.is_active:
            self._read_usage(backend, datetime.fromtimestamp(points[0][0], UTC))
        else:
            self._usage_timer = once(self, _USAGE_EVERY, self._start_usage)

    def on_resize(self) -> None:
        """Draw the curve in the new size."""
        self._draw()

    def _draw(self) -> None:
        self._timer, self._drawn = None, time.monotonic()
        points, size = tuple(self._curve.points), self.query_one("#plot").size
        more = (self._over_time, self._history, self._no_usage)
        shown = (points, size, self._end, self._part, self._curve.not_finite, more)
        if shown == self._shown or not (points or self._end or self._curve.not_finite):
            return
        self._shown = shown
        self.query_one("#title", Static).update(self._title(points))
        none = "" if self._curve.not_finite else f" {NO_LOSS}"
        note = fit(self._said_of_time(points), size.width).rstrip()
        plot = self._plot(points, size.width, size.height - bool(note)) if points else none
        plot += f"\n{note}" if note else ""
        self.query_one("#plot", Static).update(Content(plot))

    def _plot(self, points: tuple[tuple[int, float], ...], width: int, height: int) -> str:
        in_time = self._curve.points_in_time if self._over_time else []
        if not in_time:
            return draw(points, width, height)
        if not self._usage_asked:  # the first points have come
            self._start_usage()
        return draw_over_time(in_time, _utilisation(self._history), width, height)

    def _title(self, points: tuple[tuple[int, float], ...]) -> Content:
        summary, not_finite = loss_summary(points), loss_alarm(self._curve)
        losses = f"  {summary}" if summary else ""
        alarm = f"  {not_finite}" if not_finite else ""
        part = f"  {self._part}" if self._part else ""
        name, end = clean(self._job.name, 60), clean(self._end, 200)
        return Content.assemble(
            (f" {name}", "bold"), part, (alarm, "$error"), losses, (f"  {end}", "$text-muted")
        )

    def _said_of_time(self, points: tuple[tuple[int, float], ...]) -> str:
        """Return what a plot over the time lacks, and why."""
        if not self._over_time or not points:
            return ""
        if not self._curve.points_in_time:
            return " over its steps: its lines have no times"
        return f" utilisation unknown: {clean(self._no_usage, 200)}" if self._no_usage else ""

    def action_plot_time(self) -> None:
        """Draw the loss over the time, or over the steps again."""
        self._over_time = not self._over_time
        self._start_usage()
        self._draw()

    def action_plot_back(self) -> None:
        """Go back to the screen before."""
        self.dismiss()


def _batches(lines: Iterable[Line]) -> Iterator[Lines]:
    """Return lines of a buffer as the batches they came in, source by source."""
    for source, group in groupby(lines, key=lambda line: line.source):
        if source is not None:
            lines = list(group)
            raw = [line.text.encode() for line in lines]
            yield Lines(source=source, lines=raw, times=[line.time * 1_000_000 for line in lines])


def _utilisation(history: UsageHistory | None) -> list[Point]:
    """Return the mean utilisation of all GPUs over the time; empty where nothing is known."""
    if history is None:
        return []
    line = merged(of_measure(history, Measure.UTILISATION), mean)
    return [(time_of(history, step).timestamp(), share) for step, share in enumerate(line)]
