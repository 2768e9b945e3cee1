"""The ranks of a log: which one is next, which have been silent for long? Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from backend_client.text.figures import span

_MINUTE = 60_000
_STEPS = [_MINUTE * minutes for minutes in (2, 5, 10, 20, 30, 60, 120, 240, 480, 960, 1440, 2880, 5760)]
"""Silence is said in these steps, ms: a title that counted seconds would send bytes for each."""
_NAMED = 3
"""More silent ranks than this are counted, not named."""


def neighbour(ranks: Iterable[int], rank: int | None, by: int) -> int | None:
    """Return the rank after (1) or before (-1) this one; None, for all ranks, lies between last and first."""
    choices = [None, *sorted(ranks)]
    index = choices.index(rank) if rank in choices else 0
    return choices[(index + by) % len(choices)]


def silence(last_written: Mapping[int, int], now: int) -> str:
    """Say which ranks have been silent for long, and for how long at least.

    `last_written` has the time of each rank's last line; all times are ms since the epoch, 0 for unknown.
    """
    silent = sorted(rank for rank, when in last_written.items() if when and now - when >= _STEPS[0])
    if not silent:
        return ""
    shortest = now - max(last_written[rank] for rank in silent)
    duration = span(_STEPS[bisect_right(_STEPS, shortest) - 1] / 1000)
    if len(silent) == len(last_written) > 1:
        return f"all {len(silent)} ranks silent {duration}"
    if len(silent) > _NAMED:
        return f"{len(silent)} ranks silent {duration}"
    return f"rank{'s' * (len(silent) > 1)} {', '.join(map(str, silent))} silent {duration}"


def next_step(last_written: Mapping[int, int], now: int) -> float | None:
    """Return the seconds until `silence` says something else, if no rank writes; None where it never does."""
    waits = [wait for when in last_written.values() if when and (wait := _until_step(now - when))]
    return min(waits) / 1000 if waits else None


def _until_step(age: int) -> int:
    """Return the ms until a silence of this age reaches the next step; 0 behind the last."""
    index = bisect_right(_STEPS, age)
    return _STEPS[index] - age if index < len(_STEPS) else 0
