"""What a rule finds, and how it says times."""

from datetime import datetime
from typing import NamedTuple


class Verdict(NamedTuple):
    """What a rule finds about a job now."""

    holds: bool | None
    """True: it is so. False: it is not, or no more. None: unknown, or not for long enough."""
    sentence: str = ""
    """What is so; where it is not: what ended it, as far as that can be said."""
    again: datetime | None = None
    """When it may be otherwise although nothing new is told; None: never."""


NOT = Verdict(False)
UNKNOWN = Verdict(None)


def span_text(seconds: float) -> str:
    """Return a time as a sentence says it: "45 s", "30 min", "4 h", "2 h 30 min", "3 days"."""
    seconds = int(seconds)
    if seconds < 90:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"
