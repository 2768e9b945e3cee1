"""Runs another program in the person's terminal, with the app suspended."""

import os
import signal
import subprocess
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO


def run_child(argv: Sequence[str], *, stderr: IO[bytes] | None = None) -> int:
    """Run a program to its end, and return its exit code; the terminal is as before then. Raises OSError.

    Nothing may be raised or awaited while the app is suspended: it would not come back. So ctrl+c is the
    program's own affair, and what ends the app ends the program first.
    """
    with (
        _same_terminal(),
        _own_interrupt(),
        subprocess.Popen(argv, stderr=stderr) as child,
        _passed_on(child),
    ):
        return child.wait()


@contextmanager
def _same_terminal() -> Iterator[None]:
    """Set the terminal's modes again: who is killed leaves it without echo, for the shell behind us too."""
    try:
        before = termios.tcgetattr(0)
    except termios.error:
        before = None
    try:
        yield
    finally:
        if before:
            with suppress(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _own_interrupt() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, lambda *_: None)  # a handler, unlike SIG_IGN, is not inherited
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _passed_on(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass on what tells the app to end; its own loop hears of it too, when the child has ended."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda came, _: os.kill(child.pid, came)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
