"""ctrl+z: the shell has its terminal back, `fg` brings the program back as it was."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tmux.support.terminal import Terminal

pytestmark = pytest.mark.tmux
ROOT = Path(__file__).parents[2]
CHILD = [sys.executable, "-m", "tests.tui.support.child", "plain"]


def terminal(command: list[str], home: Path) -> Iterator[Terminal]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "screen-256color"}
    env |= {"PYTHONPATH": str(ROOT), "PS1": "shell> ", "ESCDELAY": "100"}
    with (
        tempfile.TemporaryDirectory(prefix="deck-") as short,
        Terminal(Path(short) / "tmux", command, env, (80, 24)) as pane,
    ):
        yield pane


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Terminal]:
    for pane in terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path):
        pane.until("shell>")
        pane.type(" ".join(CHILD) + "\n")
        pane.until("job-00002")
        yield pane


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Terminal]:
    yield from terminal(CHILD, tmp_path)


def run(shell: Terminal, command: str, what: str) -> None:
    shell.type(f"clear; {command}\n")
    shell.until(what)


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_the_form_back(shell: Terminal):
    shell.type("n")
    shell.until("New job")
    shell.type("abc")
    shell.until("abc")
    shell.keys("C-z")
    shell.until("Stopped")
    run(shell, "stty -a | grep -o ' echo '", r"(?m)^ ?echo ?$")
    run(shell, "bg", "&")
    # In the background it may not write, so it stops again; the shell says so at its next prompt.
    shell.until(lambda screen: "Stopped" in screen or bool(shell.type("\n")))
    run(shell, "fg", "New job")
    shell.until("abc")
    shell.type("def")
    shell.until("abcdef")


def test_a_stop_that_nobody_saw_coming_is_mended_by_fg(shell: Terminal):
    shell.kill_program(signal.SIGSTOP, below=2)
    shell.until("Stopped")
    shell.type("fg\n")
    shell.until_gone("Stopped")
    shell.until("job-00002")
    shell.type("q")
    # Its last screen goes before it does: until the shell asks, what is typed is read by nobody.
    shell.until(lambda screen: screen.rstrip().endswith("shell>"))
    run(shell, "stty -a | grep -o ' echo '", r"(?m)^ ?echo ?$")


def test_where_no_shell_waits_it_goes_on_and_says_so(bare: Terminal):
    bare.until("job-00002")
    bare.keys("C-z")
    bare.until("No shell is waiting here")
    bare.type("n")
    bare.until("New job")
