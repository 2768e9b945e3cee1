"""The rules of alerts as people read and write them: title, when it fires, "on", "off" or a threshold.

How each is judged: `alerts.rules`.
"""

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


_SAID = {
    Unit.TIME: "this long",
    Unit.COUNT: "this many",
    Unit.SHARE: "this much",
    Unit.TIME_OR_SHARE: "this much",
}


class Threshold(Struct, frozen=True, kw_only=True):
    """What a person reads of one rule, and may write for it."""

    rule: str
    title: str
    """A few words, as a list and the subject of a message have them."""
    fires: str
    """When it fires, as a sentence; `{T}` is the threshold."""
    guards: str = ""
    """When it does not, as sentences."""
    default: str
    """ "on", "off" or a threshold, as a person would write it."""
    unit: Unit = Unit.NONE
    least: float = 0.0
    """Below it a rule would fire at what is usual."""

    @property
    def example(self) -> str:
        """A value other than off, for a message."""
        return {Unit.NONE: ON, Unit.COUNT: "3", Unit.SHARE: "95%"}.get(self.unit, "30m")

    def when(self, threshold: str = "") -> str:
        """Say when it fires; a threshold without a text is "this long", "this many", "this much"."""
        return self.fires.replace("{T}", threshold or _SAID.get(self.unit, ""))

    def about(self, threshold: str = "") -> str:
        """Say when it fires, and when it does not."""
        guards = self.guards.replace("{T}", threshold or _SAID.get(self.unit, ""))
        return f"{self.when(threshold)} {guards}".rstrip()


THRESHOLDS: Mapping[str, Threshold] = {
    each.rule: each
    for each in (
        Threshold(
            rule="failed",
            title="failed",
            fires="It has failed for good, its retries are used up.",
            guards="Not where a person stopped it.",
            default=ON,
        ),
        Threshold(rule="finished", title="finished", fires="It has ended well.", default=OFF),
        Threshold(
            rule="pending",
            title="waits too long",
            fires="It has waited for {T}, or can never start.",
            guards="Not while it is held, or its start is foreseen.",
            default="4h",
            unit=Unit.TIME,
            least=60,
        ),
        Threshold(
            rule="gpu-idle",
            title="GPUs idle",
            fires="None of its GPUs was used for {T}.",
            guards="Not in the first 2 x {T} of an attempt; after twice the time where its log tells of"
            " progress, an evaluation, saving or loading. Shells and deployments: only where the job itself"
            " asks for it.",
            default="30m",
            unit=Unit.TIME,
            least=120,
        ),
        Threshold(
            rule="rank-idle",
            title="one GPU idle",
            fires="One of its GPUs was not used for {T} while the others were.",
            guards="Guards as for gpu-idle.",
            default="30m",
            unit=Unit.TIME,
            least=120,
        ),
        Threshold(
            rule="silent",
            title="no progress",
            fires="Its log has told no progress for {T}, and for three times its longest pause so far.",
            guards="Only where it told some before, and while its log is read.",
            default="30m",
            unit=Unit.TIME,
            least=60,
        ),
        Threshold(
            rule="loss",
            title="loss is broken",
            fires="The loss is nan or infinite two times in a row, or ten times its median three times in a"
            " row.",
            guards="Not in the first 10 steps; once for each attempt.",
            default=ON,
        ),
        Threshold(
            rule="restarts",
            title="restarts",
            fires="It was started again more than {T} times, and has not run for an hour since.",
            guards="What its node or its queue ended does not count.",
            default="3",
            unit=Unit.COUNT,
        ),
        Threshold(
            rule="max-runtime",
            title="time runs out",
            fires="Of its max_runtime {T} is left (10 min at least), and its progress says that it needs"
            " longer.",
            guards="Once for each attempt.",
            default="10%",
            unit=Unit.TIME_OR_SHARE,
        ),
        Threshold(
            rule="xid",
            title="GPU error",
            fires="A GPU of it has had an error (NVIDIA XID) since this attempt began.",
            default=ON,
        ),
        Threshold(
            rule="node",
            title="node",
            fires="Its node does not answer or is not ready, or it was taken off it (drained, preempted).",
            default=ON,
        ),
        Threshold(
            rule="memory",
            title="memory nearly full",
            fires="It has used more than {T} of the memory that it asked for, for 5 min.",
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
