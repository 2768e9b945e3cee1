"""The second wall: no widget sends a control character to the terminal, whoever forgot to clean a text."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from backend_client.text.sanitize import UNSAFE


def _harmless(text: str) -> str:
    # What takes no cell must not begin to take one here: the line's length is settled already.
    return UNSAFE.sub(lambda match: "\ufffd" * cell_len(match[0]), text)


class SanitizeFilter(LineFilter):
    """Takes controls, bidi and zero-width characters out of every segment that is not the screen's own."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  Textual's signature
        return [
            segment
            if segment.control or (segment.text.isascii() and segment.text.isprintable())
            else Segment(_harmless(segment.text), segment.style)
            for segment in segments
        ]
