"""A terminal with the real program in it, over a state of its own."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tmux.terminal import Terminal

PROGRAM = str(Path(sys.executable).with_name("traindeck"))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """`traindeck` at 80x24 with no job, no settings and two GPU slots; the jobs that it leaves are ended."""
    if not shutil.which("tmux"):
        pytest.skip("no tmux here: install it (Debian, Ubuntu: apt install tmux)")
    folders = {f"XDG_{name}_HOME": str(tmp_path / name.lower()) for name in ("STATE", "CONFIG", "CACHE")}
    env = {
        **folders,
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "TERM": "screen-256color",
        "TRAINDECK_LOCAL__GPUS": "2",
    }
    with (
        tempfile.TemporaryDirectory(prefix="deck-") as short,  # a socket's path is at most 108 bytes long
        Terminal(Path(short) / "tmux", [PROGRAM], env, (80, 24)) as pane,
    ):
        yield pane
    names = pane.run(PROGRAM, "jobs", "-o", "name").split()
    if names:
        pane.run(PROGRAM, "delete", "--yes", *names)
