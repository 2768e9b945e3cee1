"""Machines and their GPUs as the lines of a screen: each one's bar, and the sums of each product. Pure."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from backend_client.gpu_nodes import GpuNode
from backend_client.text.gpus import (
    BAR,
    TITLES,
    ProductSum,
    Share,
    bar,
    holder_words,
    product_sums,
    product_text,
    shares,
    state_words,
)
from backend_client.text.sanitize import clean
from tui.ui.format import fit

WIDE = 110
"""From so many cells on, names have more room."""
_PRODUCT_AT_MOST = 30


class Row(Struct, frozen=True):
    """One line of the list: what stands before the bar, its runs, what stands behind."""

    before: str
    bar: tuple[tuple[Share, int], ...] = ()
    """What, and how many cells."""
    after: str = ""


def _widths(room: int) -> tuple[int, int]:
    return (30, 26) if room >= WIDE else (16, 16)


def heading(room: int) -> str:
    """Return the titles above the list."""
    name, product = _widths(room)
    node, kind, free, gpus, *rest = TITLES
    return f"  {node:<{name}} {kind:<{product}} {free:>7} {gpus:<{BAR}} {', '.join(rest)}"


def row(node: GpuNode, room: int, now: datetime, *, cursor: bool) -> Row:
    """Return the line of a machine, in `room` cells."""
    name, product = _widths(room)
    place = clean(f"{node.cluster}/{node.name}" if node.cluster else node.name, 80)
    parts = (
        fit(place, name),
        fit(product_text(node), product),
        fit(f"{node.free}/{node.total}", 7, right=True),
    )
    before = f"{'>' if cursor else ' '} {' '.join(parts)} "
    runs = bar(shares(node))
    rest = "; ".join(filter(None, (state_words(node), holder_words(node, now))))
    space = " " * (BAR + 1 - sum(count for _, count in runs))
    return Row(before, runs, space + fit(rest, max(1, room - len(before) - BAR - 1)).rstrip())


def sums(nodes: Sequence[GpuNode], limit: int, room: int = 200) -> list[str]:
    """Return a line for each product, at most `limit`: free, in all, the largest block, whose the rest is."""
    found = product_sums(nodes)
    wide = min(_PRODUCT_AT_MOST, max((len(one.product) for one in found), default=0))
    lines = [fit(_sum(one, wide, room), room).rstrip() for one in found]
    if len(lines) > limit:
        lines = [*lines[: limit - 1], f"and {len(lines) - limit + 1} more products"]
    return lines


def _sum(one: ProductSum, wide: int, room: int) -> str:
    block = f"{one.block} on {one.where}" if one.block and room >= WIDE else one.block
    return "  ".join(
        filter(None, (f"{fit(one.product, wide)} {one.free:>5} of {one.total} free", block, one.rest))
    )
