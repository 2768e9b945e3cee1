"""What a job prints, and what of it may be seen."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.logs.text import PLAIN, SgrStyle, sanitize_line, styled_runs

CASES = [
    (b"step 1", "step 1", ""),
    ("größer ✓ 漢字".encode(), "größer ✓ 漢字", ""),
    (b"\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m"),
    (b"\x1b[38;2;1;2;3mx\x1b[m", "x", "\x1b[38;2;1;2;3mx\x1b[m"),
    (b"a\x1b[2Kb\x1b[1;1Hc\x1b[?25ld\x1b[>4;1me", "abcde", ""),
    (b"\x1b]52;c;aGk=\x07x\x1b]0;title\x1b\\y", "xy", ""),
    (b"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link", ""),
    (b"\x1bPq#0\x1b\\x\x1b_a\x1b\\y\x1b^b\x07z", "xyz", ""),
    (b"\x1b]52;c;never closed", "52;c;never closed", ""),
    (b"\x1b(Bx\x1b7\x1b8\x1bc", "x", ""),
    (b"x\x1b", "x", ""),
    (b"x\x1b[3", "x", ""),
    (b"\x1b\x1b[31mx", "x", "\x1b[31mx"),
    ("\x9b31mx\x9d52;c;a\x9cy\x85z".encode(), "xy�z", ""),
    (b"\x9b31mx", "�31mx", ""),
    (b"a\x00b\x01c\x7fd", "a␀b␁c␡d", ""),
    (b"a\tb", "a       b", ""),
    (b"\x1b[1mab\tc", "ab      c", "\x1b[1mab      c"),
    ("a\u202eb\u2066c".encode(), "a�b�c", ""),
    ("pass\u200bword\ufeff".encode(), "password", ""),
    ("a\u2028b".encode(), "a�b", ""),
    (b"\xff\xfe", "��", ""),
    (b"10%\r20%\r30%", "30%", ""),
    (b"10%\r20%\r", "20%", ""),
    (b"windows\r", "windows", ""),
    (b"bar\r      \r", "      ", ""),
    (b"\x08\x08\x08\r 5/10 [=>]", " 5/10 [=>]", ""),
    (b"[/x][@click=app.quit]", "[/x][@click=app.quit]", ""),
    (b"", "", ""),
]


@pytest.mark.parametrize(("raw", "text", "styled"), CASES)
def test_plain(raw, text, styled):
    assert sanitize_line(raw) == (text, styled)


@pytest.mark.parametrize(
    ("styled", "pieces"),
    [
        ("a", [("a", PLAIN)]),
        ("\x1b[1;31ma\x1b[0mb", [("a", SgrStyle(1, None, bold=True)), ("b", PLAIN)]),
        ("\x1b[ma", [("a", PLAIN)]),
        (
            "\x1b[94;103ma\x1b[39mb\x1b[49mc",
            [("a", SgrStyle(12, 11)), ("b", SgrStyle(None, 11)), ("c", PLAIN)],
        ),
        ("\x1b[38;5;208;48;5;300ma", [("a", SgrStyle(208))]),
        ("\x1b[38:2:1:2:3;4ma", [("a", SgrStyle((1, 2, 3), underline=True))]),
        ("\x1b[38;2;1;2;999ma\x1b[38ma\x1b[38;5ma", [("a", PLAIN)] * 3),
        ("\x1b[1;2;3;4;7;9ma\x1b[22;23;24;27;29mb", [("a", SgrStyle(None, None, *[True] * 6)), ("b", PLAIN)]),
        ("\x1b[99999999999999999999;;5;8ma", [("a", PLAIN)]),
    ],
)
def test_looks(styled, pieces):
    assert styled_runs(styled) == pieces


PARTS = [
    "\x1b",
    "[",
    "]",
    "31",
    ";",
    "m",
    "52;c;",
    "\x07",
    "\\",
    "P",
    "\x9b",
    "\x9c",
    "\t",
    "\r",
    "\x00",
    "\u202e",
    "\u200b",
    "x",
    " ",
    "漢",
    "?",
    ":",
    "\x1b[31m",
    "\x1b[0m",
    "\x1b]0;",
    "\u2028",
]
HOSTILE = st.lists(st.sampled_from(PARTS)).map(lambda parts: "".join(parts).encode()) | st.binary()

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@given(HOSTILE)
def test_only_sgr_comes_through(raw):
    text, styled = sanitize_line(raw)
    assert not UNSAFE.search(text)
    assert not UNSAFE.search(re.sub(r"\x1b\[[0-9;:]*m", "", styled))
    if styled:
        assert re.sub(r"\x1b\[[0-9;:]*m", "", styled) == text
        assert "".join(piece for piece, _ in styled_runs(styled)) == text


@given(HOSTILE)
def test_cleaning_twice_is_cleaning_once(raw):
    text, styled = sanitize_line(raw)
    assert sanitize_line(text.encode()) == (text, "")
    if styled:
        assert sanitize_line(styled.encode()) == (text, styled)
