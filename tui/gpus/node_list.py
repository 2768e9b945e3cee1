"""The list of machines: draws the lines in sight, and repaints those that differ."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backend_client.gpu_nodes import GpuNode
from backend_client.text.gpus import SIGNS, Order, Share, arranged, key_of
from tui.actions import Place
from tui.bindings import bindings
from tui.gpus.gpus_text import Row, heading, row

_HEAD = 1
_EMPTY = Row("")


class NodeList(ScrollView, can_focus=True):
    """Shows machines. The cursor stays on its machine, wherever that comes to stand."""

    where = Place.GPUS
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(Place.GPUS, "screen"),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move_pages(-1)", show=False),
        Binding("pagedown", "move_pages(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
        Binding("q", "screen.gpus_back", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "node-list--head",
        "node-list--cursor",
        "node-list--empty",
        *(f"node-list--{share}" for share in Share),
    }

    def __init__(self) -> None:
        super().__init__()
        self.order = Order.FREE
        self.words: tuple[str, ...] = ()
        self.nodes: list[GpuNode] = []
        """Those that are shown, in order."""
        self._all: Sequence[GpuNode] = ()
        self._empty: Sequence[str] = ()
        self._key: tuple[str, str, str] | None = None
        self._index = 0
        self._painted: dict[int, Row] = {}
        self._now = datetime.now(UTC)

    @property
    def node(self) -> GpuNode | None:
        """The machine under the cursor."""
        return self.nodes[self._index] if self.nodes else None

    @property
    def lines_painted(self) -> int:
        """How many lines of the screen have a machine on them."""
        return sum(bool(line.bar) for line in self._painted.values())

    # What changes it

    def show(self, nodes: Sequence[GpuNode], empty: Sequence[str]) -> None:
        """Show machines as they are now; `empty`: what to say where there are none."""
        self._all, self._empty = nodes, empty
        self.rearrange()

    def rearrange(self, *, order: Order | None = None, words: tuple[str, ...] | None = None) -> None:
        """Choose and sort anew, by another order or filter where one is given."""
        self.order = order or self.order
        self.words = self.words if words is None else words
        self.nodes = arranged(self._all, self.order, self.words)
        keys = [key_of(node) for node in self.nodes]
        at = keys.index(self._key) if self._key in keys else self._index
        self._index = max(0, min(at, len(keys) - 1))
        self._now = datetime.now(UTC)
        size = Size(self.scrollable_content_region.width, len(self.nodes) + _HEAD)
        if size != self.virtual_size:
            self.virtual_size = size
        self._repaint()

    def action_move(self, rows: int) -> None:
        """Move the cursor by some rows, as far as there are any."""
        if self.nodes:
            self._index = max(0, min(len(self.nodes) - 1, self._index + rows))
            self._key = key_of(self.nodes[self._index])
            self._reveal()
            self._repaint()

    def action_move_pages(self, pages: int) -> None:
        """Move the cursor by some pages."""
        self.action_move(pages * max(1, self._page - 1))

    async def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked machine; a second click opens its jobs."""
        index = event.y - _HEAD + self.scroll_offset.y
        if event.y >= _HEAD and index < len(self.nodes):
            self.action_move(index - self._index)
            if event.chain == 2:
                await self.screen.run_action("gpus_jobs")

    @property
    def _page(self) -> int:
        return max(1, self.size.height - _HEAD)

    def _reveal(self) -> None:
        top = self.scroll_offset.y
        if self._index < top:
            top = self._index
        elif self._index >= top + self._page:
            top = self._index - self._page + 1
        self.scroll_to(y=top, animate=False, immediate=True)

    # Drawing

    def _row(self, y: int) -> Row:
        room = self.scrollable_content_region.width
        if y < _HEAD:
            return Row(heading(room)) if self.nodes else _EMPTY
        if not self.nodes:
            line = y - _HEAD - 1
            return Row(f"   {self._empty[line]}") if 0 <= line < len(self._empty) else _EMPTY
        index = y - _HEAD + self.scroll_offset.y
        if index >= len(self.nodes):
            return _EMPTY
        return row(self.nodes[index], room, self._now, cursor=index == self._index)

    def _repaint(self) -> None:
        """Repaint the lines that changed."""
        for y in range(self.size.height):
            if self._painted.get(y) != self._row(y):
                self.refresh(Region(0, y, self.size.width, 1))

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        self.rearrange()

    def render_line(self, y: int) -> Strip:
        line = self._painted[y] = self._row(y)
        base = self.rich_style
        if y < _HEAD or not self.nodes:
            base += self._style("head" if y < _HEAD else "empty")
        elif line.before.startswith(">"):
            base += self._style("cursor")
        segments = [
            Segment(line.before, base),
            *(Segment(SIGNS[share] * count, base + self._style(share)) for share, count in line.bar),
            Segment(line.after, base),
        ]
        return Strip(segments).adjust_cell_length(self.scrollable_content_region.width, base)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"node-list--{name}", partial=True)
