"""What the command line says: data to stdout, words to stderr, nothing unsafe to a terminal."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

import msgspec

from backend_client.errors import BackendError
from backend_client.models import Job, JobState
from tui.ui.sanitize import UNSAFE, clean, clean_block

_ANSI = "black red green yellow blue magenta cyan white".split()


def say(words: object) -> None:
    """One line of words for a person."""
    print(clean(words, 4000), file=sys.stderr, flush=True)  # noqa: T201


def complain(error: BackendError, about: str = "") -> None:
    """What failed and what to do next; a line for each field that is wrong."""
    start = f"{about}: " if about else ""
    if len(error.fields) > 1:
        for name, sentence in error.fields.items():
            say(f"{start}{name}: {sentence}")
    else:
        say(f"{start}{error.title}")
    if error.hint:
        say(error.hint)


def put(text: str) -> None:
    """One line, or several, of data."""
    print(text)  # noqa: T201


def put_block(text: str) -> None:
    """A text of several lines from outside: as it is into a pipe, cleaned on a terminal."""
    put(clean_block(text.rstrip("\n")) if sys.stdout.isatty() else text.rstrip("\n"))


def coloured(stream: TextIO | None = None) -> bool:
    """True where colours are wanted: a terminal that has them, and no NO_COLOR."""
    stream = stream or sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def state_text(state: JobState, width: int = 0) -> str:
    """The state's word, padded, in its colour where there are colours."""
    word = state.value.ljust(width)
    return f"\x1b[{30 + _ANSI.index(state.style.colour)}m{word}\x1b[0m" if coloured() else word


def job_fields(job: Job) -> dict[str, Any]:
    """A job as `-o json` shows it: the model's fields, and its name on top. Times are RFC 3339 in UTC."""
    fields: dict[str, Any] = {"name": job.name, **msgspec.to_builtins(job)}
    return fields


def json_text(value: object, *, indent: int = 2) -> str:
    """JSON in which every character that could steer a terminal is escaped: the same data."""
    text = UNSAFE.sub(_escaped, msgspec.json.encode(value).decode())
    return msgspec.json.format(text, indent=indent)


def _escaped(match: Any) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def yaml_text(value: object) -> str:
    """The same data as YAML, escaped likewise."""
    import yaml  # noqa: PLC0415  slow to import, seldom needed

    return str(yaml.safe_dump(value, sort_keys=False, width=100)).rstrip("\n")


def put_as(output: str, value: Callable[[], Any]) -> bool:
    """Print data as JSON or YAML where that was asked for; False where a person reads it."""
    writer = {"json": json_text, "yaml": yaml_text}.get(output)
    if writer:
        put(writer(value()))
    return writer is not None


def columns() -> int:
    """How wide the terminal is; 80 where it does not say."""
    return os.get_terminal_size(sys.stdout.fileno()).columns or 80


class Table:
    """Rows under titles, as wide as they need. Cells are cleaned; rows that come later keep the widths."""

    def __init__(self, titles: Sequence[str], rows: Iterable[Sequence[str]] = ()) -> None:
        self.titles = list(titles)
        self.rows = [[clean(cell, 300) for cell in row] for row in rows]
        self.widths = [max(map(len, column)) for column in zip(self.titles, *self.rows, strict=True)]

    def put(self, paint: Callable[[list[str]], list[str]] | None = None) -> None:
        """Print all. `paint` colours the padded cells of one row."""
        for row in [self.titles, *self.rows]:
            self.put_row(row, paint if row is not self.titles else None)

    def put_row(self, cells: Sequence[str], paint: Callable[[list[str]], list[str]] | None = None) -> None:
        """Print one row."""
        texts = [clean(cell, 300).ljust(width) for cell, width in zip(cells, self.widths, strict=True)]
        texts[-1] = texts[-1].rstrip()
        if sys.stdout.isatty():
            room = columns() - sum(len(text) + 2 for text in texts[:-1])
            texts[-1] = clean(texts[-1], max(8, room))
        put("  ".join(paint(texts) if paint else texts).rstrip())
