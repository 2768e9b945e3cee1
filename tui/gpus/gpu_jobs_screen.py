"""The jobs that hold GPUs of one machine; enter opens the detail of one that is in the job list."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backend_client.gpu_nodes import GpuNode, Holder
from backend_client.models import Job
from backend_client.text.gpus import (
    SHARE_OF,
    SIGNS,
    bar,
    bar_text,
    holder_name,
    product_text,
    shares,
    state_words,
    until_words,
)
from backend_client.text.sanitize import clean
from tui.actions import Place
from tui.bindings import bindings
from tui.session import session_of
from tui.ui.footer import Footer
from tui.ui.format import fit
from tui.ui.rows import Rows

_LOOK_SECONDS = 1.0


class GpuJobsScreen(Screen[None]):
    """Follows the machine as the screen below knows it."""

    CSS_PATH = "gpus_screen.tcss"
    AUTO_FOCUS = "OptionList"
    where = Place.GPU_JOBS
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.GPU_JOBS, "screen"),
        Binding("q", "screen.gpu_jobs_back", show=False),
    ]

    def __init__(
        self,
        node: GpuNode,
        current: Callable[[], GpuNode | None],
        jobs: Mapping[str, Job],
        open_job: Callable[[Job], None],
    ) -> None:
        """Show a machine. `current` returns it as it is now; `jobs`, `open_job`: of the job list, by uid."""
        super().__init__()
        self._node, self._current = node, current
        self._jobs, self._open_job = jobs, open_job

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        yield Static(id="sums")
        yield Rows()
        yield Static(id="status")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        self._fill()
        self.set_interval(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Show the machine anew where it has changed."""
        if (node := self._current()) and node != self._node:
            self._node = node
            self._fill()

    def _fill(self) -> None:
        node, rows = self._node, self.query_one(OptionList)
        place = clean(f"{node.cluster}/{node.name}" if node.cluster else node.name, 60)
        self.query_one("#title", Static).update(Content.styled(f" {place}  {product_text(node)}", "bold"))
        words = f" {node.free} of {node.total} free  {bar_text(bar(shares(node)))}  {state_words(node)}"
        self.query_one("#sums", Static).update(Content(words.rstrip()))
        at, now = rows.highlighted, datetime.now(UTC)
        rows.clear_options()
        rows.add_options(Option(Content(self._line(holder, now))) for holder in node.holders)
        if node.holders:
            rows.highlighted = min(at or 0, len(node.holders) - 1)
        held = "" if node.holders else " No job holds GPUs of this machine."
        self.query_one("#status", Static).update(Content(held))

    def _line(self, holder: Holder, now: datetime) -> str:
        sign = SIGNS[SHARE_OF[holder.whose]]
        job = self._jobs.get(holder.uid)
        gpus = f"{holder.gpus} GPU{'s' if holder.gpus > 1 else ''}"
        parts = (
            f" {sign} {fit(holder_name(holder), 28)}",
            fit(clean(holder.owner, 40), 12),
            fit(gpus, 8),
            fit(job.state.value if job else "", 9),
            until_words(holder.until, now) or "no limit known",
        )
        return " ".join(parts)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open the job's detail, where it is in the list."""
        holder = self._node.holders[event.option_index]
        if job := self._jobs.get(holder.uid):
            self._open_job(job)
        else:
            self.notify(f"{holder_name(holder)} is not in your list of jobs.", markup=False)

    def action_gpu_job_detail(self) -> None:
        self.query_one(OptionList).action_select()

    def action_gpu_jobs_back(self) -> None:
        self.dismiss(None)
