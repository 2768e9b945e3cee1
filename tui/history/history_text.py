"""What was, as text: the cells of one remembered job, and a moment as people write it. Pure."""

import re
from datetime import UTC, datetime, timedelta

from backend_client.history import HistoryEntry, HistoryQuery
from backend_client.models import JobState
from tui.ui.format import span, time_left
from tui.ui.sanitize import clean

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, now: datetime | None = None) -> datetime:
    """12h, 7d, 2w: so long ago; or a day, 2026-11-30, at its begin here. Raises ValueError in words."""
    text = text.strip()
    if match := re.fullmatch(r"(\d{1,4})([mhdw])", text):
        return (now or datetime.now(UTC)) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("write 12h, 7d, 2w, or a day like 2026-11-30") from None


def query_of(text: str) -> HistoryQuery:
    """What a filter line asks: words, and user:NAME state:Failed since:7d until:2026-11-30.

    Raises ValueError in words.
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
                states.add(state_named(value))
            case "since" | "until":
                times[key.lower()] = parse_time(value)
            case _:
                words.append(word)
    return HistoryQuery(text=" ".join(words), user=user, states=frozenset(states), **times)


def state_named(word: str) -> JobState:
    """A state by its word in any case, or the begin of it. Raises ValueError."""
    found = [state for state in JobState if word and state.value.lower().startswith(word.lower())]
    if not found:
        raise ValueError(f"state: write one of {', '.join(state.value for state in JobState)}")
    return next((state for state in found if state.value.lower() == word.lower()), found[0])


def gpu_hours(past: HistoryEntry) -> str:
    """GPU-hours; empty where it used none."""
    hours = past.gpu_seconds / 3600
    return f"{hours:.1f}" if 0.05 <= hours < 100 else f"{hours:.0f}" if hours >= 100 else ""


def run_time(past: HistoryEntry, now: datetime) -> str:
    """How long it ran, or has been running."""
    if past.started is None:
        return ""
    end = past.finished or past.deleted or (None if past.state.ended else now)
    return time_left((end - past.started).total_seconds()) if end else ""


def how_it_ended(past: HistoryEntry) -> str:
    """The reason, the exit code, and that it is deleted."""
    code = f"exit {past.exit_code}" if past.exit_code else ""
    parts = (clean(past.reason, 200), "" if code in past.reason else code, "deleted" if past.deleted else "")
    return ", ".join(filter(None, parts))


def cells(past: HistoryEntry, now: datetime) -> list[str]:
    """name, state, owner, GPUs, GPU-hours, age, time it took, how it ended."""
    age = span((now - past.created).total_seconds())
    words = [past.name, past.state.value, past.owner, str(past.gpus or ""), gpu_hours(past), age]
    return [*(clean(word, 80) for word in words), run_time(past, now), how_it_ended(past)]
