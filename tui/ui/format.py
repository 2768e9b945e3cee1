"""Text for figures: time spans, points in time, counts, losses, progress, texts of a fixed width. Pure."""

import time
from datetime import datetime
from math import isfinite

from rich.cells import cell_len, set_cell_size

from backend_client.models import Progress


def span(seconds: float) -> str:
    """Format a time span so coarsely that it seldom changes: <1m, 12m, 3h, 2d."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "<1m"
    if minutes < 60:
        return f"{minutes}m"
    if minutes < 48 * 60:
        return f"{minutes // 60}h"
    return f"{minutes // 1440}d"


def time_left(seconds: float) -> str:
    """Format a time span in at most five characters: 45s, 12m, 1h04, 3d; empty where it is not finite."""
    if not isfinite(seconds):
        return ""
    if seconds < 60:
        return f"{max(0, int(seconds))}s"
    hours, minutes = divmod(int(seconds) // 60, 60)
    if hours >= 48:
        return f"{hours // 24}d"
    return f"{hours}h{minutes:02}" if hours else f"{minutes}m"


def duration(seconds: float) -> str:
    """Format a time span that is over, in two units: 45s, 12m 05s, 3h 04m, 2d 03h."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours < 48 else f"{hours // 24}d {hours % 24:02}h"


def local_time(when: datetime) -> str:
    """Format a point in time in the local time zone, with its year: 2026-01-05 09:30:00."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when.timestamp()))


def short_local_time(when: datetime | None) -> str:
    """Format a point in time in the local time zone, without its year: 05 Jan 09:30:00; empty for None."""
    return when.astimezone().strftime("%d %b %H:%M:%S") if when else ""


def short(number: int) -> str:
    """Format a count in at most four characters: 999, 3.1k, 10k, 1.2M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            figure = number / size
            return f"{figure:.1f}{unit}" if figure < 9.95 and number % size else f"{figure:.0f}{unit}"
    return str(number)


def loss_text(loss: float | None) -> str:
    """Format a loss in four digits and at most six cells; empty for None."""
    if loss is None:
        return ""
    if not isfinite(loss) or loss == 0:
        return f"{loss:g}"
    if not 1e-3 <= abs(loss) < 1e4:
        return f"{loss:.0e}"
    whole = len(str(int(abs(loss))))
    return f"{loss:.{max(0, 4 - whole)}f}"


def progress_text(progress: Progress) -> str:
    """Format steps, percentage and time left: "3.1k/10k  31%  1h04"."""
    if progress.step is None:
        return ""
    parts = [short(progress.step)]
    if progress.total:
        parts = [f"{parts[0]}/{short(progress.total)}", f"{int(100 * (progress.fraction or 0))}%"]
    if progress.seconds_left is not None:
        parts.append(time_left(progress.seconds_left))
    return "  ".join(parts)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Pad or cut a text to exactly `width` cells; what does not fit ends in an ellipsis."""
    if text.isascii():
        if len(text) > width:
            return text[: width - 1] + "\u2026"
        return text.rjust(width) if right else text.ljust(width)
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "\u2026"
    return " " * (width - cells) + text if right else text + " " * (width - cells)
