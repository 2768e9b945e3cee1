"""A Textual app that lets nothing unsafe out: no control characters, no markup from data, no traceback."""

from collections.abc import Sequence

from textual.app import App
from textual.filter import LineFilter
from textual.notifications import SeverityLevel
from textual.worker import Worker, WorkerState

from backend_client.errors import BackendError
from tui.ui.sanitize import clean
from tui.ui.sanitize_filter import SanitizeFilter
from tui.ui.svg import without_addresses


class SafeApp(App[int]):
    """Cleans what it shows, and turns a defect into one sentence and a report."""

    def __init__(self) -> None:
        super().__init__()
        self.last_words = ""
        """What to say on the plain terminal after the end."""
        self._sanitize_filter = SanitizeFilter()

    # Text

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
        super().notify(
            clean(message, 600), title=clean(title, 100), severity=severity, timeout=timeout, markup=False
        )

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
