"""The bookmarks of a log, two at most, and the time between them. Pure."""

from backend_client.logs import Line


class Bookmarks:
    """The last two lines that got a bookmark."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    @property
    def numbers(self) -> list[int]:
        """The numbers of the lines, in the order of the bookmarks."""
        return [line.number for line in self._lines]

    def toggle(self, line: Line) -> None:
        """Set a bookmark on a line, or take it away; a third one takes the place of the oldest."""
        if line.number in self.numbers:
            self._lines = [other for other in self._lines if other.number != line.number]
        else:
            self._lines = [*self._lines[-1:], line]

    def clear(self) -> None:
        """Take all bookmarks away."""
        self._lines = []

    def __str__(self) -> str:
        """Say how far apart they are, in time and in lines."""
        if len(self._lines) < 2:
            return "1 mark" if self._lines else ""
        first, second = sorted(self._lines)
        lines = f"{second.number - first.number:,} line{'s' * (second.number - first.number > 1)}"
        if not (first.time and second.time):
            return f"marks {lines} apart, time unknown"
        return f"marks {format_interval(second.time - first.time)} apart, {lines}"


def format_interval(ms: int) -> str:
    """Format a time in ms: 340 ms, 12.3 s, 3m 12s, 2h 04m, 3d 4h; negative where clocks step back."""
    if ms < 0:
        return f"-{format_interval(-ms)}"
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(ms // 1000, 60)
    if minutes < 60:
        return f"{minutes}m {seconds:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours < 48 else f"{hours // 24}d {hours % 24}h"
