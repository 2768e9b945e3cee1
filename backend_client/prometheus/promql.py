"""Label matchers of PromQL, whatever characters the values have (pure)."""

import re
from collections.abc import Iterable

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


def quote_text(text: str) -> str:
    """Return a text as a PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def quote_re2(text: str) -> str:
    """Return the regular expression (RE2) that a text alone matches: names of pods have dots."""
    return _META.sub(r"\\\g<0>", text)


def equals(label: str, value: str) -> str:
    """Return the matcher of one value."""
    return f"{label}={quote_text(value)}"


def one_of(label: str, values: Iterable[str]) -> str:
    """Return the matcher of some values, the same for the same ones; without any, of all but ""."""
    distinct = sorted(set(values))
    if not distinct:
        return f'{label}!=""'
    if len(distinct) == 1:
        return equals(label, distinct[0])
    return f"{label}=~{quote_text('|'.join(map(quote_re2, distinct)))}"
