"""Questions on the terminal. Nobody there to answer: no question."""

import signal
import sys

from tui.terminal import clean


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
