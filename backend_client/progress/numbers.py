"""Numbers and durations as training libraries write them. Standard library alone."""

import math

FLOAT = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
"""Pattern of a number, with or without an exponent: 0.4127, 3e-5, 6.9121e+00."""
NOT_FINITE = r"[-+]?(?:nan|inf(?:inity)?|1\.#(?:QNAN|SNAN|IND|INF)\w*)"
"""Pattern of what C, Python, Java, JavaScript and Windows write for a figure that is none, in any case."""
SCALE = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
"""What tqdm's unit_scale writes behind a number (`tqdm.format_sizeof`)."""


def number(text: str) -> float:
    """Return a number, 0 for anything else ("?", "1.2.3")."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def any_number(text: str) -> float:
    """Return a number, nan and inf as well: "0.41", "-Infinity", "1.#QNAN"."""
    if "#" in text:
        return math.copysign(math.inf, -1 if text[0] == "-" else 1) if "INF" in text.upper() else math.nan
    return float(text)


def scaled(text: str, scale: str) -> int:
    """Return a number of a unit_scale, rounded: ("3.12", "k") -> 3120."""
    return round(number(text) * SCALE[scale]) if scale or not text.isdecimal() else int(text)


def whole_number(text: str) -> int:
    """Return a whole number that may have commas between its thousands."""
    return int(text.replace(",", ""))


def seconds(text: str) -> float | None:
    """Return the seconds of "02:03", "1:02:03" or "2 days, 1:02:03"; None for anything else."""
    days, _, clock = text.rpartition(", ")
    parts = clock.split(":")
    if not all(part.isdigit() for part in parts) or len(parts) > 3:
        return None
    total = 0
    for part in parts:
        total = total * 60 + int(part)
    return float(total + 86400 * int(days.split()[0] if days else 0))


def json_number(figure: float) -> float | str:
    """Return a number as JSON can hold it: "nan", "inf" and "-inf" as words."""
    return figure if math.isfinite(figure) else str(figure)
