"""Bytes that are no keys, in a real pseudo-terminal: the program goes on, and what was typed is there."""

import random
from pathlib import Path

import pytest

from tests.support.pty_app import PtyApp
from tests.tui.test_terminal import start

INPUTS = {
    "a lone ff": b"\xff",
    "a letter of another encoding": b"caf\xe9",
    "a paste in another encoding": b"\x1b[200~\xe9\x1b[201~",
    "a mouse beyond column 95": b"\x1b[M" + bytes([32, 32 + 120, 32 + 5]),
    "a mouse beyond column 223": b"\x1b[M \x00\xff",
    "a cut letter": b"\xe2\x96",
    "a cut sequence": b"\x1b[1;",
    "nuls": b"\0\0\0",
    "a key of kitty that is none": b"\x1b[99999999999u\x1b[1:1;1:3u",
    "a size that is none": b"\x1b[48;0;0;0;0t\x1b[48;99999;99999;1;1t",
    "a mouse that is nowhere": b"\x1b[<0;99999999;99999999M\x1b[<64;9999;9999M",
    "an answer to another program": b"\x1b]11;rgb:qq\x1b\\\x1bP1$rq\x1b\\\x1b[?62;1c",
    "an unfinished answer": b"\x1b]52;c;" + b"q" * 100_000,
    "an unfinished paste": b"\x1b[200~ ",
    "a long sequence": b"\x1b[" + b"1;" * 50_000,
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    with start("plain", tmp_path_factory.mktemp("home"), size=(140, 24)) as program:
        program.until(b"job-00002")
        program.keys("n")
        program.until(b"New job")
        program.keys("\t" * 3 + "begin")
        program.until(b"begin")
        yield program


def shows(program: PtyApp, words: bytes) -> None:
    """Wait for words on the screen, which is painted anew."""
    program.quiet(0.2)
    for columns in (139, 140):
        program.resize(columns, 24)
        program.until(words)


@pytest.mark.parametrize("name", INPUTS)
def test_the_form_keeps_what_was_typed_and_takes_what_is_typed_next(name: str, program: PtyApp):
    program.type(INPUTS[name])
    program.quiet(1.3)  # what is unfinished is waited for no longer
    program.keys("+end")
    shows(program, b"+end")
    shows(program, b"begin")
    program.keys("\x7f" * 4)


def test_noise_ends_nothing(tmp_path: Path):
    """All bytes but those of the keys that lead out: q, Q, and enter (which could choose one)."""
    chance = random.Random(1)
    noise = bytes(chance.choice([b for b in range(256) if b not in b"qQ\r\n"]) for _ in range(6000))
    with start("plain", tmp_path, size=(140, 24)) as program:
        program.until(b"job-00002")
        program.type(noise)
        program.type(b"\x1b[201~")
        program.quiet(1.3)
        program.resize(100, 30)
        program.until(lambda sent: len(sent) > 1000)
