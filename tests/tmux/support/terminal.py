"""A real terminal to test in: one tmux server per test, with keys to send and a screen to read."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.wait import PATIENCE, until


class Terminal:
    """A tmux pane of a given size that runs one command. Close it, or use it as a context manager."""

    def __init__(
        self, socket: Path, command: list[str], env: Mapping[str, str], size: tuple[int, int]
    ) -> None:
        self._socket = str(socket)
        self._env = dict(env)
        columns, rows = size
        settings = [f"{key}={value}" for key, value in env.items()]
        line = shlex.join(["env", "-i", *settings, *command]) + "; echo ended with $?; exec sleep 1000"
        clean = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        size_words = ["-x", str(columns), "-y", str(rows)]
        session = ["-f", "/dev/null", "-S", self._socket, "new-session", "-d", *size_words, line]
        subprocess.run(["tmux", *session], check=True, env=clean)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server", check=False)

    def _tmux(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", self._socket, *words], capture_output=True, text=True, check=check
        )
        return done.stdout

    def run(self, *command: str) -> str:
        """Run another command in the pane's environment; its output."""
        return subprocess.run(command, env=self._env, capture_output=True, text=True, check=True).stdout

    def kill_program(self, number: int, *, below: int = 1) -> None:
        """Send a signal to what runs in the pane, or so many processes below it."""
        pid = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        for _ in range(below):
            pid = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        os.kill(int(pid), number)

    def keys(self, *keys: str) -> None:
        """Press keys, named as tmux names them: "Enter", "Escape", "F2", "C-p", "n"."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def until(self, what: str | Callable[[str], bool], seconds: float = PATIENCE) -> str:
        """Wait until the screen matches (a regex, or a test of the whole screen); the screen then."""
        matches = what if callable(what) else lambda text: re.search(what, text) is not None
        screens: list[str] = []

        def on_screen() -> bool:
            screens[:] = [self.screen()]
            return matches(screens[0])

        until(on_screen, seconds, message=lambda: f"{what}\n{screens[0]}", pause=0.05)
        return screens[0]

    def until_gone(self, what: str, seconds: float = PATIENCE) -> str:
        return self.until(lambda text: re.search(what, text) is None, seconds)
