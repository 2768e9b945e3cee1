"""The first line: the program, where jobs go, how fresh the list is, and the free GPUs."""

from datetime import UTC, datetime

from rich.cells import cell_len
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from backend_client.protocol import Capacity, Freshness, FreshnessState
from backend_client.text.figures import span
from backend_client.text.sanitize import clean


class Header(Widget):
    """Draws what its reactive attributes say, anew where one of them changes."""

    place: reactive[str] = reactive("")
    freshness: reactive[Freshness | None] = reactive(None)
    capacity: reactive[Capacity | None] = reactive(None)
    status: reactive[str] = reactive("")
    """How the list is shown: marks, filter, order."""
    alerts: reactive[str] = reactive("")
    """How many alerts fire, as a word; or that this is not known."""
    age: reactive[str] = reactive("")

    def __init__(self, place: str, *, read_only: bool = False) -> None:
        super().__init__()
        self.set_reactive(Header.place, place)
        self._read_only = read_only

    def on_mount(self) -> None:
        self.set_interval(20, self._update_age)

    def watch_freshness(self) -> None:
        self._update_age()

    def _update_age(self) -> None:
        fresh = (FreshnessState.LIVE, FreshnessState.SYNCING)
        stale = self.freshness is not None and self.freshness.state not in fresh
        self.age = (
            span((datetime.now(UTC) - self.freshness.since).total_seconds())
            if stale and self.freshness
            else ""
        )

    def render(self) -> Content:
        left = Content.assemble(
            (" traindeck", "bold $primary"),
            f"  {clean(self.place, 40)}",
            ("  READ-ONLY", "bold $warning") if self._read_only else "",
            (f"  {self.alerts}", "bold $error") if self.alerts else "",
            (f"  {self.status}", "$text-muted") if self.status else "",
        )
        right = self._capacity_text()
        room = self.size.width - left.cell_length - cell_len(right) - 2
        trouble = self._freshness_text(room)
        left = Content.assemble(left, (trouble, "$error"))
        if not trouble:
            right = self._capacity_text(room)
        gap = max(1, self.size.width - left.cell_length - cell_len(right) - 1)
        return Content.assemble(left, " " * gap, right)

    def _freshness_text(self, room: int) -> str:
        if self.freshness is None or self.freshness.state is FreshnessState.LIVE or room < 4:
            return ""
        if self.freshness.state is FreshnessState.SYNCING:
            return clean(f"  {self.freshness.why}", room) if self.freshness.why else ""
        word = "not allowed" if self.freshness.state is FreshnessState.FORBIDDEN else f"stale {self.age}"
        text = f"  {word}: {clean(self.freshness.why, 300)}" if self.freshness.why else f"  {word}"
        return clean(text, room)

    def _capacity_text(self, room: int = 0) -> str:
        """Return the free GPUs. `room`: cells that more words may take: products, or why they are unknown."""
        if self.capacity is None:
            return ""
        if quota := self.capacity.quota:
            return f"GPUs {quota.used} of {quota.hard} of the quota used"
        if self.capacity.unknown_because:
            why = f": {clean(self.capacity.unknown_because, 100)}"
            return "GPUs unknown" + (why if cell_len(why) <= room else "")
        if not self.capacity.total:
            return "no GPUs"
        return self._products(f"GPUs {self.capacity.free} of {self.capacity.total} free", room)

    def _products(self, words: str, room: int) -> str:
        """Return the free GPUs with those of each product, as many as `room` more cells hold."""
        pools = self.capacity.pools if self.capacity else ()
        if len(pools) < 2:
            return words
        parts = [
            f"{clean(p.product.removeprefix('NVIDIA-'), 30) or 'other'} {p.free}/{p.total}" for p in pools
        ]
        for shown in range(len(parts), 0, -1):
            rest = ", ..." if shown < len(parts) else ""
            if cell_len(more := f" ({', '.join(parts[:shown])}{rest})") <= room:
                return words + more
        return words
