"""What is used, on the screen: the detail of a job of 8 ranks x 8 GPUs, and a changed row with its use.

The detail is opened over a scripted backend with an hour of history of each GPU, in a real pseudo-terminal
of 80x24 and of 200x50, where plots stand beside the text; the first one of a program loads the screen.
"""

import os
import signal
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.tui import CHILD, start
from benchmarks.usage_on_screen_child import HELD, HOLDS, JOB
from tests.support.pty_app import PtyApp

ROUNDS = 7
WIDE = (200, 50)
_LINES, _PLOTS = b"from Prometheus", b"power of all 64 GPUs"
Row = tuple[str, str, str]


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    with tempfile.TemporaryDirectory() as home:
        small = _opened(home, (80, 24), _LINES)
        lines, plots = _opened(home, WIDE, _LINES), _opened(home, WIDE, _PLOTS)
        holds = _holds(home)
        size = _changed_row(home)
    what = "the detail of a job of 8 ranks x 8 GPUs with an hour of history"
    return [
        (f"{what}, key to its use, 80x24", _text(small), "300 ms"),
        (f"{what}, key to its use, 200x50", _text(lines), "300 ms"),
        (f"{what}, key to the last plot, 200x50", _text(plots), ""),
        (f"{what}: the longest that a key waits meanwhile, 200x50", _text(holds), "50 ms"),
        ("bytes for a changed row with `util` and `mem`, 200x50", str(size), "300"),
    ]


def _text(times: list[float]) -> str:
    first, *others = times
    return f"{median(others) * 1000:.0f} ms, the first {first * 1000:.0f} ms"


def _program(home: str, size: tuple[int, int], *words: str) -> PtyApp:
    return start(home, "-c", CHILD.replace("tui_child", Path(__file__).stem + "_child"), *words, size=size)


def _opened(home: str, size: tuple[int, int], what: bytes) -> list[float]:
    """Measure the seconds from the key to some words of the detail, opened again and again."""
    times = []
    with _program(home, size) as program:
        program.until(JOB.encode())
        program.quiet(1)
        for _ in range(ROUNDS + 1):
            program.keys("\r")
            times.append(program.until(what))
            program.quiet(0.5)
            program.keys("\x1b")
            program.until(JOB.encode())
            program.quiet(0.5)
    return times


def _holds(home: str) -> list[float]:
    """Measure for how many seconds at the longest the event loop is held while the detail opens."""
    times, held = [], Path(home, HELD)
    with _program(home, WIDE, HOLDS) as program:
        program.until(JOB.encode())
        for _ in range(ROUNDS + 1):
            program.quiet(1)
            _told(program, held)
            program.keys("\r")
            program.until(_PLOTS)
            program.quiet(0.5)
            times.append(_told(program, held))
            program.keys("\x1b")
            program.until(JOB.encode())
    return times


def _told(program: PtyApp, held: Path) -> float:
    """Return what the program writes into a file when it is asked to."""
    held.unlink(missing_ok=True)
    os.kill(program.pid, signal.SIGUSR2)
    program.until(lambda _: held.exists() and bool(held.read_text()))
    return float(held.read_text())


def _changed_row(home: str) -> int:
    """Measure the bytes of one change of the use of a job that is not under the cursor."""
    with _program(home, WIDE) as program:
        program.until(JOB.encode())
        program.quiet(1)
        program.keys("U")
        program.until(b"UTIL")
        program.quiet(1)
        os.kill(program.pid, signal.SIGUSR1)
        return len(program.quiet(0.5))
