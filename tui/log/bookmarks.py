"""Two marked lines of a log, and what lies between them. Pure."""

from backend_client.logs import Line


class Bookmarks:
    """The last two lines that were marked."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    @property
    def numbers(self) -> list[int]:
        return [line.number for line in self._lines]

    def toggle(self, line: Line) -> None:
        """Mark a line, or take its mark away; a third mark takes the place of the oldest."""
        if line.number in self.numbers:
            self._lines = [other for other in self._lines if other.number != line.number]
        else:
            self._lines = [*self._lines[-1:], line]

    def __str__(self) -> str:
        if len(self._lines) < 2:
            return "1 mark" if self._lines else ""
        one, other = sorted(self._lines)
        lines = f"{other.number - one.number:,} line{'s' * (other.number - one.number > 1)}"
        if not (one.time and other.time):
            return f"marks {lines} apart, time unknown"
        return f"marks {apart(other.time - one.time)} apart, {lines}"


def apart(ms: int) -> str:
    """A time between two lines: 340 ms, 12.3 s, 3m 12s, 2h 04m, 3d 4h; below zero where clocks step back."""
    if ms < 0:
        return f"-{apart(-ms)}"
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, seconds = divmod(ms // 1000, 60)
    if minutes < 60:
        return f"{minutes}m {seconds:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours < 48 else f"{hours // 24}d {hours % 24}h"
