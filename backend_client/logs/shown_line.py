"""What is shown of a log line, on a screen and in a page: cut where too long, in pieces of one style."""

from backend_client.logs.block import Line
from backend_client.logs.text import PLAIN, SgrStyle, styled_runs

LONGEST = 2_000
"""Characters of a line that are shown."""


def shown_text(line: Line) -> str:
    """Return the text as it is shown: cut where it is too long."""
    if line.notice:
        return f"-- {line.text[:LONGEST]} --"
    if len(line.text) <= LONGEST:
        return line.text
    return f"{line.text[:LONGEST]} … +{len(line.text) - LONGEST:,}"


def shown_pieces(line: Line, text: str) -> list[tuple[str, SgrStyle]]:
    """Split `text`, what is shown of a line, into (piece, style)."""
    if line.notice or not line.styled:
        return [(text, PLAIN)]
    pieces, left = [], LONGEST
    for piece, style in styled_runs(line.styled):
        pieces.append((piece[:left], style))
        left -= len(piece)
        if left <= 0:
            break
    return [*pieces, (text[LONGEST:], PLAIN)]
