"""A server and two people, by keyboard alone at 80x24, in real terminals."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wait import PATIENCE, until
from tests.tmux.conftest import PROGRAM, program
from tests.tmux.support.terminal import Terminal

pytestmark = pytest.mark.tmux

ROOT_PASSWORD, ADA_PASSWORD = "correct horse battery", "another long password"
ADD = f"echo '{ADA_PASSWORD}' | {PROGRAM} users add ada --role researcher --password-stdin"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """`traindeck serve --local`: its address and its set-up code, as its terminal shows them."""
    log = tmp_path / "serve.log"
    words = [PROGRAM, "serve", "--local", "--listen", "127.0.0.1:0", "--folder", str(tmp_path / "server")]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    with log.open("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=env)
    try:
        yield told(log, r"serves at http://(\S+)"), told(log, r"one hour: (\S+)")
    finally:
        process.terminate()
        process.wait(PATIENCE)


def told(log: Path, what: str) -> str:
    """What the server tells its terminal, when it does."""
    return until(lambda: re.search(what, log.read_text()), message=log.read_text)[1]


def enter(terminal: Terminal, *lines: str) -> None:
    for line in lines:
        terminal.type(line)
        terminal.keys("Enter")


def become_admin(terminal: Terminal, address: str, code: str) -> None:
    """Make the first account of a server, in a program that was just started."""
    terminal.until("No jobs yet")
    terminal.keys("a")
    terminal.until("https://traindeck.example.org")
    enter(terminal, address)
    terminal.until("it has no admin yet")
    enter(terminal, "root", ROOT_PASSWORD, ROOT_PASSWORD, code)
    terminal.until(rf"traindeck  {address}")
    terminal.until("No jobs yet")


def test_log_in_run_a_job_and_nobody_else_sees_it(server: tuple[str, str], tmp_path: Path):
    address, code = server
    with program(tmp_path, SSH_CONNECTION="1 2 3 4") as terminal:
        become_admin(terminal, address, code)

        terminal.keys("n")
        terminal.until("examples/train.py")
        terminal.keys("F2")
        terminal.until("Run it here")
        terminal.keys("Right", "Enter")
        terminal.until(r"> train +Running")
        terminal.until(r"step \d+/2000 loss")
        terminal.run("sh", "-c", ADD)

        terminal.keys("a")
        terminal.until("an admin makes accounts")
        terminal.keys("BTab")
        enter(terminal, "ada", ADA_PASSWORD)
        terminal.until(rf"traindeck  ada@{address}")
        screen = terminal.until("No jobs yet")
        assert "train " not in screen.replace("traindeck ", "")

        terminal.keys("a")
        terminal.until("an admin makes accounts")
        terminal.keys("F4")
        terminal.until(r"You are not logged in at \S+ as ada\. +│")
        terminal.keys("Escape")
        terminal.until_gone("password")
        terminal.keys("q")
        terminal.until("ended with 0")
        assert "(admin)" in terminal.run(PROGRAM, "--context", address, "whoami")
        terminal.run(PROGRAM, "--context", address, "delete", "train", "--yes")
