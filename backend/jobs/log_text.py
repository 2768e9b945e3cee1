"""A log as the plain text that the server answers: gaps stand between the lines."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from backend_client.logs.plain_text import PlainText
from backend_client.protocol import Gap, Lines, LogItem

Batches = AsyncGenerator[Sequence[LogItem], None]


async def text_parts(batches: Batches, *, timestamps: bool) -> AsyncGenerator[bytes, None]:
    """Yield pieces of the text; with a second rank each line begins with its own."""
    text = PlainText(timestamps=timestamps)
    async with aclosing(batches):
        async for batch in batches:
            if part := b"".join(_encode(text, item) for item in batch):
                yield part
        if part := text.end():
            yield part


def _encode(text: PlainText, item: LogItem) -> bytes:
    if isinstance(item, Gap):
        return text.notice(item.why)
    return text.encode(item) if isinstance(item, Lines) else b""
