"""Bytes from a terminal -> Textual's messages. Whatever comes, nothing is raised, and the next key is heard.

Textual's own parser takes text that is valid, and one sequence after the other. Terminals send other things:
letters of another encoding, old mouse reports, the rest of a sequence that a bad link cut, answers to what
the program before had asked. So bytes are cut into whole sequences here; Textual says what each means.
"""

import codecs
import re
import time
from collections.abc import Callable, Iterator

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.message import Message
from textual.messages import InBandWindowResize

CUT_SECONDS = 1.0
"""How long the rest of a sequence is waited for, and of a paste that has fallen silent."""

_PASTE_END = b"\x1b[201~"
_WHOLE = re.compile(
    rb"""
      (?P<paste>    \x1b\[200~ )
    | (?P<string>   \x1b (?: \](?=[0-9]) | P(?=[0-9!$+>|]) | _(?=G) ) )  # an answer: OSC, DCS, APC
    | (?P<mouse>    \x1b\[M [^\x1b]{3} )  # the old form, which is not asked for: three bytes, not UTF-8
    | (?P<sequence> \x1b\[ (?!M) (?: \[[A-E] | [0-9]+\$(?![@-~]) | [0-?]+[ -/]*[@-~] | [ -/]*[@-Z\\-~] )
                  | \x1bO [0-9;]* [A-Za-z] )
    | (?P<cut>      \x1b\[ (?: M[^\x1b]{0,2}(?=\x1b) | \[(?=[^A-E]) | [ -?]+(?=[^ -~]) )
                  | \x1bO [0-9;]+ (?=[^0-9;A-Za-z]) )
    | (?P<alt>      \x1b (?: [^\x1b\[O\]P_\x80-\xff] | [\xc2-\xdf][\x80-\xbf]
                      | [\xe0-\xef][\x80-\xbf]{2} | [\xf0-\xf4][\x80-\xbf]{3}
                      | \[(?=[^ -~]) | O(?=[^0-9;A-Za-z]) | \](?=[^0-9]) | P(?=[^0-9!$+>|]) | _(?=[^G]) ) )
    | (?P<escape>   \x1b (?= \x1b | [\x80-\xc1\xf5-\xff] | [\xc2-\xf4][\x80-\xbf]*[^\x80-\xbf] ) )
    | (?P<text>     [^\x1b]+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_STRING = re.compile(rb"\A[^\x00-\x1f]+")
_END_OF_STRING = re.compile(rb"\A(?:\x07|\x1b\\)")
_LONGEST = 4096
"""Bytes of one sequence; what is longer is skipped as an answer is."""

_LONGEST_KNOWN = 32
"""Characters of one that Textual's parser takes for one."""


class _Sequences(XTermParser):
    """Textual's parser, which is given whole sequences."""

    _asked_for_sizes = False

    def messages(self, sequence: str) -> list[Message]:
        """Return the messages of one character or sequence; none where it means nothing."""
        is_size = sequence.startswith("\x1b[48;") and sequence.endswith("t")
        if len(sequence) > _LONGEST_KNOWN or (is_size and not self._asked_for_sizes):
            return []
        try:
            messages = list(self.feed(sequence))
            known = self._awaiting.timeout is None
            if not known and len(sequence) == 2:
                messages = list(self._sequence_to_key_events(sequence[1:], alt=True))
        except Exception:  # noqa: BLE001  a number too large, a character that is none: it means nothing
            messages, known = [], False
        if not known:
            self._begin_anew()
        self._asked_for_sizes |= any(isinstance(message, InBandWindowResize) for message in messages)
        return [message for message in messages if not _is_half_a_character(message)]

    def _begin_anew(self) -> None:
        self._tokens.clear()
        self._gen = self.parse(self._tokens.append)
        self._awaiting = next(self._gen)


def _is_half_a_character(message: Message) -> bool:
    return isinstance(message, events.Key) and "\ud800" <= (message.character or "") <= "\udfff"


class TerminalInput:
    """Reads what a terminal sends. `feed` it bytes, and let it `tick` while there are none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._parser = _Sequences()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pending = b""
        """The begin of a sequence."""
        self._paste: bytearray | None = None
        self._in_string = False
        self._since = self._last = 0.0
        """When what is unfinished began, and when the last byte came."""

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages of these bytes, and of those before that they complete."""
        self._last = self._clock()
        if not self._is_waiting:
            self._since = self._last
        data = self._pending + data
        while data:
            if self._paste is not None:
                data, messages = self._take_paste(data)
            elif self._in_string:
                data, messages = self._skip_string(data), []
                if self._in_string:
                    break
            elif whole := _WHOLE.match(data):
                data = data[whole.end() :]
                messages = self._take(whole.lastgroup or "", whole[0])
            elif len(data) > _LONGEST:
                data, messages, self._in_string = b"", [], True
            else:
                break
            yield from messages
            self._since = self._last
        self._pending = data

    @property
    def _is_waiting(self) -> bool:
        return bool(self._pending) or self._in_string or self._paste is not None

    def tick(self) -> Iterator[Message]:
        """Yield what can be told of the unfinished, when it was waited for long enough."""
        now = self._clock()
        cut = now - self._since >= CUT_SECONDS
        if self._paste is not None:
            if now - self._last >= CUT_SECONDS:
                yield from self._end_paste()
        elif self._in_string:
            self._in_string = not cut
            self._pending = b"" if cut else self._pending
        elif cut or (now - self._last >= constants.ESCAPE_DELAY and len(self._pending) <= 2):
            pending, self._pending = self._pending, b""
            yield from self._text(b"", final=True)
            if len(pending) == 2 and pending.isascii():
                yield from self._parser.messages(pending.decode())
            elif pending and not pending.startswith((b"\x1b[", b"\x1bO")):
                yield events.Key("escape", "\x1b")

    def _take(self, kind: str, whole: bytes) -> list[Message]:
        if kind == "text":
            return self._text(whole)
        before = self._text(b"", final=True)
        if kind == "paste":
            self._paste = bytearray()
        elif kind == "string":
            self._in_string = True
        elif kind == "escape":
            before.append(events.Key("escape", "\x1b"))
        elif kind in ("sequence", "alt"):
            before += self._sequence(whole.decode(errors="replace"))
        return before

    def _sequence(self, sequence: str) -> list[Message]:
        messages = self._parser.messages(sequence)
        if not messages and sequence.startswith("\x1bO"):  # alt and O, and what was typed behind it
            messages = self._parser.messages("\x1bO") + self._text(sequence[2:].encode())
        return messages

    def _text(self, data: bytes, *, final: bool = False) -> list[Message]:
        text = self._decode(data, final)
        return [message for character in text for message in self._parser.messages(character)]

    def _take_paste(self, data: bytes) -> tuple[bytes, list[Message]]:
        """Add to the paste; return what stands behind its end, and the messages."""
        paste = self._paste = self._paste or bytearray()
        start = max(0, len(paste) - len(_PASTE_END))
        paste += data
        end = paste.find(_PASTE_END, start)
        if end < 0:
            return b"", []
        rest = bytes(paste[end + len(_PASTE_END) :])
        del paste[end:]
        return rest, self._end_paste()

    def _end_paste(self) -> list[Message]:
        text = bytes(self._paste or b"").decode("utf-8", "replace").replace("\0", "")
        self._paste = None
        return [events.Paste(text)]

    def _skip_string(self, data: bytes) -> bytes:
        """Skip what belongs to an answer, up to its end or to what cannot stand in one; return the rest."""
        rest = _STRING.sub(b"", data, count=1)
        self._in_string = rest in (b"", b"\x1b")
        return _END_OF_STRING.sub(b"", rest, count=1)
