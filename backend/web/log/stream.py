"""The events of a log for a page: lines as HTML, gathered, each with the place to go on behind it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from backend.web.log.html import LineHtml, LineNames
from backend.web.log.part import SHOWN, gathered
from backend.web.log.place import Place
from backend_client.errors import BackendError, NotFound
from backend_client.logs import Line, LogBuffer
from backend_client.protocol import Closed, LogItem
from backend_client.server.wire import encode, frame
from backend_client.text.empty_reason import LOG_DELETED
from backend_client.text.sanitize import clean

_BUFFER = 2**20


async def log_frames(
    batches: AsyncGenerator[Sequence[LogItem], None], place: Place, html: LineHtml
) -> AsyncGenerator[bytes, None]:
    """Encode the events of a log: at most a page of lines each, the newest of what has come."""
    buffer, names = LogBuffer(_BUFFER), LineNames()
    place.start(buffer)
    try:
        async with aclosing(gathered(batches)) as groups:
            async for group in groups:
                kept = [item for item in group if not place.is_repeated(item) and not _is_lost(item)]
                end = next((item for item in group if isinstance(item, Closed) and not item.lost), None)
                first = buffer.append(kept)
                place = place.behind(kept, buffer)
                yield _lines_frame(buffer, first, names, html, place)
                if end:
                    yield frame("closed", encode({"why": clean(end.why, 300)}))
                    return
                last = group[-1] if group else None
                if isinstance(last, Closed):
                    yield frame("lost", encode({"why": clean(last.why, 200)}))
    except BackendError as error:
        why = LOG_DELETED if isinstance(error, NotFound) else clean(str(error), 300)
        yield frame("closed", encode({"why": why}))


def _lines_frame(buffer: LogBuffer, first: int, names: LineNames, html: LineHtml, place: Place) -> bytes:
    start = max(first, buffer.closed - SHOWN, buffer.first)
    lines = list(buffer.lines(start, buffer.closed))
    rendered, _ = html.lines(lines, [names.name(line) for line in lines])
    if left_out := buffer.closed - first - len(rendered):
        words = f"{left_out:,} lines came too quickly to be shown here; the download has them"
        rendered.insert(0, html.line(Line(0, words, notice=True), ""))
    data = {"html": "".join(rendered), "open": html.unfinished(buffer), "count": len(lines)}
    return frame("lines", encode(data), str(place))


def _is_lost(item: LogItem) -> bool:
    return isinstance(item, Closed) and item.lost
