"""The screen of the machines with GPUs: sums by product, a line for each machine, who holds what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from textual import work
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from backend_client.errors import BackendError, LoginNeeded, fragment
from backend_client.gpu_nodes import GpuNode, GpuNodes
from backend_client.models import Job
from backend_client.protocol import Capacity, JobBackend
from backend_client.text.figures import local_time
from backend_client.text.gpus import LEGEND, Order, key_of, nothing_words, unknown_words
from backend_client.text.sanitize import clean
from tui.actions import Place
from tui.gpus.gpu_jobs_screen import GpuJobsScreen
from tui.gpus.gpus_text import sums
from tui.gpus.node_list import NodeList
from tui.session import session_of
from tui.ui.filter_line import FilterLine
from tui.ui.footer import Footer

POLL_SECONDS = 3.0


class GpusScreen(Screen[None]):
    """Asks for the machines every few seconds while it is open; what was seen stays when that fails."""

    CSS_PATH = "gpus_screen.tcss"
    AUTO_FOCUS = "NodeList"
    where = Place.GPUS

    @dataclass(eq=False)
    class NodesLoaded(Message):
        """The machines, or why there are none; of unknown ones what the quota says."""

        found: GpuNodes | BackendError
        capacity: Capacity

    def __init__(self, backend: JobBackend, jobs: Mapping[str, Job], open_job: Callable[[Job], None]) -> None:
        """Show the machines of a context. `jobs`, `open_job`: of the job list, by uid."""
        super().__init__()
        self._backend, self._jobs, self._open_job = backend, jobs, open_job
        self._found = GpuNodes()
        self._asking = False
        self._loaded: datetime | None = None
        self._failed: BackendError | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content.styled(f" {clean(self._backend.context, 40)}  GPUs", "bold"), id="title")
        yield Static(id="sums")
        yield NodeList()
        yield FilterLine("node, product, job, owner, cordoned")
        yield Static(id="status")
        yield Footer(session_of(self))

    def on_mount(self) -> None:
        self.query_one(NodeList).show((), ("Reading the machines ...",))
        self._show_status()
        self._ask()
        self.set_interval(POLL_SECONDS, self._ask)

    # What is asked

    def _ask(self) -> None:
        """Ask for the machines, unless the last answer is still awaited."""
        if not self._asking:
            self._asking = True
            self._read()

    @work(group="gpus", exit_on_error=False)
    async def _read(self) -> None:
        capacity = Capacity()
        scope = session_of(self).scope(self._backend)
        try:
            found: GpuNodes | BackendError = await self._backend.nodes(scope)
            if isinstance(found, GpuNodes) and found.unknown_because:
                capacity = await self._backend.capacity(scope)
        except BackendError as error:
            found = error
        self.post_message(self.NodesLoaded(found, capacity))

    def on_gpus_screen_nodes_loaded(self, message: NodesLoaded) -> None:
        """Show the machines, or why they are not known."""
        self._asking = False
        if isinstance(message.found, BackendError):
            self._failed = message.found
            session_of(self).login_prompt.ask(message.found)
            if self._loaded is None:
                self.query_one(NodeList).show((), (clean(message.found, 300),))
        else:
            is_new = (
                self._loaded is None or message.found != self._found or bool(message.found.unknown_because)
            )
            self._failed, self._found, self._loaded = None, message.found, datetime.now(UTC)
            if is_new:
                self._show_nodes(message.capacity)
        self._show_status()

    def on_screen_resume(self) -> None:
        """Ask again after a login."""
        if isinstance(self._failed, LoginNeeded):
            self._ask()

    # What is shown

    def _show_nodes(self, capacity: Capacity) -> None:
        empty = [nothing_words(self._found)]
        if self._found.unknown_because:
            empty = unknown_words(self._found, capacity, self._jobs.values())
        self.query_one(NodeList).show(self._found.nodes, empty)
        self._show_sums()

    def _show_sums(self) -> None:
        room = self.size.width - 2
        lines = sums(self._found.nodes, max(2, self.size.height // 6), room)
        if self._found.unsure_because:
            lines.append(clean(self._found.unsure_because, room))
        _put(self.query_one("#sums", Static), "\n".join(f" {line}" for line in lines))

    def _show_status(self) -> None:
        nodes = self.query_one(NodeList)
        order = str(nodes.order) if nodes.order is not Order.FREE else ""
        shown = f"{len(nodes.nodes)} of {len(self._found.nodes)} lines" if nodes.words else ""
        words = "  ".join(filter(None, (LEGEND if self._found.nodes else "", shown, order)))
        if self._failed and self._loaded:
            words = f"as of {local_time(self._loaded)}: {fragment(clean(self._failed, 300))}"
        status = self.query_one("#status", Static)
        status.set_class(self._failed is not None, "wrong")
        _put(status, f" {words}")

    def on_resize(self) -> None:
        self._show_sums()

    # Keys

    def on_filter_line_edited(self, message: FilterLine.Edited) -> None:
        """Filter while the words are typed."""
        self.query_one(NodeList).rearrange(words=tuple(message.text.lower().split()))
        self._show_status()

    def on_filter_line_closed(self) -> None:
        """Give the keys back to the list."""
        self.query_one(NodeList).focus()

    def action_gpus_filter(self) -> None:
        self.query_one(FilterLine).open()

    def action_gpus_order(self) -> None:
        nodes = self.query_one(NodeList)
        nodes.rearrange(order=nodes.order.following)
        self._show_status()

    async def action_gpus_refresh(self) -> None:
        await self._backend.refresh()
        self._ask()

    def action_gpus_jobs(self) -> None:
        """Open the jobs of the machine under the cursor."""
        if node := self.query_one(NodeList).node:
            key = key_of(node)
            self.app.push_screen(GpuJobsScreen(node, lambda: self._find(key), self._jobs, self._open_job))

    def _find(self, key: tuple[str, str, str]) -> GpuNode | None:
        return next((node for node in self._found.nodes if key_of(node) == key), None)

    def action_gpus_back(self) -> None:
        self.dismiss(None)


def _put(widget: Static, text: str) -> None:
    """Put a text into a widget, unless it is there: nothing repaints without a reason."""
    if str(widget.content) != text:
        widget.update(Content(text))
