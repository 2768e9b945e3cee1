"""What a job uses, as a part of its detail: read while its screen is seen, and drawn in lines and plots."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from textual import work
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobState
from backend_client.protocol import Feature, JobBackend
from backend_client.usage import HasUsage, Usage, UsageHistory
from tui.ui.once import once
from tui.ui.sanitize import clean
from tui.usage.usage_plots import usage_plots
from tui.usage.usage_reading import Reading
from tui.usage.usage_text import UsageLine, usage_lines

_EVERY = 30.0
"""Seconds between two readings."""
_PATIENCE = 20.0
"""Seconds that a reading may take."""
_HOUR = timedelta(hours=1)
_RUNS = (JobState.RUNNING, JobState.STOPPING, JobState.UNKNOWN)


class UsageSection(Static):
    """The lines about a job's use. Takes no room where there is nothing to say."""

    @dataclass(eq=False)
    class UsageRead(Message):
        """What the job uses and has used, or why that is not known."""

        usage: Usage | None = None
        history: UsageHistory | None = None
        trouble: str = ""

    class HistoryChanged(Message):
        """There are other figures to plot."""

    def __init__(self, job: Job, backend: JobBackend, more_key: Callable[[], str]) -> None:
        """Show the use of a job; `more_key` returns the key that shows all ranks, "" where there is none."""
        super().__init__(id="use")
        self._job, self._more_key = job, more_key
        self._backend = (
            backend if isinstance(backend, HasUsage) and Feature.METRICS in backend.features else None
        )
        self._missing = backend.missing_features.get(Feature.METRICS, "")
        self._reading: Reading | None = None
        self._timer: Timer | None = None
        self._started = False
        self._width = 76
        self._gone = False
        self._shown: Content | None = None

    @property
    def history(self) -> UsageHistory | None:
        """What the job has used in the time that is shown; None where that is not known."""
        return self._reading.history if self._reading else None

    def on_mount(self) -> None:
        self.display = False
        self.follow(self._job)

    def follow(self, job: Job, *, gone: bool = False) -> None:
        """Take the job as it is now; of one that begins to run or ends, read anew at once."""
        turned = not self._started or job.state is not self._job.state
        self._job, self._gone = job, gone
        if self._backend and not gone and turned and (job.ended or job.state in _RUNS):
            self._started = True
            self._read(self._backend)

    @work(exclusive=True, group="usage", exit_on_error=False)
    async def _read(self, backend: HasUsage) -> None:
        job = self._job
        since = (job.finished if job.ended and job.finished else datetime.now(UTC)) - _HOUR
        since = max(since, job.started) if job.started else since
        try:
            async with asyncio.timeout(_PATIENCE):
                usage, history = await asyncio.gather(
                    _nothing() if job.ended else backend.usage(job.ref),
                    backend.usage_history(job.ref, since),
                )
        except TimeoutError:
            message = self.UsageRead(trouble=f"no answer within {_PATIENCE:.0f} seconds")
        except BackendError as error:
            message = self.UsageRead(trouble=fragment(error.title))
        else:
            message = self.UsageRead(usage, history)
        self.post_message(message)

    def on_usage_section_usage_read(self, message: UsageRead) -> None:
        """Draw what was read; where it could not be, the last figures stay, with their age."""
        message.stop()
        last = self._reading or Reading()
        if message.usage is None:
            since = last.since if last.trouble else datetime.now(UTC)
            self._reading = Reading(
                usage=last.usage, history=last.history, trouble=message.trouble, since=since
            )
        else:
            self._reading = Reading(usage=message.usage, history=message.history)
            self.post_message(self.HistoryChanged())
        self.draw()
        if self._timer:
            self._timer.stop()
        self._timer = None if self._job.ended else once(self, _EVERY, self._read_again)

    def _read_again(self) -> None:
        """Read anew while the screen is seen, else look again later."""
        if self._gone or self._backend is None:
            return
        if self.screen.is_active:
            self._read(self._backend)
        else:
            self._timer = once(self, _EVERY, self._read_again)

    def draw(self, width: int = 0) -> None:
        """Draw the lines in so many cells (0: as many as before), with ages as they are now."""
        self._width = width or self._width
        lines = self._lines()
        content = Content("\n").join(Content.styled(line.text, line.style) for line in lines)
        if content != self._shown:
            self._shown = content
            self.display = bool(lines)
            self.update(content)

    def _lines(self) -> list[UsageLine]:
        runs = self._job.state in _RUNS and not self._gone
        if self._backend is None:
            why = clean(self._missing, 300)
            return [_heading("Use"), UsageLine(why, "$text-muted")] if runs and why else []
        if self._reading is None:
            return [_heading("Use"), UsageLine("reading ...", "$text-muted")] if runs else []
        lines = usage_lines(self._reading, self._width, datetime.now(UTC), more_key=self._more_key())
        if lines:
            return [_heading(self._title()), *lines]
        return [_heading("Use"), UsageLine("no figures yet", "$text-muted")] if runs else []

    def _title(self) -> str:
        start = self.history.start if self.history else None
        if start is None:
            return "Use"
        end = self._job.finished or datetime.now(UTC)
        if self._job.ended:
            return f"Use from {start.astimezone():%H:%M} to {end.astimezone():%H:%M}"
        return f"Use since {start.astimezone():%H:%M}"


async def _nothing() -> Usage:
    """Return what a job uses that has ended."""
    return Usage()


def _heading(words: str) -> UsageLine:
    return UsageLine(f"\n{words}", "bold $primary")


class UsagePlots(Static):
    """The plots beside the text of a wide screen."""

    def __init__(self) -> None:
        super().__init__(id="plots")
        self._drawn: tuple[object, ...] = ()

    def draw(self, history: UsageHistory | None, width: int, height: int) -> None:
        """Draw what a job has used in so many cells; without a history or room, take none."""
        if (history, width, height) == self._drawn:
            return
        self._drawn = history, width, height
        plots = usage_plots(history, width, height) if history else ""
        self.display = bool(plots)
        self.update(Content(plots))
