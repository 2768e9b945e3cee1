"""Text for figures: times, counts, losses, progress, shares, bytes, watts. Pure.

A figure that nobody told is None, and empty as text: it is never shown as 0.
"""

import time
from datetime import UTC, datetime
from math import isfinite

from backend_client.models import Loss, Progress, StartRange


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


def utc_time(when: datetime) -> str:
    """Format a point in time in UTC, for readers in any zone: 2026-01-05 09:30:00 UTC."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def short_local_time(when: datetime | None) -> str:
    """Format a point in time in the local time zone, without its year: 05 Jan 09:30:00; empty for None."""
    return when.astimezone().strftime("%d %b %H:%M:%S") if when else ""


_PARTS = ("night", "morning", "afternoon", "evening")
"""Of a day, six hours each."""


def starts_text(starts: StartRange | None, now: datetime | None = None) -> str:
    """Say when a waiting job is likely to start, in the local time zone, and how often that came true.

    "likely between 14:00 and 17:00 (8 of the last 10 like this were right)"; empty where nothing is known.
    """
    local = (now or datetime.now(UTC)).astimezone()
    if starts is None or (starts.latest < local and not starts.far):
        return ""
    right = f" ({starts.right} of the last {starts.of} like this were right)" if starts.of else ""
    return f"likely {_range_words(starts, local)}{right}"


def _range_words(starts: StartRange, now: datetime) -> str:
    earliest, latest = starts.earliest.astimezone(), starts.latest.astimezone()
    if starts.far:
        return "in more than a week"
    if earliest <= now:
        return f"by {_moment(latest, now)}"
    same_part = earliest.date() == latest.date() != now.date() and (
        earliest.hour // 6 == (latest.hour - (latest.minute == 0)) // 6
    )
    if same_part:
        return f"{_day(earliest, now)} {_PARTS[earliest.hour // 6]}"
    if earliest.date() == latest.date():
        return f"between {_moment(earliest, now)} and {latest:%H:%M}"
    return f"between {_moment(earliest, now)} and {_moment(latest, now)}"


def _moment(when: datetime, now: datetime) -> str:
    return f"{_day(when, now)} {when:%H:%M}".lstrip()


def _day(when: datetime, now: datetime) -> str:
    """Name a day that is at most a little more than a week away; empty for today."""
    days = (when.date() - now.date()).days
    if days == 1:
        return "tomorrow"
    return "" if days == 0 else f"{when:%a}" if days < 7 else f"{when:%a %d %b}"


def short(number: int) -> str:
    """Format a count in at most four characters: 999, 3.1k, 10k, 1.2M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            figure = number / size
            return f"{figure:.1f}{unit}" if figure < 9.95 and number % size else f"{figure:.0f}{unit}"
    return str(number)


def loss_text(loss: Loss | None) -> str:
    """Format a loss in four digits and at most six cells: 2.303, 3e-05, nan; empty for None."""
    if loss is None or isinstance(loss, str):
        return loss or ""
    if loss == 0:
        return "0"
    if not 1e-3 <= abs(loss) < 1e4:
        return f"{loss:.0e}"
    whole = len(str(int(abs(loss))))
    return f"{loss:.{max(0, 4 - whole)}f}"


def share_text(share: float | None) -> str:
    """Format a share of 0 to 1 in at most four characters: 0%, 87%, 100%; empty for None.

    Only what is nothing is 0%, and only what is all of it 100%: between them stands at least 1%, at most 99%.
    """
    if share is None or not isfinite(share):
        return ""
    percent = round(100 * share)
    return f"{min(99, max(1, percent)) if 0 < share < 1 else percent}%"


def bytes_text(size: float | None) -> str:
    """Format a size in at most six characters, in the units of a job's own memory: 900Mi, 1.5Gi, 80Gi, 1.2Ti.

    Empty for None; below 1 KiB in bytes: 512B.
    """
    if size is None or not isfinite(size):
        return ""
    figure = float(size)
    for unit in ("B", "Ki", "Mi", "Gi", "Ti"):
        if figure < 999.5 or unit == "Ti":
            break
        figure /= 1024
    return (
        f"{figure:.1f}{unit}"
        if unit != "B" and figure % 1 >= 0.05 and figure < 9.95
        else f"{figure:.0f}{unit}"
    )


def of_bytes(used: int | None, total: int | None) -> str:
    """Format how much of a memory is used: 11Gi/80Gi; the used part alone where the whole is not known."""
    words = bytes_text(used)
    return f"{words}/{bytes_text(total)}" if words and total else words


def watts_text(watts: float | None) -> str:
    """Format a power in at most five characters: 70W, 310W, 1.2kW, 22kW; empty for None."""
    if watts is None or not isfinite(watts):
        return ""
    if watts < 999.5:
        return f"{watts:.0f}W"
    return f"{watts / 1000:.1f}kW" if watts < 9950 else f"{watts / 1000:.0f}kW"


def cores_text(cores: float | None) -> str:
    """Format CPU cores in at most four characters: 0, 0.03, 0.9, 7.5, 64; empty for None."""
    if cores is None or not isfinite(cores):
        return ""
    if cores < 0.095:
        return f"{max(0.01, cores):.2f}" if cores > 0 else "0"
    return f"{cores:.1f}" if cores < 9.95 else f"{cores:.0f}"


def celsius_text(degrees: float | None) -> str:
    """Format a temperature in whole degrees: 65°C; empty for None."""
    return f"{degrees:.0f}°C" if degrees is not None and isfinite(degrees) else ""


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
