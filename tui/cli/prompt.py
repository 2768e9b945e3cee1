"""Questions on the terminal: a confirmation, a line, a password. Without a terminal nothing is asked."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backend_client.errors import BackendError
from backend_client.models.secret import Secret
from backend_client.text.sanitize import clean
from tui.cli.streams import Writer, stderr

_TERMINAL = "The terminal"


class NoAnswer(BackendError):
    """Nobody is there to answer."""

    exit_code = 2


def is_interactive() -> bool:
    """Return True if somebody can read a question and answer it."""
    return os.isatty(0) and os.isatty(2)


def confirm(question: str) -> bool:
    """Ask, and accept only a plain yes. True at once if there is no question, or nobody to answer."""
    if not question or not is_interactive():
        return True
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's would wait for the answer
    try:
        stderr.write(f"{clean(question)} [y/N] ")
        return sys.stdin.buffer.readline().strip().lower() in (b"y", b"yes")
    finally:
        signal.signal(signal.SIGINT, handler)


def ask_line(question: str, default: str = "") -> str:
    """Ask for one line, shown as it is typed; an empty one means the default. Raises NoAnswer."""
    offered = f" [{clean(default, 100)}]" if default else ""
    with _terminal(question) as terminal:
        while not (answer := _answer(terminal, f"{question}{offered}") or default):
            pass
    return answer


def ask_hidden(question: str) -> Secret:
    """Ask for one line that is not shown. Raises NoAnswer."""
    import termios  # noqa: PLC0415  few verbs ask

    with _terminal(question) as terminal:
        shown = termios.tcgetattr(terminal)
        hidden = [*shown[:3], shown[3] & ~termios.ECHO, *shown[4:]]
        termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
        try:
            return Secret(_answer(terminal, question))
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, shown)
            Writer(terminal, _TERMINAL).line()


def ask_secret(question: str, *, from_stdin: bool, new: bool = False) -> Secret:
    """Ask for a password, or read the next line of stdin; a new one until it is typed the same twice.

    Raises NoAnswer.
    """
    if from_stdin:
        try:
            return Secret(sys.stdin.buffer.readline().decode().rstrip("\r\n"))
        except UnicodeDecodeError:
            raise NoAnswer(f"{question}: what came on stdin is not UTF-8 text.") from None
    first = ask_hidden(question)
    while new and first != ask_hidden("The same again"):
        stderr.line("They differ.")
        first = ask_hidden(question)
    return first


@contextmanager
def _terminal(question: str) -> Iterator[int]:
    """Open the terminal itself, whatever stdin and stdout are."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        hint = "--password-stdin reads passwords from a pipe; --user names the user."
        raise NoAnswer(f"{question}: there is no terminal to ask on.", hint) from None
    try:
        yield terminal
    finally:
        os.close(terminal)


def _answer(terminal: int, question: str) -> str:
    asking = Writer(terminal, _TERMINAL)
    asking.write(f"{clean(question)}: ")
    asking.flush()
    written = os.read(terminal, 4096)
    if not written:
        raise NoAnswer(f"{question}: no answer.")
    return written.decode(errors="replace").strip("\r\n")
