"""Blocks that take each other's place on a terminal."""

import os
import pty
import termios
import tty
from collections.abc import Iterator

import pytest

from tui.cli.redraw import Redraw
from tui.cli.streams import Writer


@pytest.fixture
def terminal() -> Iterator[tuple[Writer, int, int]]:
    """A writer to a terminal of 20 x 6, and its two ends."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    termios.tcsetwinsize(slave, (6, 20))
    yield Writer(slave, "Standard output"), master, slave
    os.close(master)
    os.close(slave)


def sent(master: int, whole: bytes) -> bytes:
    """What the terminal was sent, as long as `whole`: it may come in pieces."""
    data = b""
    while len(data) < len(whole):
        data += os.read(master, 9999)
    return data


def test_each_takes_the_place_of_the_last(terminal):
    out, master, _ = terminal
    screen = Redraw(out)
    screen.show(["one", "two"])
    assert sent(master, b"one\ntwo\n") == b"one\ntwo\n"
    screen.show(["three"])
    assert sent(master, b"\r\x1b[2A\x1b[Jthree\n") == b"\r\x1b[2A\x1b[Jthree\n"
    screen.show(["four"])
    assert sent(master, b"\r\x1b[1A\x1b[Jfour\n") == b"\r\x1b[1A\x1b[Jfour\n"


def test_what_does_not_fit_is_cut_and_said(terminal):
    out, master, _ = terminal
    Redraw(out).show([f"{n} {'x' * 30}" for n in range(9)])
    data = b""
    while not data.endswith(b"more\n"):
        data += os.read(master, 9999)
    lines = data.decode().splitlines()
    assert [line[:3] for line in lines] == ["0 x", "1 x", "2 x", "3 x", "and"]
    assert lines[-1] == "and 5 lines more"
    assert all(len(line) <= 20 for line in lines)


def test_a_window_that_became_narrower_has_broken_the_lines(terminal):
    out, master, slave = terminal
    screen = Redraw(out)
    screen.show(["x" * 20, "", "y"])
    sent(master, b"x" * 20 + b"\n\ny\n")
    termios.tcsetwinsize(slave, (6, 8))
    screen.show(["z"])
    assert sent(master, b"\r\x1b[5A\x1b[Jz\n") == b"\r\x1b[5A\x1b[Jz\n"


def test_nothing_in_a_line_steers_the_terminal(terminal):
    out, master, _ = terminal
    Redraw(out).show(["a\x1b[2Jb\nc"])
    assert sent(master, "a\ufffd[2Jb c\n".encode()) == "a\ufffd[2Jb c\n".encode()


def test_into_a_pipe_they_follow_each_other():
    reads, writes = os.pipe()
    screen = Redraw(Writer(writes, "Standard output"))
    screen.show(["one " + "x" * 300, "two"])
    screen.show(["three"])
    os.close(writes)
    assert os.read(reads, 9999).decode().split("\n")[1:] == ["two", "", "three", ""]
    os.close(reads)
