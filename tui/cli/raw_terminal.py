"""The person's terminal while a program in a job has it: every key goes there, and all is put back."""

import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from backend_client.exec_session import TerminalSize
from tui.cli.streams import stdout

_LEFT_OVER = b"\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m"
"""Puts back what an editor has set, and can no longer: its screen, the mouse, pasting, no cursor, colours."""


def is_terminal() -> bool:
    """Return whether a person types here and sees what is printed."""
    return os.isatty(0) and os.isatty(1)


def terminal_size() -> TerminalSize:
    """Return the size of the person's terminal."""
    return TerminalSize(stdout.width, stdout.height)


@contextmanager
def raw_mode() -> Iterator[None]:
    """Pass keys on as they are typed. What has been typed already stays."""
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0, termios.TCSADRAIN)
        yield
    finally:
        with suppress(termios.error):  # it is gone
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def set_raw_again() -> None:
    """Set the mode anew, which a shell has changed that stopped us and let us go on."""
    with suppress(termios.error):
        tty.setraw(0, termios.TCSADRAIN)


def clear_what_is_left_over() -> None:
    """Put back what a program has set that did not come to its own end."""
    stdout.pass_on(_LEFT_OVER)
