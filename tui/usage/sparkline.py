"""A line of figures as one row of blocks; a time of which nobody told is a gap. Pure."""

from collections.abc import Sequence
from itertools import pairwise

from backend_client.usage_series import known, mean

_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None], width: int, top: float) -> str:
    """Draw figures of 0 to `top` in at most `width` cells, the mean of those that share one.

    0 is the lowest block; a blank is a time of which nothing is known.
    """
    return "".join(_block(value, top) for value in squeeze(values, width))


def squeeze(values: Sequence[float | None], width: int) -> list[float | None]:
    """Return at most `width` figures: the mean of each part of them, None where nothing of it is known."""
    size = len(values)
    if width < 1:
        return []
    if size <= width:
        return [value if known([value]) else None for value in values]
    bounds = [size * cell // width for cell in range(width + 1)]
    parts = (known(values[start:end]) for start, end in pairwise(bounds))
    return [mean(part) if part else None for part in parts]


def _block(value: float | None, top: float) -> str:
    if value is None:
        return " "
    share = value / top if top > 0 else 0.0
    return _BLOCKS[max(0, min(len(_BLOCKS) - 1, round(share * (len(_BLOCKS) - 1))))]
