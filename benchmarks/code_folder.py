"""`traindeck submit --code`: from the command to the first line that the job prints, on a real node.

The files are random bytes, which nothing packs; what else is in a folder is zeros.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.real_node import RealNode, Row, on_real_node

FILES = 100
_ROUNDS = 3
_LIMIT = 20
"""MiB, the most that the setting takes."""
_MARK = b"here-it-runs"


def rows() -> list[Row]:
    """Return the rows of the table: (what, measured, target)."""
    return on_real_node("a folder that goes with a job", _measure)


def _measure(node: RealNode) -> list[Row]:
    return [
        *_sent(node, "5 MB of random bytes", packed=4_990_000, zeros=0, target="<= 3 s"),
        *_sent(
            node,
            f"50 MB, packed {_LIMIT} MiB: the most that a setting allows",
            packed=20_500_000,
            zeros=29_500_000,
            target="<= 15 s",
        ),
        _refused(node),
    ]


def _sent(node: RealNode, what: str, *, packed: int, zeros: int, target: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), packed, zeros)
        times = [_run(node, folder, f"sent-{packed}-{turn}") for turn in range(_ROUNDS)]
    made, runs = (median(column) for column in zip(*times, strict=True))
    return [
        (
            f"submit a folder of {what}: until its command runs",
            f"{runs:.1f} s, submitted after {made:.1f} s",
            target,
        )
    ]


def _fill(folder: Path, packed: int, zeros: int) -> None:
    for number in range(FILES):
        (folder / f"file-{number}").write_bytes(os.urandom(packed // FILES) + bytes(zeros // FILES))
    (folder / "main.sh").write_text(f"echo {_MARK.decode()}\n")


def _environment(node: RealNode) -> dict[str, str]:
    return node.environment() | {"TRAINDECK_KUBERNETES__CODE_LIMIT": str(_LIMIT)}


def _run(node: RealNode, folder: str, name: str) -> tuple[float, float]:
    """Submit the folder; return the seconds until that is done, and until its command runs."""
    began = time.perf_counter()
    argv = node.submission(name, "--code", folder, "--follow", script="sh main.sh")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(argv, env=_environment(node), **pipes) as program:  # type: ignore[call-overload]
        made = 0.0
        while _MARK not in (line := program.stdout.readline()):
            assert line, "it has ended"
            if b"is submitted" in line:
                made = time.perf_counter() - began
        runs = time.perf_counter() - began
    node.run(node.traindeck("delete", "--yes", name))
    return made, runs


def _refused(node: RealNode) -> Row:
    """Measure how long it takes to say that a folder is too large for any setting."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder), 50_000_000, 0)
        argv = node.submission("refused", "--code", folder, script="sh main.sh")
        began = time.perf_counter()
        done = subprocess.run(argv, capture_output=True, text=True, env=_environment(node), check=False)
        seconds = time.perf_counter() - began
    assert "--volume" in done.stderr, done.stderr
    return (
        "submit a folder of 50 MB of random bytes",
        f"refused after {seconds:.1f} s: {_LIMIT} MiB, packed, is the most",
        "",
    )
