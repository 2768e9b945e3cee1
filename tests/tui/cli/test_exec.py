"""`exec` and `shell` in a job of this machine: pipes, a terminal of our own, and how they end."""

import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pty_app import PtyApp
from tests.support.wait import until

TRAINDECK = [sys.executable, "-m", "tui", "--context", "local"]
BYTES = bytes(range(256)) * 8192
PID = rb"pid-(\d+)-"
EDITS = "printf '\\033[?1049h\\033[?25l\\033[31mred\\n'\n"
PASTES_PLAINLY = b"\x1b[?2004l"
RESET = b"\x1b[?1049l\x1b[?25h\x1b[0m"
"""What an editor sets that is ended in the middle, and what puts it back."""


class Place:
    """One job that runs, with a mark of its own, and verbs about it."""

    def __init__(self, folder: Path) -> None:
        folders = {f"XDG_{name}_HOME": str(folder / name) for name in ("STATE", "CONFIG", "CACHE")}
        self.env = {**os.environ, **folders, "TERM": "xterm", "KUBECONFIG": "/dev/null"}
        self.done("submit", "--name", "box", "--env", "COLOUR=a b", "--", "sleep", "600")
        self.done("wait", "box", "--for", "running")

    def done(self, *words: str, given: bytes = b"", code: int = 0) -> bytes:
        done = subprocess.run(
            [*TRAINDECK, *words], env=self.env, input=given, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == code, done
        return done.stdout

    def shell(self) -> PtyApp:
        return PtyApp([*TRAINDECK, "shell", "box"], self.env)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.done("delete", "--yes", "box")


def in_shell(app: PtyApp) -> None:
    """Wait until the shell has the terminal, and answers."""
    app.until(b"connecting to box")
    app.keys("PS1=; unset HISTFILE; echo is-$COLOUR-here\n")
    app.until(b"is-a b-here")


def echoes(app: PtyApp) -> bool:
    return bool(termios.tcgetattr(app._fd)[3] & termios.ECHO)


def test_pipes_are_exact_and_the_code_is_the_commands(place: Place):
    assert place.done("exec", "-i", "box", "--", "cat", given=BYTES) == BYTES
    assert place.done("exec", "box", "--", "sh", "-c", "echo $COLOUR; exit 3", code=3) == b"a b\n"
    assert place.done("exec", "-i", "box", "--", "head", "-c", "2", given=BYTES) == BYTES[:2]
    assert place.done("shell", "box", given=b"echo $((6 * 7)); exit 5\n", code=5) == b"42\n"
    place.done("exec", "box", "--", "no-such-command", code=127)
    place.done("exec", "box", "--rank", "2", "--", "true", code=125)
    place.done("exec", "box", code=125)
    place.done("exec", "nobody", "--", "true", code=125)
    place.done("--read-only", "shell", "box", code=125)


def test_a_file_as_input(place: Place, tmp_path: Path):
    (tmp_path / "file").write_bytes(BYTES)
    with (tmp_path / "file").open("rb") as file:
        argv = [*TRAINDECK, "exec", "-i", "box", "--", "cat"]
        assert (
            subprocess.run(argv, env=place.env, stdin=file, capture_output=True, check=True).stdout == BYTES
        )


def test_a_terminal_is_passed_on_and_put_back(place: Place):
    with place.shell() as app:
        in_shell(app)
        app.keys("stty size\n")
        app.until(b"24 80\r\n")
        app.resize(100, 30)
        app.keys("sleep 0.1; stty size\n")
        app.until(b"30 100\r\n")
        app.keys("sh -c 'echo go-; exec sleep 500'\n")  # in its own group by the time that it prints
        app.until(b"go-\r\n")
        app.keys("\x03")
        app.keys("echo code-$?\n")
        app.until(b"code-130")
        assert b"\x1b[?1049l" not in app.sent
        app.keys(EDITS)
        app.until(b"red\r\n")
        app.keys("exit 9\n")
        assert app.wait() == 9
        assert echoes(app)
        assert app.sent.endswith(RESET)


@pytest.mark.parametrize("how", ["keys", "signal"])
def test_who_leaves_it_leaves_nothing_behind(place: Place, how: str):
    with place.shell() as app:
        in_shell(app)
        app.keys("(trap '' HUP; exec sleep 27182) & echo pid-$!-\n")
        app.until(lambda sent: re.search(PID, sent) is not None)
        pid = int(re.findall(PID, app.sent)[0])
        assert Path(f"/proc/{pid}").exists()
        app.keys(EDITS)
        app.until(b"red\r\n")
        if how == "keys":
            app.keys("\r~.")
        else:
            os.kill(app.pid, signal.SIGTERM)
        assert app.wait() == (125 if how == "keys" else 143)
        assert echoes(app)
        assert RESET in app.sent.replace(
            PASTES_PLAINLY, b""
        )  # where the shell had asked for a prompt's marks
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_it_ends_with_its_job(place: Place):
    with place.shell() as app:
        in_shell(app)
        place.done("stop", "box")
        assert app.wait() not in (None, 0)
        assert echoes(app)
