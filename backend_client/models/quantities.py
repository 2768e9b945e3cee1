"""Amounts as people write them: CPUs, memory and times, to Kubernetes' spelling and to seconds.

Every function raises ValueError with a fragment, at once whatever it gets: what no machine has is refused
here, as it would cost an API server seconds of work (docs/FACTS.md, "Kubernetes API").
"""

import re
from decimal import Decimal

LONGEST = 64
"""Characters of an amount that are read."""
MOST_CPUS = 10_000
MOST_BYTES = 2**50
"""1 PiB: more than any machine has."""
LONGEST_TIME = 3650 * 86400
"""Seconds: ten years."""

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e([0-9]{1,2})|(m|k|[MGTPE]|[KMGTPE]i)?)", re.ASCII)
_PEOPLES = re.compile(r"([0-9.]+) *([kmgtpe])(i?)(b(?:ytes?)?)?", re.ASCII | re.IGNORECASE)
_POWERS = {letter: power for power, letter in enumerate("kmgtpe", 1)}
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_SMALLER = {"w": "d", "d": "h", "h": "m", "m": "s"}
_PART = re.compile(
    r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|)(?![a-z])",
    re.ASCII,
)
_CLOCK = re.compile(r"(?:([0-9]+)-)?([0-9]+):([0-5][0-9]):([0-5][0-9])", re.ASCII)


def parse_cpu(text: str) -> str:
    """Parse an amount of CPUs: 500m, 0.5, 8."""
    text = text.removesuffix(" cores").removesuffix(" cpus").removesuffix(" CPUs")
    number = _amount(text, "500m or 8")
    if number < Decimal("0.001"):
        raise ValueError("a thousandth of a CPU (1m) is the least")
    if number > MOST_CPUS:
        raise ValueError(f"no machine has that many CPUs: at most {MOST_CPUS}, and 1000m is one")
    return text


def parse_memory(text: str) -> str:
    """Parse an amount of memory, in Kubernetes' spelling or the usual ones: 64Gi, 64G, 64 GB, 1 TiB, 1K."""
    text = _kubernetes_spelling(text)
    number = _amount(text, "64Gi")
    if text.endswith("m"):
        raise ValueError(f"{text} is a thousandth of a byte each; write {text[:-1]}Mi")
    if number > MOST_BYTES:
        raise ValueError("no machine has that much memory: at most 1Pi")
    return text


def amount_of(text: str) -> float:
    """Return the number behind an amount, in CPUs or bytes."""
    return float(_amount(text, "8 or 64Gi"))


def memory_bytes(text: str) -> int:
    """Return the bytes of an amount of memory."""
    return int(_amount(_kubernetes_spelling(text), "64Gi"))


def _amount(text: str, example: str) -> Decimal:
    """Return the number behind a quantity of Kubernetes, in its base unit. Never negative, never 0."""
    if len(text) > LONGEST:
        raise ValueError(f"no amount has {len(text)} characters; write it like {example}")
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(f"{text} is not a Kubernetes quantity; write it like {example}")
    digits, exponent, suffix = match.groups()
    number = Decimal(digits).scaleb(int(exponent or 0))
    if suffix == "m":
        number /= 1000
    elif suffix:
        number *= (1024 if suffix.endswith("i") else 1000) ** _POWERS[suffix[0].lower()]
    if not number:
        raise ValueError("must be more than 0")
    return number


def _kubernetes_spelling(text: str) -> str:
    """Return 64 GiB as 64Gi, 64gb as 64G, 1K as 1k; what is Kubernetes' own, or none of these, as it is."""
    if len(text) > LONGEST or _QUANTITY.fullmatch(text):
        return text
    match = _PEOPLES.fullmatch(text)
    if not match:
        return re.sub(r"(?i)^([0-9.]+) *b(ytes?)?$", r"\1", text)
    number, letter, binary, _ = match.groups()
    if binary:
        return f"{number}{letter.upper()}i"
    return f"{number}{'k' if letter in 'kK' else letter.upper()}"


def memory_meaning(text: str) -> str:
    """Return what an amount of memory means where that is less than it looks: 64G -> "64G is 59.6Gi"."""
    match = _QUANTITY.fullmatch(text)
    if not match or not match[3] or match[3].endswith("i") or match[3] == "m":
        return ""
    size = _amount(text, "")
    unit = match[3].upper()
    binary = size / 1024 ** _POWERS[unit.lower()]
    return f"{text} counts in thousands, and is {binary:.1f}{unit}i; write {match[1]}{unit}i if that is meant"


def parse_duration(text: str) -> int:
    """Parse a time to seconds: 90 (seconds), 2h30m, 2h30, 1.5h, 1d12h, "2 hours", 36:00:00, 1-12:00:00."""
    if len(text) > LONGEST:
        raise ValueError(f"no time has {len(text)} characters; write it like 2h30m")
    text = "".join(text.lower().split())
    clock = _CLOCK.fullmatch(text)
    seconds = _clock_seconds(clock) if clock else _sum_of_parts(text)
    if seconds > LONGEST_TIME:
        raise ValueError("at most ten years: 3650d; leave it empty for no limit")
    if seconds != int(seconds):
        raise ValueError("write whole seconds, or a time like 2h30m, 45m, 1.5h")
    return int(seconds)


def _clock_seconds(clock: re.Match[str]) -> int:
    days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _sum_of_parts(text: str) -> Decimal:
    """Return the seconds of `2h30m`, or of `2h30`, whose last number is in the next smaller unit."""
    seconds, end, last = Decimal(0), 0, ""
    while end < len(text):
        part = _PART.match(text, end)
        unit = (part[2][:1] or _unit_behind(last, part.end() == len(text))) if part else ""
        too_many = last and unit and part and Decimal(part[1]) * _UNITS[unit] >= _UNITS[last]
        if not part or not unit or (not part[2] and too_many) or (last and _UNITS[unit] >= _UNITS[last]):
            raise ValueError("write seconds, or a time like 2h30m, 45m, 1.5h, 1d")
        seconds += Decimal(part[1]) * _UNITS[unit]
        end, last = part.end(), unit
    return seconds


def _unit_behind(last: str, is_end: bool) -> str:
    """Return the unit of a number without one: the next smaller, alone seconds; "" where none fits."""
    if not is_end:
        return ""
    return _SMALLER.get(last, "") if last else "s"
