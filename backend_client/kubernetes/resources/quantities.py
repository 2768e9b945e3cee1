"""Kubernetes quantities (`500m`, `64Gi`, `1e3`) as numbers, and back (apimachinery, pkg/api/resource)."""

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}  # fmt: skip
_QUANTITY = re.compile(
    r"([+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40}))(?:([eE][+-]?\d{1,4})|([numkMGTPE]|[KMGTPE]i)?)"
)
_LARGEST = Decimal(2**63 - 1)


def parse_quantity(quantity: str) -> Decimal:
    """Return a quantity in its base unit, within 2**63 - 1 as in Kubernetes; 0 for text that is none."""
    match = _QUANTITY.fullmatch(quantity.strip())
    if not match:
        return Decimal(0)
    digits, exponent, suffix = match.groups()
    return max(-_LARGEST, min(Decimal(digits + (exponent or "")) * _SUFFIXES[suffix or ""], _LARGEST))


@lru_cache(4096)
def parse_whole(quantity: str) -> int:
    """Return a quantity rounded up to a whole number: bytes, GPUs."""
    return int(parse_quantity(quantity).to_integral_value(ROUND_CEILING))


def format_memory(size: int) -> str:
    """Return bytes as the shortest exact quantity: 77309411328 -> "72Gi"."""
    for power in range(6, 0, -1):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{' KMGTPE'[power]}i"
    return str(size)


def add_memory(*quantities: str) -> str:
    """Return the sum of quantities: "64Gi" and "8Gi" -> "72Gi"."""
    return format_memory(sum(parse_whole(quantity) for quantity in quantities))
