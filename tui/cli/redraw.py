"""Blocks of lines that take each other's place on a terminal; into a pipe they follow each other."""

from collections.abc import Sequence

from rich.cells import cell_len

from backend_client.text.sanitize import clean
from tui.cli.streams import Writer
from tui.ui.format import fit


class Redraw:
    """Prints one block after another."""

    def __init__(self, out: Writer) -> None:
        self._out = out
        self._shown: list[str] | None = None
        """The lines of the last block."""

    def show(self, lines: Sequence[str]) -> None:
        """Print a block. On a terminal it takes the place of the last, and as much room as there is."""
        if self._out.isatty():
            shown = self._cut([clean(line, 4000) for line in lines])
            if self._shown is not None:
                self._out.rewind(sum(-(-max(1, cell_len(line)) // self._out.width) for line in self._shown))
        else:
            shown = [*([""] if self._shown is not None else []), *lines]
        self._out.line("\n".join(shown))  # in one write: nothing flickers
        self._shown = shown
        self._out.flush()

    def _cut(self, lines: list[str]) -> list[str]:
        """Cut to what fits: the last row of the screen is where the cursor stands."""
        width, room = self._out.width, max(2, self._out.height - 1)
        if len(lines) > room:
            lines = [*lines[: room - 1], f"and {len(lines) - room + 1} lines more"]
        return [fit(line, width) if cell_len(line) > width else line for line in lines]
