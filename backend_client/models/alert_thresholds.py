"""When each alert fires, as people write it: "on", "off" or a threshold. What they mean: `alerts.rules`."""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from backend_client.models.names import closest_match
from backend_client.models.quantities import parse_duration

ON, OFF = "on", "off"
_ON_WORDS, _OFF_WORDS = (ON, "yes", "true"), (OFF, "no", "false", "never")
_MOST_DIGITS = 6


class Unit(StrEnum):
    """What the threshold of a rule is."""

    NONE = ""
    """It has none: on or off."""
    TIME = "time"
    COUNT = "number"
    SHARE = "share"
    """Of a whole: 95%."""
    TIME_OR_SHARE = "time or share"


class Threshold(Struct, frozen=True, kw_only=True):
    """What may be written for one rule."""

    rule: str
    about: str
    """When it fires, in a few words."""
    default: str
    """ "on", "off" or a threshold, as a person would write it."""
    unit: Unit = Unit.NONE
    least: float = 0.0
    """Below it a rule would fire at what is usual."""

    @property
    def example(self) -> str:
        """A value other than off, for a message."""
        return {Unit.NONE: ON, Unit.COUNT: "3", Unit.SHARE: "95%"}.get(self.unit, "30m")


THRESHOLDS: Mapping[str, Threshold] = {
    each.rule: each
    for each in (
        Threshold(rule="failed", about="It failed for good; a stop by a person does not count.", default=ON),
        Threshold(rule="finished", about="It ended well.", default=OFF),
        Threshold(
            rule="pending",
            about="It waits for so long, or can never start.",
            default="4h",
            unit=Unit.TIME,
            least=60,
        ),
        Threshold(
            rule="gpu-idle",
            about="None of its GPUs was used for so long.",
            default="30m",
            unit=Unit.TIME,
            least=120,
        ),
        Threshold(
            rule="rank-idle",
            about="One of its GPUs was not used for so long, while the others were.",
            default="30m",
            unit=Unit.TIME,
            least=120,
        ),
        Threshold(
            rule="silent",
            about="Its log tells no progress for so long.",
            default="30m",
            unit=Unit.TIME,
            least=60,
        ),
        Threshold(rule="loss", about="Its loss is nan, infinite, or many times what it was.", default=ON),
        Threshold(
            rule="restarts", about="It was started again more often than this.", default="3", unit=Unit.COUNT
        ),
        Threshold(
            rule="max-runtime",
            about="So much of its max_runtime is left, and it needs longer.",
            default="10%",
            unit=Unit.TIME_OR_SHARE,
        ),
        Threshold(rule="xid", about="One of its GPUs had an error (NVIDIA XID).", default=ON),
        Threshold(
            rule="node",
            about="Its node does not answer, or it was taken off its node or out of its queue.",
            default=ON,
        ),
        Threshold(
            rule="memory",
            about="It uses more than this share of the memory that it asked for.",
            default="95%",
            unit=Unit.SHARE,
            least=0.5,
        ),
    )
}
"""In the order in which they are shown."""


def threshold_of(name: str) -> Threshold:
    """Return what may be written for a rule. Raises ValueError, a sentence."""
    if found := THRESHOLDS.get(name):
        return found
    hint = closest_match(name[:40], tuple(THRESHOLDS))
    known = f"did you mean {hint}?" if hint else f"there are {', '.join(THRESHOLDS)}"
    raise ValueError(f"there is no alert {name[:40]}; {known}")


@lru_cache(maxsize=1024)
def parse_threshold(name: str, text: str) -> float | None:
    """Return what a person wrote for a rule: seconds, a count, a share, 0 for on; None for off.

    Raises ValueError: a sentence that names the rule and what to write. Cached, as every job asks.
    """
    rule = threshold_of(name)
    word = text.strip().lower()
    if word in _OFF_WORDS:
        return None
    if word in _ON_WORDS:
        return _read(rule, rule.default) if rule.unit else 0.0
    if not rule.unit:
        raise ValueError(f"{name} has no threshold; write {name}=on or {name}=off")
    try:
        value = _read(rule, word)
    except ValueError:
        raise ValueError(
            f"{name}: {text[:40]} is no {rule.unit}; write {name}={rule.example}, or {name}=off"
        ) from None
    if value < rule.least:
        least = f"{rule.least:.0%}" if rule.unit is Unit.SHARE else f"{rule.least / 60:.0f}m"
        raise ValueError(f"{name}: {least} is the least; with less it would fire at what is usual")
    return value


def _read(rule: Threshold, word: str) -> float:
    """Return a threshold. Raises ValueError, without words of its own."""
    if rule.unit is Unit.COUNT:
        if not (word.isascii() and word.isdecimal() and len(word) <= _MOST_DIGITS):
            raise ValueError
        return float(word)
    if rule.unit is Unit.SHARE or (rule.unit is Unit.TIME_OR_SHARE and word.endswith("%")):
        share = float(word.removesuffix("%")) / (100 if word.endswith("%") else 1)
        if not 0 < share < 1:
            raise ValueError
        return share
    seconds = parse_duration(word)
    if seconds < 1:
        raise ValueError
    return float(seconds)
