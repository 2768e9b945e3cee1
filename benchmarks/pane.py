"""A program in a real tmux, watched through one control client: to look starts no process."""

import os
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

SIZE = (200, 50)
PATIENCE = 60.0


class Pane:
    """One pane of 200x50; programs are started in it one after another. Use it as a context manager."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        """Open a pane. `env` is all of the programs' environment; `folder` must be short, for the socket."""
        self._env = [f"{key}={value}" for key, value in env.items()]
        tmux = ["tmux", "-f", "/dev/null", "-S", str(folder / "tmux")]
        size = ["-x", str(SIZE[0]), "-y", str(SIZE[1])]
        clean = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        subprocess.run([*tmux, "new-session", "-d", *size, "exec sleep 1000"], check=True, env=clean)
        self._tmux = subprocess.Popen(
            [*tmux, "-C", "attach"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean, bufsize=0
        )
        self._unread = b""
        self._answer()

    def __enter__(self) -> "Pane":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._tmux.stdin is not None
        self._tmux.stdin.write(b"kill-server\n")
        self._tmux.stdin.close()
        self._tmux.wait()

    def start(self, argv: list[str]) -> float:
        """Start a program in place of what runs; return the moment, by `time.perf_counter`.

        In a new window each time: tmux 3.3 dies of a pane that is used again while a control client reads it.
        """
        began = time.perf_counter()
        self._ask(f"new-window -k -t :0 {shlex.join(['env', '-i', *self._env, *argv])}")
        return began

    def stop(self) -> None:
        """End the program that runs in the pane."""
        self.start(["sleep", "1000"])

    def pid(self) -> int:
        """Return the pid of the program that was started."""
        return int(self._ask("display-message -p '#{pane_pid}'")[0])

    def keys(self, text: str) -> float:
        """Type keys; return the moment before."""
        began = time.perf_counter()
        self._ask(f"send-keys -l {shlex.quote(text)}")
        return began

    def screen(self, *, colours: bool = False) -> str:
        """Return what stands on the screen; with its escapes where `colours` are wanted."""
        return "\n".join(self._ask(f"capture-pane -p{'e' * colours}"))

    def until(self, shows: Callable[[str], bool], *, colours: bool = False) -> float:
        """Wait for a screen, at each thing that is painted; return the moment. Raises TimeoutError."""
        end = time.perf_counter() + PATIENCE
        while not shows(screen := self.screen(colours=colours)):
            if time.perf_counter() > end:
                raise TimeoutError(f"not on screen in {PATIENCE:g} s:\n{screen}")
            self._painted()
        return time.perf_counter()

    def _painted(self) -> None:
        """Wait until the program has painted something."""
        while not self._line().startswith(b"%output"):
            pass

    def _ask(self, command: str) -> list[str]:
        assert self._tmux.stdin is not None
        self._tmux.stdin.write(f"{command}\n".encode())
        self._tmux.stdin.flush()
        return self._answer()

    def _answer(self) -> list[str]:
        while not self._line().startswith(b"%begin"):
            pass
        lines: list[str] = []
        while not (line := self._line()).startswith((b"%end", b"%error")):
            lines.append(line.decode(errors="replace"))
        if line.startswith(b"%error"):
            raise RuntimeError("\n".join(lines))
        return lines

    def _line(self) -> bytes:
        """Return the next line of the control client. Raises TimeoutError."""
        assert self._tmux.stdout is not None
        while b"\n" not in self._unread:
            if not select.select([self._tmux.stdout], [], [], PATIENCE)[0]:
                raise TimeoutError(f"nothing came from tmux in {PATIENCE:g} s")
            data = os.read(self._tmux.stdout.fileno(), 1 << 16)
            if not data:
                raise RuntimeError("tmux has ended")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line
