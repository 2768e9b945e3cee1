"""The first line: the program, where jobs go, how fresh the list is, and the free GPUs."""

from datetime import UTC, datetime

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from backend_client.protocol import Capacity, Freshness, FreshnessState
from tui.ui.format import span
from tui.ui.sanitize import clean


class Header(Widget):
    """Set what is known; it draws itself anew where that is another."""

    place: reactive[str] = reactive("")
    link: reactive[Freshness | None] = reactive(None)
    capacity: reactive[Capacity | None] = reactive(None)
    status: reactive[str] = reactive("")
    """A word about the list: its order, its filter."""
    age: reactive[str] = reactive("")

    def __init__(self, place: str, *, read_only: bool = False) -> None:
        super().__init__()
        self.set_reactive(Header.place, place)
        self._read_only = read_only

    def on_mount(self) -> None:
        self.set_interval(20, self._grow_old)

    def watch_link(self) -> None:
        self._grow_old()

    def _grow_old(self) -> None:
        stale = self.link is not None and self.link.state is not FreshnessState.LIVE
        self.age = span((datetime.now(UTC) - self.link.since).total_seconds()) if stale and self.link else ""

    def render(self) -> Content:
        left = Content.assemble(
            (" traindeck", "bold $primary"),
            f"  {clean(self.place, 40)}",
            ("  READ-ONLY", "bold $warning") if self._read_only else "",
            (f"  {self.status}", "$text-muted") if self.status else "",
        )
        right = self._gpus()
        room = self.size.width - left.cell_length - len(right) - 2
        trouble = self._trouble(room)
        left = Content.assemble(left, (trouble, "$error"))
        if not trouble:
            right = self._gpus(room)
        gap = max(1, self.size.width - left.cell_length - len(right) - 1)
        return Content.assemble(left, " " * gap, right)

    def _trouble(self, room: int) -> str:
        if self.link is None or self.link.state is FreshnessState.LIVE or room < 4:
            return ""
        word = "not allowed" if self.link.state is FreshnessState.FORBIDDEN else f"stale {self.age}"
        text = f"  {word}: {clean(self.link.why, 300)}" if self.link.why else f"  {word}"
        return clean(text, room)

    def _gpus(self, room: int = 0) -> str:
        """`room`: the cells that a reason may take."""
        if self.capacity is None:
            return ""
        if self.capacity.unknown_because:
            why = f": {clean(self.capacity.unknown_because, 100)}"
            return "GPUs unknown" + (why if cell_len(why) <= room else "")
        if not self.capacity.total:
            return "no GPUs"
        return f"GPUs {self.capacity.free} of {self.capacity.total} free"
