"""The person's terminal while a program in a job has it: every key goes there, and all is put back."""

import os
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from backend_client.exec_session import TerminalSize
from tui.cli.streams import stdout


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
