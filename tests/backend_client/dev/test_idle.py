"""The loop of a dev job under real shells: when it ends by itself, and what counts as use."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from backend_client.dev import job
from tests.support.wait import until

SCRIPT = Path(job.__file__).with_name("idle.sh").read_text()
V1, V2 = "sys/fs/cgroup/cpuacct/cpuacct.usage", "sys/fs/cgroup/cpu.stat"
WHILE = 8
"""Seconds without use: after a quarter of it that is said, and then there is time enough to use it again."""


def shells() -> list[list[str]]:
    """Every sh of this machine, busybox's of the test cluster too."""
    box = shutil.which("busybox") or str(Path(os.environ.get("TRAINDECK_CLUSTER_BIN", "/none")) / "busybox")
    wanted = [["dash"], ["bash"], ["bash", "--posix"], [box, "sh"]]
    return [[shutil.which(words[0]) or "", *words[1:]] for words in wanted if shutil.which(words[0])]


class Loop:
    """One run of the script, over files in place of a pod's."""

    def __init__(self, folder: Path, shell: Sequence[str]) -> None:
        self.folder, self.shell, self.log = folder, shell, folder / "log"
        self.env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "TZ": "UTC"}
        self.env.pop("TRAINDECK_JOB", None)
        self.terminal = folder / "root/dev/pts/0"
        self.write("root/dev/pts/0", "")
        self.write(f"root/{V2}", "usage_usec 1000\nuser_usec 900\n")
        self.running: subprocess.Popen[bytes] | None = None

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name("draft")
        draft.write_text(text)
        draft.replace(path)  # as a kernel shows it: whole
        return path

    def nvidia_smi(self, *lines: str, code: int = 0) -> None:
        says = self.write("says", "".join(f"{line}\n" for line in lines))
        self.write("nvidia-smi", f"#!/bin/sh\ncat {says}\nexit {code}\n").chmod(0o700)

    def start(self, idle: int, limit: int = 0, gpus: int = 0, interval: float = 0.1, root: str = "") -> None:
        words = [*self.shell, "-c", SCRIPT, "dev", *map(str, (idle, limit, gpus, interval))]
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(
                [*words, root or str(self.folder / "root")],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
            )

    def says(self, words: str) -> str:
        return until(lambda: words in self.text and self.text, message=lambda: self.text)

    @property
    def text(self) -> str:
        return self.log.read_text()

    def ended(self) -> int:
        assert self.running
        return self.running.wait(60)


@pytest.fixture
def loop(request, tmp_path: Path) -> Iterator[Loop]:
    made = Loop(tmp_path, getattr(request, "param", ["sh"]))
    yield made
    if made.running:
        made.running.kill()
        made.running.wait()


every_shell = pytest.mark.parametrize(
    "loop", shells(), indirect=True, ids=lambda words: "-".join([Path(words[0]).name, *words[1:]])
)


@every_shell
@pytest.mark.parametrize("group", [V1, V2])
def test_it_ends_with_0_when_nothing_happens(loop: Loop, group: str):
    (loop.folder / "root" / V2).unlink()
    loop.write(f"root/{group}", "usage_usec 1000\n" if group == V2 else "1000000\n")
    loop.start(1)
    assert loop.ended() == 0
    first, *_, last = loop.text.splitlines()
    assert first == "waits for a shell; ends by itself when it has been idle for 1 s"
    assert last.startswith("idle since ")
    assert last.endswith(" UTC: ends now")
    assert "cannot" not in loop.text


@pytest.mark.parametrize("use", ["cpu", "typed", "printed", "a terminal comes", "gpu"])
def test_use_begins_the_time_anew(loop: Loop, use: str):
    loop.nvidia_smi("0", "0")
    loop.start(WHILE, gpus=2)
    loop.says("idle since")
    before = loop.terminal.stat()
    if use == "cpu":  # it goes on: one that comes all at once may fall between two looks
        used = itertools.count(9_001_000, 9_000_000)
        until(lambda: loop.write(f"root/{V2}", f"usage_usec {next(used)}\n") and "in use again" in loop.text)
    elif use == "typed":
        os.utime(loop.terminal, (before.st_atime + 8, before.st_mtime))
    elif use == "printed":
        os.utime(loop.terminal, (before.st_atime, before.st_mtime + 8))
    elif use == "gpu":
        loop.nvidia_smi("0", "37")
    else:
        loop.write("root/dev/pts/1", "")
    loop.says("in use again")


@pytest.mark.parametrize("figures", [("[N/A]",), ()])
def test_gpus_of_which_nothing_is_known_are_in_use(loop: Loop, figures: tuple[str, ...]):
    loop.nvidia_smi("0")
    loop.start(WHILE, gpus=1)
    loop.says("idle since")
    loop.nvidia_smi(*figures, code=0 if figures else 9)
    loop.says("in use again")


def test_without_gpus_nothing_is_asked_of_them(loop: Loop):
    loop.nvidia_smi("100")
    loop.start(1)
    assert loop.ended() == 0


def test_a_cpu_use_that_cannot_be_read_is_use(loop: Loop):
    (loop.folder / "root" / V2).unlink()
    loop.start(1)
    loop.says("CPU use cannot be read")
    began = time.monotonic()
    until(lambda: time.monotonic() > began + 2)
    assert loop.running
    assert loop.running.poll() is None
    assert "idle since" not in loop.text


@every_shell
@pytest.mark.parametrize("of", ["idle", "time"])
def test_it_warns_on_the_terminals_and_that_is_no_use(loop: Loop, of: str):
    loop.start(*((301, 0) if of == "idle" else (0, 301)))
    words = "any key keeps it" if of == "idle" else "unless it was extended"
    loop.says(words)
    until(lambda: words in loop.terminal.read_text())
    assert loop.text.count(words) == 1


@every_shell
def test_it_ends_at_once_when_it_is_stopped(loop: Loop):
    loop.start(0, interval=600)
    assert loop.running
    until(lambda: Path(f"/proc/{loop.running.pid}/task/{loop.running.pid}/children").read_text())
    loop.running.send_signal(signal.SIGTERM)
    assert loop.ended() == 0


def test_beside_other_jobs_only_its_own_processes_count(loop: Loop):
    """They are known by the mark that is in the environment of all that a local job starts."""
    loop.env["TRAINDECK_JOB"] = str(loop.folder)
    loop.start(WHILE, interval=1, root="/")
    loop.says("idle since")
    burns = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(burns, env=loop.env) as busy:
        loop.says("in use again")
        busy.kill()
