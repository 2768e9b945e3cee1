"""A log on stdout: the job's own bytes into a pipe, cleaned lines on a terminal."""

from backend_client.logs.block import PartialLine
from backend_client.logs.plain_text import PlainText, rank_prefix, rfc3339
from backend_client.protocol import Lines, LogSource
from tui.cli.streams import stdout


class PipeWriter:
    """Writes byte for byte what the job wrote; of `several` ranks whole lines, each behind its rank."""

    def __init__(self, timestamps: bool, several: bool = False) -> None:
        self._text = PlainText(timestamps=timestamps, several=several)

    def write(self, batch: Lines) -> None:
        """Write one batch of lines."""
        stdout.write_bytes(self._text.encode(batch))

    def end(self) -> None:
        """Write the lines of ranks that never ended."""
        stdout.write_bytes(self._text.end())
        stdout.flush()


class TerminalWriter:
    """Writes cleaned lines; an unfinished one (a bar) is drawn anew in its place as it grows.

    Of several ranks, the unfinished line that was written last stands there.
    """

    def __init__(self, timestamps: bool, several: bool = False) -> None:
        self._timestamps = timestamps
        self._several = several
        self._unfinished: dict[LogSource, PartialLine] = {}
        """The one that is drawn comes last."""
        self._drawn = False

    def write(self, batch: Lines) -> None:
        """Write one batch of lines."""
        if not batch.lines:
            return
        source, lines = batch.source, list(zip(batch.lines, batch.times, strict=True))
        if self._drawn:
            stdout.erase_line()
        partial = self._unfinished.pop(source, None)
        if partial and not batch.continues:
            self._end_line(partial)
            partial = None
        if partial:
            partial.write(*lines.pop(0))
            if lines or not batch.open:
                self._end_line(partial)
                partial = None
        if batch.open and lines:
            partial = PartialLine(source)
            partial.write(*lines.pop())
        for raw, time_ns in lines:
            stdout.log_line(self._prefix(source, time_ns), raw)
        if partial and (partial.raw or partial.surplus):
            self._unfinished[source] = partial
        self._draw()

    def _draw(self) -> None:
        """Write the unfinished line that was written last, as far as it fits, without a newline."""
        partial = next(reversed(self._unfinished.values()), None)
        self._drawn = partial is not None
        if partial:
            stdout.unfinished_log_line(rank_prefix(partial.source, self._several), bytes(partial.raw))

    def _end_line(self, partial: PartialLine) -> None:
        stdout.log_line(self._prefix(partial.source, partial.time), bytes(partial.raw), partial.cut)

    def _prefix(self, source: LogSource, time_ns: int) -> str:
        return (rfc3339(time_ns) if self._timestamps else "") + rank_prefix(source, self._several)

    def end(self) -> None:
        """End the log: an unfinished line gets a line of its own."""
        if self._unfinished:
            stdout.erase_line()
        for partial in self._unfinished.values():
            self._end_line(partial)
        stdout.flush()
