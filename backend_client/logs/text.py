"""Sanitize log lines for a terminal: plain text and colours (SGR), nothing else of what a job prints.

Other escape sequences are removed, other controls and bidi characters are made visible, zero-width ones are
removed, tabs become spaces, and of a line that was written over with "\\r" the last writing counts.
"""

import re
from functools import lru_cache
from typing import Any, NamedTuple

SAFE = bytes(range(32, 127))
"""Bytes that are shown as they are."""

_CSI = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
_STRING = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)"
_HIDDEN = "\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufe0f\ufeff"
_VISIBLE = (
    "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2065-\u206f\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f"
)
_TOKEN = re.compile(
    rf"(\x1b\[[0-9;:]{{0,64}}m)|{_CSI}|{_STRING}|\x1b\[[0-?]*[ -/]*$|\x1b[ -/]{{0,4}}[0-~]?"
    rf"|[\x07\x08\x0e\x0f{_HIDDEN}]|(\t)|([{_VISIBLE}])"
)
_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_TAB = 8


def sanitize_line(raw: bytes) -> tuple[str, str]:
    """Return (text, styled) of one line: `styled` is the text with its SGR sequences, "" where it has none.

    Both are safe for a terminal; cleaning either again changes nothing.
    """
    text, styled, shown = [], [], 0
    line = _last_writing(raw).decode("utf-8", "replace")
    offset, coloured = 0, False
    for token in _TOKEN.finditer(line):
        part = line[offset : token.start()]
        offset = token.end()
        shown += len(part)
        if token[2]:
            part += " " * (_TAB - shown % _TAB)
            shown += _TAB - shown % _TAB
        elif token[3]:
            part += _visible(token[3])
            shown += 1
        text.append(part)
        styled.append(part)
        if token[1]:
            styled.append(token[1])
            coloured = True
    text.append(line[offset:])
    styled.append(line[offset:])
    return "".join(text), "".join(styled) if coloured else ""


def _last_writing(raw: bytes) -> bytes:
    """Return the text behind the last carriage return; one at the end (CRLF, a bar) does not count."""
    raw = raw.rstrip(b"\r")
    return raw[raw.rfind(b"\r") + 1 :]


def _visible(control: str) -> str:
    if control < " ":
        return chr(0x2400 + ord(control))
    return "\u2421" if control == "\x7f" else "\ufffd"


Colour = int | tuple[int, int, int] | None


class SgrStyle(NamedTuple):
    """How a piece of text is shown. Colours: 0-255 of the terminal's palette, or (red, green, blue)."""

    fg: Colour = None
    bg: Colour = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False


PLAIN = SgrStyle()
_ON = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike"}
_OFF = {
    21: ("bold",),
    22: ("bold", "dim"),
    23: ("italic",),
    24: ("underline",),
    27: ("reverse",),
    29: ("strike",),
}


def styled_runs(styled: str) -> list[tuple[str, SgrStyle]]:
    """Split a styled line into (text, style)."""
    pieces, style, offset = [], PLAIN, 0
    for sgr in _SGR.finditer(styled):
        if sgr.start() > offset:
            pieces.append((styled[offset : sgr.start()], style))
        style, offset = _apply(style, sgr[1]), sgr.end()
    if offset < len(styled):
        pieces.append((styled[offset:], style))
    return pieces


@lru_cache(1024)
def _apply(style: SgrStyle, parameters: str) -> SgrStyle:
    codes = [int(code or 0) for code in re.split("[;:]", parameters)]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = PLAIN
        elif code in _ON:
            style = style._replace(**{_ON[code]: True})
        elif code in _OFF:
            style = style._replace(**dict.fromkeys(_OFF[code], False))
        elif code in (38, 48):
            style = _with(style, "fg" if code == 38 else "bg", _extended(codes))
        else:
            style = _basic(style, code)
    return style


def _basic(style: SgrStyle, code: int) -> SgrStyle:
    for base, field, bright in ((30, "fg", 0), (40, "bg", 0), (90, "fg", 8), (100, "bg", 8)):
        if base <= code < base + 8:
            return _with(style, field, code - base + bright)
        if code == base + 9 and not bright:
            return _with(style, field, None)
    return style


def _with(style: SgrStyle, field: str, value: Colour) -> SgrStyle:
    change: dict[str, Any] = {field: value}
    return style._replace(**change)


def _extended(codes: list[int]) -> Colour:
    """Take the colour 5;N or 2;R;G;B off the front of `codes`; None for what is neither."""
    if len(codes) >= 2 and codes[0] == 5:
        _, number = codes.pop(0), codes.pop(0)
        return number if number < 256 else None
    if len(codes) >= 4 and codes[0] == 2:
        _, red, green, blue = (codes.pop(0) for _ in range(4))
        return (red, green, blue) if max(red, green, blue) < 256 else None
    codes.clear()
    return None
