"""Log lines as HTML: their colours as classes, addresses as links, hits marked, and a name for each line.

All text is escaped here, in one place; what a line is cleaned of before is `sanitize_line`'s.
"""

import re
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from itertools import pairwise

from msgspec import Struct

from backend_client.logs import Line, LogBuffer, Search
from backend_client.logs.shown_line import shown_pieces, shown_text
from backend_client.logs.text import PLAIN, Colour, SgrStyle

MOST_HTML = 2 * 2**20
"""Characters of HTML of one part: a job can colour every letter."""
_NAME = re.compile(r"L(\d{1,9})\.(\d{1,9})\.([0-9a-f]{1,12})\.[0-9a-f]{8}(?:\.\d{1,9})?")
_URL = re.compile(r"https?://[A-Za-z0-9\[][!#-;=?-\[\]_a-z~]*")
_LAST_MS = 9_214_646_400_000
"""The year 2262: no line is from a later time, whose nanoseconds are no number of 64 bits."""
_NOT_LAST = ".,;:!?)]*'"
_PALETTE = (
    (0x00, 0x00, 0x00),
    (0xCD, 0x31, 0x31),
    (0x0D, 0xBC, 0x79),
    (0xE5, 0xE5, 0x10),
    (0x24, 0x72, 0xC8),
    (0xBC, 0x3F, 0xBC),
    (0x11, 0xA8, 0xCD),
    (0xE5, 0xE5, 0xE5),
    (0x66, 0x66, 0x66),
    (0xF1, 0x4C, 0x4C),
    (0x23, 0xD1, 0x8B),
    (0xF5, 0xF5, 0x43),
    (0x3B, 0x8E, 0xEA),
    (0xD6, 0x70, 0xD6),
    (0x29, 0xB8, 0xDB),
    (0xFF, 0xFF, 0xFF),
)
"""What the 16 colours are taken for, when the nearest to another one is looked for."""


class LineName(Struct, frozen=True):
    """What the name of a line says: who wrote it, and when (ms since the epoch)."""

    rank: int
    attempt: int
    time: int


def parse_name(name: str) -> LineName | None:
    """Read the name of a line; None for what is none, as of a time that no line can have."""
    found = _NAME.fullmatch(name)
    if not found or int(found[3], 16) > _LAST_MS:
        return None
    return LineName(int(found[1]), int(found[2]), int(found[3], 16))


class LineNames:
    """Names lines by what they are, not by where they are read from: the same line has the same name again.

    A name is rank, attempt, time and a checksum of the text; the second of the same has a 2 behind it.
    """

    _MOST = 20_000

    def __init__(self) -> None:
        self._times: dict[str, int] = {}

    def name(self, line: Line) -> str:
        """Return the name of a line; "" where it is a sentence of ours."""
        if line.notice or line.source is None:
            return ""
        checksum = zlib.crc32(line.text.encode("utf-8", "surrogatepass"))
        name = f"L{line.source.rank}.{line.source.attempt}.{max(0, line.time):x}.{checksum:08x}"
        if len(self._times) > self._MOST:
            self._times.clear()
        count = self._times[name] = self._times.get(name, 0) + 1
        return name if count == 1 else f"{name}.{count}"


class LineHtml(Struct, frozen=True):
    """Renders lines. `address`: that of a line's page, but for the name at its end."""

    address: str
    times: bool = False
    ranks: bool = False
    search: Search | None = None

    def lines(
        self, lines: Sequence[Line], names: Sequence[str], first_error: int = -1
    ) -> tuple[list[str], int]:
        """Render lines with their names, the newest first to be kept; return them, and how many have hits.

        Older ones are left out where all are more than a page can hold.
        """
        rendered: list[str] = []
        size = hits = 0
        for line, name in zip(reversed(lines), reversed(names), strict=True):
            spans = self.search.spans(shown_text(line)) if self.search and not line.notice else []
            hits += bool(spans)
            html = self.line(line, name, spans, first_error=line.number == first_error)
            size += len(html)
            if size > MOST_HTML and rendered:
                break
            rendered.append(html)
        return rendered[::-1], hits

    def line(
        self,
        line: Line,
        name: str,
        spans: Sequence[tuple[int, int]] = (),
        *,
        first_error: bool = False,
    ) -> str:
        """Render one line; one without a name is not written to its end, or is a sentence of ours."""
        text = shown_text(line)
        if line.notice:
            return f'<div class="line said">{escape(text)}</div>'
        kinds = f"line{' marked' if first_error else ''}{' hit' if spans else ''}"
        before = self._before(line) if self.times or self.ranks else ""
        body = self._body(line, text, spans)
        if not name:
            return f'<div class="{kinds} open"><span class="no"></span>{before}{body}</div>'
        link = f'<a class="no" href="{self.address}{name}#{name}" tabindex="-1" aria-label="This line"></a>'
        return f'<div class="{kinds}" id="{name}">{link}{before}{body}</div>'

    def unfinished(self, buffer: LogBuffer) -> str:
        """Render the lines that have no newline yet."""
        return "".join(self.line(line, "") for line in buffer.lines(buffer.closed, buffer.end))

    def _before(self, line: Line) -> str:
        parts = []
        if self.times:
            when = datetime.fromtimestamp(line.time / 1000, UTC) if line.time else None
            clock = f"{when:%H:%M:%S}" if when else " " * 8
            parts.append(f'<span class="no when" data-ms="{line.time}">{clock}</span>')
        if self.ranks and line.source:
            parts.append(f'<span class="no rank">[{line.source.rank}]</span>')
        return "".join(parts)

    def _body(self, line: Line, text: str, spans: Sequence[tuple[int, int]]) -> str:
        if not line.styled and not spans and "://" not in text:
            return escape(text, quote=False)
        links = list(_links(text)) if "://" in text else []
        return "".join(_segments(shown_pieces(line, text), text, links, spans))


