"""How the verbs print: data to stdout (a table, JSON, YAML, names), messages to stderr. `streams` writes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobState
from backend_client.text.sanitize import UNSAFE, clean, clean_block
from tui.cli.streams import Painted, stderr, stdout

_ANSI = "black red green yellow blue magenta cyan white".split()


def print_message(message: object) -> None:
    """Print one line for a person, to stderr."""
    if stdout.isatty():
        stdout.flush()  # what came before stands above
    stderr.line(clean(message, 4000))


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


def print_data(*parts: str | Painted) -> None:
    """Print one line of data, or several, to stdout."""
    stdout.line(*parts)


def print_block(text: str) -> None:
    """Print a text of several lines from outside: unchanged into a pipe, long lines cut on a terminal."""
    print_data(clean_block(text.rstrip("\n")) if stdout.isatty() else text.rstrip("\n"))


def state_text(state: JobState, width: int = 0) -> Painted:
    """Return the state's word, padded, in its colour."""
    return Painted(state.value.ljust(width), _ANSI.index(state.style.colour))


def job_fields(job: Job) -> dict[str, Any]:
    """Return a job as `-o json` shows it: the model's fields behind its name. Times are RFC 3339 in UTC."""
    fields: dict[str, Any] = {"name": job.name, **msgspec.to_builtins(job)}
    return fields


def json_text(value: object, *, indent: int = 2) -> str:
    """Return JSON in which every character that could steer a terminal is escaped: the same data."""
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:  # half a character, as YAML and file names can bring it, and JSON cannot hold
        import json  # noqa: PLC0415  seldom needed

        text = json.dumps(msgspec.to_builtins(value), ensure_ascii=False).encode(errors="replace").decode()
    return msgspec.json.format(UNSAFE.sub(_escaped, text), indent=indent)


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


Paint = Callable[[list[str]], Sequence[str | Painted]]
"""Colours the padded cells of one row."""


class Table:
    """Rows under titles, as wide as they need. Cells are cleaned; rows that come later keep the widths."""

    def __init__(self, titles: Sequence[str], rows: Iterable[Sequence[str]] = ()) -> None:
        self.titles = list(titles)
        self.rows = [[clean(cell, 300) for cell in row] for row in rows]
        self.widths = [max(map(len, column)) for column in zip(self.titles, *self.rows, strict=True)]

    def print(self, paint: Paint | None = None) -> None:
        """Print titles and rows."""
        for row in [self.titles, *self.rows]:
            self.print_row(row, paint if row is not self.titles else None)

    def lines(self, width: int | None) -> list[str]:
        """Return titles and rows as lines; the last cell is cut to what is left of `width` cells."""
        return ["  ".join(self._texts(row, width)).rstrip() for row in [self.titles, *self.rows]]

    def _texts(self, cells: Sequence[str], width: int | None) -> list[str]:
        texts = [clean(cell, 300).ljust(room) for cell, room in zip(cells, self.widths, strict=True)]
        texts[-1] = texts[-1].rstrip()
        if width is not None:
            texts[-1] = clean(texts[-1], max(8, width - sum(len(text) + 2 for text in texts[:-1])))
        return texts

    def print_row(self, cells: Sequence[str], paint: Paint | None = None) -> None:
        """Print the cells of one row."""
        texts = self._texts(cells, stdout.width if stdout.isatty() else None)
        row = [gap_or_cell for cell in (paint(texts) if paint else texts) for gap_or_cell in ("  ", cell)][1:]
        while len(row) > 1 and isinstance(row[-1], str) and not row[-1].strip():
            row.pop()
        print_data(*row[:-1], row[-1].rstrip() if isinstance(row[-1], str) else row[-1])
