"""The axes of plots, whoever draws them: where ticks are, and what stands there. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from backend_client.text.figures import duration, loss_text, short

_TICKS = 5


class Axis(NamedTuple):
    """Where the ticks of an axis are, and what stands there; `low` and `high` where it begins and ends."""

    at: Sequence[float]
    labels: Sequence[str]
    low: float | None = None
    high: float | None = None


def ticks(low: float, high: float, count: int = _TICKS) -> list[float]:
    """Return `count` ticks from the lowest to the highest value; one where these are the same."""
    if low == high:
        return [low]
    return [low + (high - low) * part / (count - 1) for part in range(count)]


def tick_count(height: int) -> int:
    """Return how many ticks an upright axis of so many lines has room for."""
    return min(_TICKS, max(2, height // 3))


def loss_labels(ticks: Sequence[float]) -> list[str]:
    """Return what stands at the ticks of the loss: with so many digits that no two are alike."""
    labels = [loss_text(tick) for tick in ticks]
    for digits in range(5, 18):
        if len(set(labels)) == len(ticks):
            break
        labels = [f"{tick:.{digits}g}" for tick in ticks]
    return labels


def step_labels(steps: Sequence[int]) -> list[str]:
    """Return what stands at the ticks of the steps: short, unless two were alike then."""
    labels = [short(step) for step in steps]
    return labels if len(set(labels)) == len(steps) else [str(step) for step in steps]


def elapsed_labels(seconds: Sequence[float]) -> list[str]:
    """Return what stands at ticks of a time since a start: 45s, 1m 30s, 3h 04m; no two alike."""
    labels = [duration(moment) for moment in seconds]
    return labels if len(set(labels)) == len(seconds) else [f"{moment:.3g}s" for moment in seconds]


def power_of_ten(exponent: float) -> float:
    """Return the figure at a tick of a logarithmic axis; one above all floats is the largest round one."""
    return float(10 ** min(exponent, 308.25))