def _links(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the addresses in a text."""
    for found in _URL.finditer(text):
        address = found[0].rstrip(_NOT_LAST)
        if len(address) > len("https://"):
            yield found.start(), found.start() + len(address)


def _segments(
    pieces: Sequence[tuple[str, SgrStyle]],
    text: str,
    links: Sequence[tuple[int, int]],
    hits: Sequence[tuple[int, int]],
) -> Iterator[str]:
    """Yield the HTML of a text: cut where its style changes, and where a link or a hit begins or ends."""
    if not links and not hits:
        for piece, style in pieces:
            yield _in_style(escape(piece, quote=False), style)
        return
    edges = sorted({edge for span in (*links, *hits) for edge in span})
    link_starts, hit_starts = [start for start, _ in links], [start for start, _ in hits]
    offset = 0
    for piece, style in pieces:
        end = offset + len(piece)
        if end <= edges[0] or offset >= edges[-1]:
            yield _in_style(escape(piece, quote=False), style)
            offset = end
            continue
        inner = edges[bisect_right(edges, offset) : bisect_left(edges, end)]
        for start, stop in pairwise((offset, *inner, end)):
            html = escape(text[start:stop], quote=False)
            if _inside(start, hits, hit_starts):
                html = f"<mark>{html}</mark>"
            html = _in_style(html, style)
            if link := _inside(start, links, link_starts):
                address = escape(text[slice(*link)])
                html = f'<a href="{address}" rel="noopener noreferrer nofollow">{html}</a>'
            yield html
        offset = end


def _in_style(html: str, style: SgrStyle) -> str:
    kinds = "" if style is PLAIN else style_classes(style)
    return f'<span class="{kinds}">{html}</span>' if kinds and html else html


def _inside(position: int, spans: Sequence[tuple[int, int]], starts: Sequence[int]) -> tuple[int, int] | None:
    at = bisect_right(starts, position) - 1
    return spans[at] if at >= 0 and position < spans[at][1] else None


@lru_cache(1024)
def style_classes(style: SgrStyle) -> str:
    """Return the classes of a style: c0-c15 and g0-g15 its colours, b d i u s, and r for reverse."""
    ink, ground = _nearest(style.fg), _nearest(style.bg)
    if style.reverse:
        ink, ground = ground, ink
    on = (style.bold, style.dim, style.italic, style.underline, style.strike, style.reverse)
    kinds = [letter for letter, is_on in zip("bdiusr", on, strict=True) if is_on]
    if ink is not None:
        kinds.append(f"c{ink}")
    if ground is not None:
        kinds.append(f"g{ground}")
    return " ".join(kinds)


def _nearest(colour: Colour) -> int | None:
    """Return the nearest of the 16 colours."""
    if colour is None or (isinstance(colour, int) and colour < 16):
        return colour
    rgb = _rgb(colour) if isinstance(colour, int) else colour
    return min(
        range(16), key=lambda number: sum((a - b) ** 2 for a, b in zip(_PALETTE[number], rgb, strict=True))
    )


def _rgb(number: int) -> tuple[int, int, int]:
    """Return a colour of the terminal's palette of 256, behind the first 16."""
    if number >= 232:
        grey = 8 + 10 * (number - 232)
        return grey, grey, grey
    red, green, blue = (
        55 + 40 * level if level else 0
        for level in ((number - 16) // 36, (number - 16) // 6 % 6, (number - 16) % 6)
    )
    return red, green, blue
