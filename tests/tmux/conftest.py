"""A terminal with the real program in it, over a state of its own."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.tmux.support.terminal import Terminal

PROGRAM = str(Path(sys.executable).with_name("traindeck"))


@contextlib.contextmanager
def program(folder: Path, command: Sequence[str] = (PROGRAM,), **more: str) -> Iterator[Terminal]:
    """`traindeck` at 80x24 with no settings and a state of its own, in a given environment.

    `command`: what runs in the terminal in its place.
    """
    if not shutil.which("tmux"):
        pytest.skip("needs tmux: install it (Debian, Ubuntu: apt install tmux)")
    folders = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("STATE", "CONFIG", "CACHE")}
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "screen-256color"}
    with (
        tempfile.TemporaryDirectory(prefix="deck-") as short,  # a socket's path is at most 108 bytes long
        Terminal(Path(short) / "tmux", [*command], {**env, **folders, **more}, (80, 24)) as pane,
    ):
        yield pane


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Over this machine, with two GPU slots and no job; the jobs that it leaves are ended."""
    with program(tmp_path, TRAINDECK_LOCAL__GPUS="2") as pane:
        yield pane
        names = pane.run(PROGRAM, "jobs", "-o", "name").split()
        if names:
            pane.run(PROGRAM, "delete", "--yes", *names)
