"""Remembered jobs as text: the cells of one, and the filter line with its times and states. Pure."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from backend_client.history import HistoryEntry, HistoryQuery
from backend_client.models import JobState
from backend_client.text.figures import span, time_left
from backend_client.text.sanitize import clean

TITLES = ("NAME", "STATE", "OWNER", "GPUS", "GPU-H", "AGE", "TOOK", "HOW IT ENDED")
EXAMPLE = "words   user:ada   state:failed   since:7d   until:2026-11-30"
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, now: datetime | None = None, zone: tzinfo | None = None) -> datetime:
    """Parse 12h, 7d, 2w (so long ago) or a day, 2026-11-30 (its midnight). Raises ValueError.

    `zone`: whose midnight; None is this machine's.
    """
    text = text.strip()
    if match := re.fullmatch(r"(\d{1,4})([mhdw])", text):
        return (now or datetime.now(UTC)) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("write 12h, 7d, 2w, or a day like 2026-11-30") from None


def parse_query(text: str, zone: tzinfo | None = None) -> HistoryQuery:
    """Parse a filter line: words, and user:NAME state:Failed since:7d until:2026-11-30.

    Raises ValueError with a sentence. `zone`: whose days; None is this machine's.
    """
    words: list[str] = []
    states: set[JobState] = set()
    times: dict[str, datetime] = {}
    user = ""
    for word in text.split():
        key, colon, value = word.partition(":")
        match key.lower() if colon else "":
            case "user":
                user = value
            case "state":
                states.add(parse_state(value))
            case "since" | "until":
                times[key.lower()] = parse_time(value, zone=zone)
            case _:
                words.append(word)
    return HistoryQuery(text=" ".join(words), user=user, states=frozenset(states), **times)


def parse_state(word: str) -> JobState:
    """Parse a state by its word in any case, or the beginning of it. Raises ValueError."""
    matching = [state for state in JobState if word and state.value.lower().startswith(word.lower())]
    if not matching:
        raise ValueError(f"state: write one of {', '.join(state.value for state in JobState)}")
    return next((state for state in matching if state.value.lower() == word.lower()), matching[0])


def nothing_found(query: HistoryQuery) -> str:
    """Say that a history has no job."""
    return "There was no job like that." if query != HistoryQuery() else "No job yet."


def gpu_hours(entry: HistoryEntry) -> str:
    """Format the GPU-hours of a job; empty if it used none."""
    hours = entry.gpu_seconds / 3600
    return f"{hours:.1f}" if 0.05 <= hours < 100 else f"{hours:.0f}" if hours >= 100 else ""


def run_time(entry: HistoryEntry, now: datetime) -> str:
    """Format how long a job ran, or has been running."""
    if entry.started is None:
        return ""
    end = entry.finished or entry.deleted or (None if entry.state.ended else now)
    return time_left((end - entry.started).total_seconds()) if end else ""


def outcome(entry: HistoryEntry) -> str:
    """Format how a job ended: its reason, its exit code, and "deleted"."""
    code = f"exit {entry.exit_code}" if entry.exit_code else ""
    parts = (
        clean(entry.reason, 200),
        "" if code in entry.reason else code,
        "deleted" if entry.deleted else "",
    )
    return ", ".join(filter(None, parts))


def cells(entry: HistoryEntry, now: datetime) -> list[str]:
    """Return the texts of name, state, owner, GPUs, GPU-hours, age, run time, outcome."""
    age = span((now - entry.created).total_seconds())
    texts = [entry.name, entry.state.value, entry.owner, str(entry.gpus or ""), gpu_hours(entry), age]
    return [*(clean(text, 80) for text in texts), run_time(entry, now), outcome(entry)]
