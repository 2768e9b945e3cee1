"""A real terminal to test in: one tmux server per test, with keys to send and a screen to read."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path


class Terminal:
    """A tmux pane of a given size that runs one command. Close it, or use it as a context manager."""

    def __init__(self, socket: Path, command: list[str], env: Mapping[str, str], size: tuple[int, int]) -> None:
        self._socket = str(socket)
        columns, rows = size
        settings = [f"{key}={value}" for key, value in env.items()]
        line = shlex.join(["env", "-i", *settings, *command]) + "; echo ended with $?; exec sleep 1000"
        clean = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", self._socket, "new-session", "-d", "-x", str(columns), "-y", str(rows), line],
            check=True,
            env=clean,
        )

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server", check=False)

    def _tmux(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(["tmux", "-S", self._socket, *words], capture_output=True, text=True, check=check)
        return done.stdout

    def keys(self, *keys: str) -> None:
        """Press keys, named as tmux names them: "Enter", "Escape", "F2", "C-p", "n"."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def until(self, what: str | Callable[[str], bool], seconds: float = 20) -> str:
        """Wait until the screen matches (a regex, or a test of the whole screen); the screen then."""
        matches = what if callable(what) else lambda text: re.search(what, text) is not None
        deadline = time.monotonic() + seconds
        while not matches(screen := self.screen()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not on screen in {seconds} s: {what}\n{screen}")
            time.sleep(0.05)
        return screen

    def until_gone(self, what: str, seconds: float = 20) -> str:
        return self.until(lambda text: re.search(what, text) is None, seconds)
