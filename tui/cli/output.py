"""The one writer of the command line: data to stdout, messages to stderr, nothing unsafe to a terminal.

All output of the verbs goes through here, except usage errors (`arguments.Parser`), questions (`prompt`)
and logs (`log_text`): these clean themselves what a terminal gets from them.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

import msgspec

from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobState
from tui.ui.sanitize import UNSAFE, clean, clean_block

_ANSI = "black red green yellow blue magenta cyan white".split()


def print_message(message: object) -> None:
    """Print one line for a person, to stderr."""
    print(clean(message, 4000), file=sys.stderr, flush=True)  # noqa: T201  the one writer


def print_error(error: BackendError, subject: str = "") -> None:
    """Print what failed and what to do next; a line for each field that is wrong."""
    start = f"{subject}: " if subject else ""
    if len(error.fields) > 1:
        for name, sentence in error.fields.items():
            print_message(f"{start}{name}: {sentence}")
    else:
        print_message(f"{start}{fragment(error.title)}" if subject else error.title)
    if error.hint:
        print_message(error.hint)


def print_data(text: str) -> None:
    """Print one line of data, or several, to stdout."""
    print(text)  # noqa: T201  the one writer


def print_block(text: str) -> None:
    """Print a text of several lines from outside: unchanged into a pipe, cleaned on a terminal."""
    print_data(clean_block(text.rstrip("\n")) if sys.stdout.isatty() else text.rstrip("\n"))


def has_colours(stream: TextIO | None = None) -> bool:
    """Return True for a terminal that has colours, unless NO_COLOR is set."""
    stream = stream or sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def state_text(state: JobState, width: int = 0) -> str:
    """Return the state's word, padded, in its colour if the terminal has colours."""
    word = state.value.ljust(width)
    return f"\x1b[{30 + _ANSI.index(state.style.colour)}m{word}\x1b[0m" if has_colours() else word


def job_fields(job: Job) -> dict[str, Any]:
    """Return a job as `-o json` shows it: the model's fields behind its name. Times are RFC 3339 in UTC."""
    fields: dict[str, Any] = {"name": job.name, **msgspec.to_builtins(job)}
    return fields


def json_text(value: object, *, indent: int = 2) -> str:
    """Return JSON in which every character that could steer a terminal is escaped: the same data."""
    text = UNSAFE.sub(_escaped, msgspec.json.encode(value).decode())
    return msgspec.json.format(text, indent=indent)


def _escaped(match: Any) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def yaml_text(value: object) -> str:
    """Return the same data as YAML, escaped likewise."""
    import yaml  # noqa: PLC0415  slow to import, seldom needed

    return str(yaml.safe_dump(value, sort_keys=False, width=100)).rstrip("\n")


def print_as(output: str, value: Callable[[], Any]) -> bool:
    """Print data as JSON or YAML if that is the chosen output, and return True; else return False."""
    writer = {"json": json_text, "yaml": yaml_text}.get(output)
    if writer:
        print_data(writer(value()))
    return writer is not None


def terminal_width() -> int:
    """Return the width of the terminal in cells; 80 if it does not say."""
    return os.get_terminal_size(sys.stdout.fileno()).columns or 80


class Table:
    """Rows under titles, as wide as they need. Cells are cleaned; rows that come later keep the widths."""

    def __init__(self, titles: Sequence[str], rows: Iterable[Sequence[str]] = ()) -> None:
        self.titles = list(titles)
        self.rows = [[clean(cell, 300) for cell in row] for row in rows]
        self.widths = [max(map(len, column)) for column in zip(self.titles, *self.rows, strict=True)]

    def print(self, paint: Callable[[list[str]], list[str]] | None = None) -> None:
        """Print titles and rows. `paint` colours the padded cells of one row."""
        for row in [self.titles, *self.rows]:
            self.print_row(row, paint if row is not self.titles else None)

    def print_row(self, cells: Sequence[str], paint: Callable[[list[str]], list[str]] | None = None) -> None:
        """Print the cells of one row."""
        texts = [clean(cell, 300).ljust(width) for cell, width in zip(cells, self.widths, strict=True)]
        texts[-1] = texts[-1].rstrip()
        if sys.stdout.isatty():
            room = terminal_width() - sum(len(text) + 2 for text in texts[:-1])
            texts[-1] = clean(texts[-1], max(8, room))
        print_data("  ".join(paint(texts) if paint else texts).rstrip())
