"""What a job uses, as a part of its detail: read while its screen is seen, and drawn in lines and plots."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from textual import work
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from backend_client.job_use import measuring
from backend_client.models import Job, JobState
from backend_client.protocol import Feature, JobBackend
from backend_client.text.sanitize import clean
from backend_client.usage import HasUsage, UsageHistory
from backend_client.usage_reading import EVERY, Reading, read_anew
from tui.ui.once import once
from tui.ui.show_text import show_text
from tui.usage.usage_plots import usage_plots
from tui.usage.usage_text import UsageLine, usage_lines

_RUNS = (JobState.RUNNING, JobState.STOPPING, JobState.UNKNOWN)


class UsageSection(Static):
    """The lines about a job's use. Takes no room where there is nothing to say."""

    @dataclass(eq=False)
    class UsageRead(Message):
        """What is known now of what the job uses and has used."""

        reading: Reading

    class HistoryChanged(Message):
        """There are other figures to plot."""

    def __init__(self, job: Job, backend: JobBackend, more_key: Callable[[], str]) -> None:
        """Show the use of a job; `more_key` returns the key that shows all ranks, "" where there is none."""
        super().__init__(id="use")
        self._job, self._more_key = job, more_key
        self._backend = measuring(backend)
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
        self.draw()

    @work(exclusive=True, group="usage", exit_on_error=False)
    async def _read(self, backend: HasUsage) -> None:
        last = self._reading or Reading()
        self.post_message(self.UsageRead(await read_anew(last, backend, self._job)))

    def on_usage_section_usage_read(self, message: UsageRead) -> None:
        """Draw what is known."""
        message.stop()
        self._reading = message.reading
        if not message.reading.trouble:
            self.post_message(self.HistoryChanged())
        self.draw()
        if self._timer:
            self._timer.stop()
        self._timer = None if self._job.ended else once(self, EVERY, self._read_again)

    def _read_again(self) -> None:
        """Read anew while the screen is seen, else look again later."""
        if self._gone or self._backend is None:
            return
        if self.screen.is_active:
            self._read(self._backend)
        else:
            self._timer = once(self, EVERY, self._read_again)

    def lay_out(self, width: int) -> None:
        """Draw the lines in so many cells."""
        if width != self._width:
            self._width = width
            self.draw()

    def draw(self) -> None:
        """Draw the lines, with ages as they are now."""
        lines = self._lines()
        content = Content("\n").join(Content.styled(line.text, line.style) for line in lines)
        if content != self._shown:
            self._shown = content
            self.display = bool(lines)
            show_text(self, content)

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
        self.update(Content(plots), layout=False)  # its size is given, whatever is in it
