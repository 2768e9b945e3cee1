"""The main job, whole, by keyboard alone at 80x24, in a real terminal."""

import signal

import pytest

from tests.tmux.conftest import PROGRAM
from tests.tmux.support.terminal import Terminal

pytestmark = pytest.mark.tmux


def test_submit_watch_stop_run_again_delete(terminal: Terminal):
    terminal.until("No jobs yet")
    terminal.keys("n")
    terminal.until("New job.*this machine")
    terminal.keys("F2")
    terminal.until("Run it here")
    terminal.keys("Enter")  # the default is Cancel: nothing runs
    terminal.until_gone("Run it here")
    terminal.keys("F2")
    terminal.until("Run it here")
    terminal.keys("Right", "Enter")

    terminal.until(r"> train +Running")
    terminal.until(r"step \d+/2000 loss")  # the log under the list
    first = terminal.until(r"/2k +\d+%.* 0\.\d+")  # progress and loss in the row
    terminal.until(lambda screen: _row(screen, "train") != _row(first, "train"))

    terminal.keys("x")
    terminal.until("Stop train")
    terminal.keys("Enter")
    terminal.until_gone("Stop train")
    assert "Running" in _row(terminal.screen(), "train")
    terminal.keys("x")
    terminal.until("Stop train")
    terminal.keys("Right", "Enter")
    terminal.until(r"> train +Stopped")

    terminal.keys("r")
    terminal.until("Run train again")
    terminal.keys("F2")
    terminal.until(r"train-2 +Running")
    terminal.until(r"> train-2 .*\n(.*\n)*.*step \d+/2000 loss")

    terminal.keys("d")
    terminal.until("Delete train-2")
    terminal.keys("Right", "Enter")
    terminal.until_gone(r"train-2 +(Running|Stopp)")
    terminal.until(r"> train +Stopped")
    terminal.keys("q")
    terminal.until("ended with 0")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_a_job_outlives_the_program_however_it_ends(terminal: Terminal, number: signal.Signals):
    terminal.until("No jobs yet")
    terminal.run(PROGRAM, "submit", "--name", "steady", "--", "sleep", "1000")
    terminal.until(r"> steady +Running")
    terminal.kill_program(number)
    terminal.until(rf"ended with {128 + number}")
    assert "Running" in terminal.run(PROGRAM, "jobs", "-o", "table")


def _row(screen: str, name: str) -> str:
    return next((line for line in screen.splitlines() if f" {name} " in line), "")
