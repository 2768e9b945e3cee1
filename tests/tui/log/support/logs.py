"""Logs in memory, and a view of one that is no widget."""

from backend_client.logs import LineFilter, LogBuffer, Search
from backend_client.protocol import Lines, LogSource
from tui.log.viewport import Viewport

NOON = 1_800_000_000 * 10**9


def buffer_of(*lines: bytes, rank: int = 0) -> LogBuffer:
    """A log of one rank, a line a second."""
    return append(LogBuffer(), *lines, rank=rank)


def append(buffer: LogBuffer, *lines: bytes, rank: int = 0, unfinished: bool = False) -> LogBuffer:
    """The same log with more lines."""
    times = [NOON + (buffer.end + n) * 10**9 for n in range(len(lines))]
    buffer.append([Lines(source=LogSource(1, rank), lines=list(lines), times=times, open=unfinished)])
    return buffer


class PlainDisplay:
    """A `tui.log.search.Display` of 20 x 5."""

    def __init__(self, buffer: LogBuffer) -> None:
        self.viewport = Viewport()
        self.viewport.width, self.viewport.height = 20, 5
        self.viewport.show(buffer)
        self.viewport.arrange()
        self.search: Search | None = None
        self.current = -1

    def set_filter(self, line_filter: LineFilter) -> None:
        self.viewport.line_filter = line_filter
        self.viewport.arrange()

    def set_search(self, search: Search | None, current: int = -1) -> None:
        self.search, self.current = search, current

    def reveal(self, number: int) -> None:
        self.viewport.reveal(number)
        self.viewport.arrange()

    @property
    def texts(self) -> list[str]:
        """What is in sight."""
        return [line.text for line in self.viewport.lines()]
