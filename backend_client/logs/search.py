"""Search over a LogBuffer: plain text, or a regular expression that can neither hang nor stop a key."""

import math
import time
from collections.abc import Iterable
from typing import Any

MOST_COUNTED = 10_000
"""More lines than this are not counted."""
BLOCK_SECONDS = 2.0
"""Seconds that a regular expression may take for one block."""
_LINE_SECONDS = 0.02
"""Seconds that it may take for a line on the screen."""
TOO_SLOW = "too slow for some lines"


class Search:
    """One search in a log: `lines` of a block that match, `spans` of a line to highlight.

    Small letters match both cases, a capital letter only itself. `regex`: a regular expression. `seconds`:
    what `spans` may take for all lines together, in a thread, which lets others run while it searches.
    Raises ValueError, one sentence, for a wrong expression.
    """

    def __init__(self, query: str, *, regex: bool = False, seconds: float = math.inf) -> None:
        import regex as engine  # noqa: PLC0415  heavy, and most sessions never search

        flags = engine.MULTILINE | (0 if any(c.isupper() for c in query) else engine.IGNORECASE)
        self.query = query
        self.regex = regex
        self.slow = False
        """True once the expression was given up: some lines were not searched."""
        try:
            self._text: Any = engine.compile(query if regex else engine.escape(query), flags)
        except engine.error as error:
            raise ValueError(f"Not a regular expression: {error}.") from None
        self._left, self._in_thread = seconds, seconds < math.inf
        self._bytes: Any = None
        if not regex and query.isascii():
            self._bytes = engine.compile(engine.escape(query.encode()), flags)

    @classmethod
    def parse(cls, typed: str, *, seconds: float = math.inf) -> "Search":
        """Make a Search of what a person types: text, or /regular expression/."""
        if len(typed) > 2 and typed[0] == typed[-1] == "/":
            return cls(typed[1:-1], regex=True, seconds=seconds)
        return cls(typed, seconds=seconds)

    def lines(self, block: bytes) -> list[int]:
        """Return the indices of the lines in `block` (joined by newlines) that match, ascending.

        For a regular expression call it in a thread: it lets other threads run while it searches.
        """
        try:
            if self._bytes is not None:
                return _numbers(self._bytes.finditer(block, concurrent=True), block, b"\n")
            text = block.decode("utf-8", "replace")
            return _numbers(self._text.finditer(text, concurrent=True, timeout=BLOCK_SECONDS), text, "\n")
        except TimeoutError:
            self.slow = True
            return []

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return (start, end) of every match in one line."""
        if self.slow:
            return []
        began = time.monotonic()
        limit = min(_LINE_SECONDS, self._left)
        found = []
        try:
            for match in self._text.finditer(text, concurrent=self._in_thread, timeout=limit):
                if match[0]:
                    found.append(match.span())
                if self._in_thread and time.monotonic() - began > limit:  # the engine's is for each match
                    break
        except TimeoutError:
            self.slow = True
            return []
        self._left -= time.monotonic() - began
        self.slow = self._left <= 0
        return found


def _numbers(matches: Iterable[Any], text: Any, newline: Any) -> list[int]:
    numbers, line, at, beyond = [], 0, 0, 0
    for match in matches:
        start = match.start()
        if start < beyond:
            continue
        line += text.count(newline, at, start)
        at = start
        numbers.append(line)
        beyond = text.find(newline, start) + 1 or len(text) + 1
    return numbers
