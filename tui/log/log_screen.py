"""The log of one job, full screen."""

from textual.app import ComposeResult
from textual.screen import Screen

from backend_client.models import Job
from backend_client.protocol import JobBackend
from tui.log.pane import LogPane
from tui.session import session_of
from tui.ui.footer import Footer

_TAIL = 1_000_000
"""Lines to begin with: more than the pane under the list reads."""


class LogScreen(Screen[None]):
    """Shows a log from far back to its end, and goes on as it grows."""

    AUTO_FOCUS = "LogView"

    def __init__(self, job: Job, backend: JobBackend, *, at_error: bool = False) -> None:
        super().__init__()
        self._job, self._backend, self._at_error = job, backend, at_error

    def compose(self) -> ComposeResult:
        yield LogPane(tail=_TAIL, opened=(self._job, self._backend), at_error=self._at_error)
        yield Footer(session_of(self))

    def on_log_pane_back(self) -> None:
        """Go back to the screen before."""
        self.dismiss()

    def on_log_pane_tiled(self) -> None:
        """Say where logs can lie beside each other: here is one alone."""
        self.notify("L puts logs beside each other under the list of jobs: escape leads there.")
