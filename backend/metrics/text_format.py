"""Prometheus's text format (version 0.0.4): families of samples -> the body of a scrape (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(Struct, frozen=True):
    """One figure of a family."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""
    """Of a histogram: "_bucket", "_sum", "_count"."""


class Family(Struct, frozen=True):
    """All figures of one name. Without any, its name and help are told all the same."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Sequence[Sample] = ()


def render(families: Iterable[Family]) -> bytes:
    """Return the text of a scrape. Half a surrogate, which UTF-8 has not, becomes a question mark."""
    return "".join(line for family in families for line in _lines(family)).encode("utf-8", "replace")


def _lines(family: Family) -> Iterable[str]:
    yield f"# HELP {family.name} {_escape(family.help)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        labels = ",".join(f'{name}="{_quoted(value)}"' for name, value in sample.labels.items())
        yield f"{family.name}{sample.suffix}{f'{{{labels}}}' if labels else ''} {number(sample.value)}\n"


def number(value: float) -> str:
    """Write a figure as Go's ParseFloat reads it: whole ones without a point."""
    if value != value:  # noqa: PLR0124  NaN alone is not itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escape(text).replace('"', r"\"")
