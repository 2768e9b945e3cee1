"""Sanitizes text from outside: removes what may not reach a terminal. Imports no Textual."""

import re

# C0 (newline and tab too), DEL, C1, and every character that only steers how others are shown.
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]|[\U000e0000-\U000e007f]"
)


def clean(text: object, longest: int = 2000) -> str:
    """Return one line that is safe to show, from anything: a name, an event, an error, a file name.

    Newlines and tabs become spaces; other controls, bidi and zero-width characters become U+FFFD, so that
    they are seen to be there; what is longer than `longest` characters is cut with an ellipsis.
    """
    line = str(text)
    if len(line) > longest:
        line = line[: longest - 1] + "\u2026"
    if line.isascii() and line.isprintable():
        return line
    return UNSAFE.sub(lambda match: " " if match[0] in "\n\t\r\x0b\x0c\u2028\u2029" else "\ufffd", line)


def clean_block(text: object) -> str:
    """Clean line by line: for texts of several lines (YAML, a file)."""
    return "\n".join(clean(line, 4000) for line in str(text).split("\n"))
