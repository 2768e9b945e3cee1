"""Questions on the terminal. Nobody there to answer: no question."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from backend_client.errors import BackendError
from backend_client.models.secret import Secret
from tui.ui.sanitize import clean


class Unasked(BackendError):
    """Nobody is there to be asked."""

    exit_code = 2


def has_person() -> bool:
    """True where somebody can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str) -> bool:
    """Ask, and take only a plain yes. True at once where there is no question, or nobody to ask."""
    if not question or not has_person():
        return True
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's would wait for the answer
    try:
        print(f"{clean(question)} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    finally:
        signal.signal(signal.SIGINT, handler)


def line(question: str, default: str = "") -> str:
    """One line from a person, who sees it; the default where it is empty. Raises Unasked."""
    offered = f" [{clean(default, 100)}]" if default else ""
    with _terminal(question) as terminal:
        while not (answer := _answer(terminal, f"{question}{offered}") or default):
            pass
    return answer


def unseen(question: str) -> Secret:
    """One line from a person, of which nothing is shown. Raises Unasked."""
    import termios  # noqa: PLC0415  few verbs ask

    with _terminal(question) as terminal:
        shown = termios.tcgetattr(terminal)
        hidden = [*shown[:3], shown[3] & ~termios.ECHO, *shown[4:]]
        termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
        try:
            return Secret(_answer(terminal, question))
        finally:
            termios.tcsetattr(terminal, termios.TCSADRAIN, shown)
            os.write(terminal, b"\n")


def secret(question: str, *, from_stdin: bool, new: bool = False) -> Secret:
    """A password: the next line of stdin, or asked unseen; a new one until it was written the same twice.

    Raises Unasked.
    """
    if from_stdin:
        return Secret(sys.stdin.readline().rstrip("\r\n"))
    first = unseen(question)
    while new and first != unseen("The same again"):
        print("They differ.", file=sys.stderr)  # noqa: T201
        first = unseen(question)
    return first


@contextmanager
def _terminal(question: str) -> Iterator[int]:
    """The terminal itself, whatever stdin and stdout are."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        hint = "--password-stdin reads passwords from a pipe; --user names the user."
        raise Unasked(f"{question}: there is no terminal to ask on.", hint) from None
    try:
        yield terminal
    finally:
        os.close(terminal)


def _answer(terminal: int, question: str) -> str:
    os.write(terminal, f"{clean(question)}: ".encode())
    written = os.read(terminal, 4096)
    if not written:
        raise Unasked(f"{question}: no answer.")
    return written.decode(errors="replace").strip("\r\n")
