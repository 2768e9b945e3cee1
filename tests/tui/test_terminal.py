"""The program in a real pseudo-terminal: what it sends, and how it leaves."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.support.pty_app import PtyApp
from tests.support.wait import until
from tests.tui.test_hostile import stray

ROOT = Path(__file__).parents[2]
# What the driver itself sends: modes, the kitty keyboard, queries.
_DRIVER = re.compile(r"\x1b\[\?[0-9]+(?:[hl]|\$p)|\x1b\[[<>][0-9]*u")


def start(what: str, tmp_path: Path, size: tuple[int, int] = (120, 40), **variables: str) -> PtyApp:
    passed_on = ("PATH", "LANG", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    env = {key: value for key, value in os.environ.items() if key in passed_on}
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
    env |= {"HOME": str(tmp_path), **variables}
    return PtyApp([sys.executable, "-m", "tests.tui.support.child", what], env, size)


def sane(sent: bytes) -> bool:
    """The terminal was given back: main screen, cursor, no mouse, no kitty keyboard, no pasting mode."""
    end = sent[-600:]
    return all(
        code in end for code in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1003l", b"\x1b[<u", b"\x1b[?2004l")
    )


def test_nothing_gets_past_the_wall_even_where_nobody_cleans(tmp_path: Path):
    with start("careless", tmp_path) as program:
        program.until(b"all shown")
        program.quiet()
        assert stray(_DRIVER.sub("", program.sent.decode("utf-8", "surrogateescape"))) == ""


def test_a_terminal_that_was_smaller_for_a_moment_is_painted_again(tmp_path: Path):
    with start("plain", tmp_path) as program:
        program.until(b"job-00002")
        program.keys("n")
        program.until(b"New job")
        program.quiet()
        for columns in (60, 120):  # it mostly sees the size of the end alone
            program.resize(columns, 40)
        program.until(b"New job")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(number: int, tmp_path: Path):
    with start("plain", tmp_path) as program:
        program.until(b"job-00002")
        os.kill(program.pid, number)
        assert program.wait() == 128 + number
        assert sane(program.sent)


def test_q_leaves_a_sane_terminal(tmp_path: Path):
    with start("plain", tmp_path) as program:
        program.until(b"job-00002")
        program.keys("q")
        assert program.wait() == 0
        assert sane(program.sent)


def test_a_terminal_that_goes_away_takes_the_program_with_it(tmp_path: Path):
    program = start("nohup", tmp_path)
    program.until(b"job-00002")
    program.close()
    until(lambda: os.waitpid(program.pid, os.WNOHANG)[0], 10)
    with pytest.raises(ProcessLookupError):
        os.kill(program.pid, 0)


def test_a_defect_is_one_sentence_and_a_report_without_secrets(tmp_path: Path):
    with start("defect", tmp_path) as program:
        program.until(b"defect of its own")
        assert program.wait() == 1
        assert sane(program.sent[: program.sent.rindex(b"traindeck met")])
        assert b"Traceback" not in program.sent
        assert b"hunter2" not in program.sent
    (report,) = (tmp_path / "state" / "traindeck" / "crash").iterdir()
    assert report.stat().st_mode & 0o777 == 0o600
    assert "RuntimeError: a defect" in report.read_text()
    assert "hunter2-in-a-local" not in report.read_text().replace('password = "hunter2-in-a-local"', "")
