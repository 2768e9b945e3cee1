"""What a terminal can send: whatever it is, it is read, and what was typed between it arrives."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser

from tui.ui.terminal_input import CUT_SECONDS, TerminalInput


class Typist:
    """Sends chunks to a `TerminalInput`, and waits between them as long as it takes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.input = TerminalInput(lambda: self.now)
        self.messages = []

    def send(self, *chunks: bytes) -> "Typist":
        for chunk in chunks:
            self.messages += self.input.feed(chunk)
        return self

    def wait(self, seconds: float = 2 * CUT_SECONDS) -> "Typist":
        self.now += seconds
        self.messages += self.input.tick()
        return self

    @property
    def seen(self) -> str:
        """Keys by name, pastes in angle quotes, other messages by their class."""
        return " ".join(map(_shown, self.messages))


def _shown(message) -> str:
    if isinstance(message, events.Key):
        return message.key if message.key.startswith("alt") or not message.is_printable else message.character
    return f"«{message.text}»" if isinstance(message, events.Paste) else type(message).__name__


def seen(*chunks: bytes) -> str:
    return Typist().send(*chunks).wait().seen


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (b"\xff", "\ufffd"),
        (b"caf\xe9", "c a f \ufffd"),
        ("é漢🙂".encode(), "é 漢 🙂"),
        (b"\xe2\x96?", "\ufffd ?"),
        (b"\xe2\x96\x1b[A", "\ufffd up"),
        (b"\xed\xa0\x80x", "\ufffd \ufffd \ufffd x"),
        (b"\xf8\x88\x80\x80\x80x", "\ufffd \ufffd \ufffd \ufffd \ufffd x"),
        (b"\0x", "ctrl+@ x"),
        (b"\x1b[200~caf\xe9\x1b[201~x", "«caf\ufffd» x"),
        (b"\x1b[200~a\0b\x1b[31m\x1b[201~", "«ab\x1b[31m»"),
        (b"\x1b[200~\x1b[201~x", "«» x"),
        (b"\x1b[201~x", "x"),
        (b"\x1b[M" + bytes([32, 32 + 120, 32 + 5]) + b"x", "x"),
        (b"\x1b[M\xff\xff\xffx", "x"),
        (b"\x1b[M   x", "x"),
        (b"\x1b[M \x1b[Ax", "up x"),
        (b"\x1b[M ", ""),
        (b"\x1b[<35;120;5Mx", "MouseMove x"),
        (b"\x1b[<0;10;5M\x1b[<0;10;5m", "MouseDown MouseUp"),
        (b"\x1b[<99999999999999999999;1;1Mx", "MouseScrollRight x"),
        (b"\x1b[35;120;5Mx", "x"),
        (b"\x1b", "escape"),
        (b"\x1b\x1b", "escape escape"),
        (b"\x1b\x1b[A", "escape up"),
        (b"\x1bx", "alt+x"),
        (b"\x1b\xc3\xa9", "alt+é"),
        (b"\x1b\xe9x", "escape \ufffd x"),
        (b"\x1b\xc3x", "escape \ufffd x"),
        (b"\x1b[", "["),
        (b"\x1b]", "]"),
        (b"\x1bO", "alt+shift+o"),
        (b"\x1bOP\x1bOA", "f1 up"),
        (b"\x1b[[A\x1b[1;5C", "f1 ctrl+right"),
        (b"\x1b[12", ""),
        (b"\x1b[12\nx", "ctrl+j x"),
        (b"\x1b[12\xffx", "\ufffd x"),
        (b"\x1b[1\x1b[Bx", "down x"),
        (b"\x1b[?62;1;2cx", "x"),
        (b"\x1b[>0;276;0cx", "x"),
        (b"\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19qx", "x"),
        (b"\x1b[99999999999u\x1b[0;;55296ux", "x"),
        (b"\x1b[1:1:1;1:3ux", "x"),
        (b"\x1b[::;ux", "x"),
        (b"\x1b[122;5ux", "ctrl+z x"),
        (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\x", "x"),
        (b"\x1b]52;c;cXVpdCBxcXFx\x07x", "x"),
        (b"\x1bP1$r0;4:3m\x1b\\x", "x"),
        (b"\x1bP>|tmux 3.4\x1b\\x", "x"),
        (b"\x1b_Gi=1;OK\x1b\\x", "x"),
        (b"\x1b]0;q\x1b[Ax", "up x"),
        (b"\x1b]0;q", ""),
        (b"\x1b[48;0;0;0;0tx", "x"),
        (b"\x1b[Ix\x1b[O", "AppFocus x AppBlur"),
        (b"\xc2\x9b31mx", "escape 3 1 m x"),
    ],
)
def test_what_is_sent_and_what_it_means(sent, what):
    assert seen(sent).replace("shift+", "") == what.replace("shift+", "")
    assert seen(*(bytes([byte]) for byte in sent)).replace("shift+", "") == what.replace("shift+", "")


def textuals_own(sequence: str) -> str:
    parser = XTermParser()
    messages = list(parser.feed(sequence))
    parser._timeout_time = 0 if parser._timeout_time else None
    return " ".join(map(_shown, [*messages, *parser.tick()]))


@pytest.mark.parametrize("sequence", [key for key in ANSI_SEQUENCES_KEYS if key[1:2] != "\x1b"], ids=ascii)
def test_every_key_that_textual_knows_is_the_same_here(sequence):
    assert seen(sequence.encode()) == textuals_own(sequence)


def test_an_unfinished_paste_is_what_came_of_it_and_the_keys_are_keys_again():
    typist = Typist().send(b"\x1b[200~abc", b"def").wait(CUT_SECONDS / 2)
    assert typist.seen == ""
    assert typist.wait().seen == "«abcdef»"
    assert typist.send(b"x").seen == "«abcdef» x"


def test_what_is_typed_behind_an_unfinished_answer_is_typed():
    typist = Typist().send(b"\x1b]11;rgb:12").wait().send(b"x\x1b[12").wait().send(b"y")
    assert typist.seen == "x y"


@pytest.mark.parametrize("begin", [b"\x1b[", b"\x1b]0;", b"\x1bP0", b"\x1b[200~", b"\x1b[M", b"\x1b_G"])
def test_a_huge_sequence_costs_no_key_behind_it(begin):
    typist = Typist().send(*[begin + b"1" * 4096] + [b"1" * 4096] * 20).wait().send(b"\x1b[Ax")
    assert typist.seen.endswith("up x")


SIGNS = st.sampled_from(
    b"\x1b \x1b[ \x1b[200~ \x1b[201~ \x1b[M \x1b]0; \x1b\\ \x1bP1 \x1bO \x1b[<0;1;1 \x1b[48;1;1;1;1 "
    b"M m ; u ~ $y t R 1:1 99999999999999999999".split()
)


@settings(max_examples=400)
@given(st.lists(st.one_of(SIGNS, st.binary(max_size=6))), st.binary(max_size=3))
def test_no_bytes_are_too_much_and_the_keys_behind_them_are_heard(chunks, more):
    typist = Typist().send(*chunks, more).wait().wait()
    typist.messages.clear()
    assert typist.send(b"n", b"\x1b[A", "é".encode()).seen == "n up é"


@settings(max_examples=200)
@given(st.lists(st.one_of(SIGNS, st.binary(max_size=6))), st.randoms())
def test_how_the_bytes_are_cut_into_packets_changes_nothing(chunks, chance: random.Random):
    sent = b"".join(chunks)
    cuts = sorted(chance.sample(range(len(sent)), min(len(sent), 5)))
    parts = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    assert seen(*parts) == seen(sent)
