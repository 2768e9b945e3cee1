"""Several jobs over one another, out of the lines of their logs; it grows as the logs do."""

import time
from collections.abc import Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from backend_client.models import Job
from backend_client.progress.series_reader import SeriesReader
from backend_client.progress.series_view import WEIGHTS, View, began, line_of
from backend_client.protocol import JobBackend
from backend_client.text.compare import NOTHING_YET, chosen_or_first, series_names
from backend_client.text.sanitize import clean
from tui.actions import Place
from tui.bindings import bindings
from tui.compare.tables import COLOURS, difference_lines, figure_lines
from tui.compare.view import draw
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.once import once

_EVERY = 2.0
"""Seconds between two drawings."""
_SOON = 0.1
"""Seconds until the first drawing after a quiet time."""
_WIDE = 160
"""Columns from which on the differences stand beside the figures."""


class CompareScreen(Screen[None]):
    """Draws one series of all jobs, and reads their logs as long as it is open."""

    CSS_PATH = "compare_screen.tcss"
    AUTO_FOCUS = "VerticalScroll"
    where = Place.COMPARE
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Place.COMPARE, "screen")]

    class SeriesChanged(Message):
        """A log has told more, or has come to its end."""

    def __init__(self, jobs: Sequence[Job], backend: JobBackend) -> None:
        super().__init__()
        self._jobs = jobs
        self._readers = [SeriesReader(job, backend, of=len(jobs)) for job in jobs]
        self._chosen = ""
        """The series that was chosen; "" is the first of all."""
        self._view = View()
        self._differences = False
        """Whether the differences stand below, in place of the figures, where both have no room."""
        self._drawn = 0.0
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(Content(" Reading the logs ..."), id="plot")
        with VerticalScroll():
            yield Static(id="below")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        """Start to read the logs."""
        for reader in self._readers:
            self._read(reader)

    @work(group="read", exit_on_error=False)
    async def _read(self, reader: SeriesReader) -> None:
        login = session_of(self).login_prompt.wait_for_login
        await reader.read(on=True, login=login, changed=self._tell)

    def _tell(self) -> None:
        self.post_message(self.SeriesChanged())

    def on_compare_screen_series_changed(self) -> None:
        """Draw soon where it was quiet, else once the last drawing is old enough."""
        if self._timer is None:
            due = self._drawn + _EVERY - time.monotonic()
            self._timer = once(self, max(_SOON, due), self._draw)

    def on_resize(self) -> None:
        """Draw all in the new size."""
        self.call_after_refresh(self._draw)

    @property
    def _names(self) -> list[str]:
        return series_names(reader.series.by_name for reader in self._readers)

    def _draw(self) -> None:
        self._timer, self._drawn = None, time.monotonic()
        names = self._names
        name = chosen_or_first(names, self._chosen)
        self.query_one("#title", Static).update(self._title(name, names))
        self.query_one("#below", Static).update(self._below(name))
        self.call_after_refresh(self._draw_plot, name)

    def _title(self, name: str, names: Sequence[str]) -> Content:
        if not names:
            return Content(f" {len(self._jobs)} job{'s' if len(self._jobs) > 1 else ''}")
        place = f" ({names.index(name) + 1} of {len(names)})" if len(names) > 1 else ""
        return Content.assemble((f" {clean(name, 40)}", "bold"), place, f"  {', '.join(self._view.words)}")

    def _draw_plot(self, name: str) -> None:
        plot = self.query_one("#plot", Static)
        lines = []
        for reader in self._readers:
            points = reader.series.by_name.get(name)
            start = began(reader.job, reader.series.first_time)
            lines.append(line_of(points, self._view, start) if points else [])
        if any(lines):
            rows = draw(lines, self._view, plot.size.width, plot.size.height)
            texts = [
                Content.assemble(*((text, "" if line is None else COLOURS[line]) for text, line in row))
                for row in rows
            ]
            plot.update(Content("\n").join(texts))
        else:
            plot.update(Content(f" {self._no_line(name)}"))

    def _no_line(self, name: str) -> str:
        """Return why there is nothing to draw."""
        if name:
            over = "time" if self._view.over_time else "step"
            positive = " above 0" if self._view.logarithmic else ""
            return f"No figure{positive} of {clean(name, 40)} has a {over}."
        if all(reader.answered for reader in self._readers):
            return NOTHING_YET
        return "Reading the logs ..."

    def _below(self, name: str) -> Content:
        width = self.size.width
        if width >= _WIDE:
            half = width // 2
            left = figure_lines(self._readers, name, half)
            right = difference_lines(self._jobs, half)
            left += [Content(" " * half)] * (len(right) - len(left))
            right += [Content("")] * (len(left) - len(right))
            return Content("\n").join(Content.assemble(*both) for both in zip(left, right, strict=True))
        if self._differences:
            return Content("\n").join(difference_lines(self._jobs, width))
        return Content("\n").join(figure_lines(self._readers, name, width))

    def action_compare_next(self) -> None:
        """Draw the next series."""
        self._choose(1)

    def action_compare_previous(self) -> None:
        """Draw the series before."""
        self._choose(-1)

    def _choose(self, way: int) -> None:
        names = self._names
        if names:
            at = names.index(chosen_or_first(names, self._chosen))
            self._chosen = names[(at + way) % len(names)]
            self._draw()

    def action_compare_time(self) -> None:
        """Draw over the time, or over the steps again."""
        self._view = replace(self._view, over_time=not self._view.over_time)
        self._draw()

    def action_compare_smooth(self) -> None:
        """Smooth more; after the most, not at all."""
        at = WEIGHTS.index(self._view.weight)
        self._view = replace(self._view, weight=WEIGHTS[(at + 1) % len(WEIGHTS)])
        self._draw()

    def action_compare_log(self) -> None:
        """Draw on a logarithmic scale, or on a linear one again."""
        self._view = replace(self._view, logarithmic=not self._view.logarithmic)
        self._draw()

    def action_compare_specs(self) -> None:
        """Show in what the specs differ, or the figures again."""
        self._differences = not self._differences
        self._draw()

    def action_compare_back(self) -> None:
        """Go back to the job list."""
        self.dismiss()
