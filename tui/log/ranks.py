"""The ranks of one log: which of them is shown, and which have been silent for long. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from tui.ui.format import span

_MINUTE = 60_000
_STEPS = [_MINUTE * minutes for minutes in (2, 5, 10, 20, 30, 60, 120, 240, 480, 960, 1440, 2880, 5760)]
"""Silence is told in these steps, ms: seldom enough to cost nothing."""
_NAMED = 3
"""More ranks than this are counted, not named."""


def neighbour(ranks: Iterable[int], rank: int | None, by: int) -> int | None:
    """The rank after (1) or before (-1) this one; None is all of them, and stands between last and first."""
    choices = [None, *sorted(ranks)]
    at = choices.index(rank) if rank in choices else 0
    return choices[(at + by) % len(choices)]


def silence(heard: Mapping[int, int], now: int) -> str:
    """Who has been silent for long, and for how long at least. `heard`: rank -> when, ms as `now`."""
    silent = sorted(rank for rank, when in heard.items() if when and now - when >= _STEPS[0])
    if not silent:
        return ""
    shortest = now - max(heard[rank] for rank in silent)
    told = span(_STEPS[bisect_right(_STEPS, shortest) - 1] / 1000)
    if len(silent) == len(heard) > 1:
        return f"all {len(silent)} ranks silent {told}"
    if len(silent) > _NAMED:
        return f"{len(silent)} ranks silent {told}"
    return f"rank{'s' * (len(silent) > 1)} {', '.join(map(str, silent))} silent {told}"


def next_step(heard: Mapping[int, int], now: int) -> float | None:
    """Seconds until there may be more to tell, if nobody writes; None where there will not."""
    due = [step for when in heard.values() if when for step in [_next(now - when)] if step]
    return min(due) / 1000 if due else None


def _next(age: int) -> int:
    at = bisect_right(_STEPS, age)
    return _STEPS[at] - age if at < len(_STEPS) else 0
