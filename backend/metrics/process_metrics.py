"""The server's own process as metrics, by the names that every client library gives them; out of /proc."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

from backend.metrics.text_format import Family, Sample

_PROC = Path("/proc/self")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def process_families(proc: Path = _PROC) -> list[Family]:
    """Return CPU, memory, files and the start of this process; without /proc, what is known without."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    fields = [
        ("process_cpu_seconds_total", "counter", "CPU seconds.", lambda: used.ru_utime + used.ru_stime),
        (
            "process_resident_memory_bytes",
            "gauge",
            "Memory in use.",
            lambda: int((proc / "statm").read_text().split()[1]) * _PAGE,
        ),
        ("process_open_fds", "gauge", "Open files and connections.", lambda: len([*(proc / "fd").iterdir()])),
        (
            "process_max_fds",
            "gauge",
            "How many may be open.",
            lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        ),
        (
            "process_start_time_seconds",
            "gauge",
            "When the process started, in seconds since 1970.",
            lambda: _start_time(proc),
        ),
    ]
    return [Family(name, kind, help_, _sample(read)) for name, kind, help_, read in fields]  # type: ignore[arg-type]  # the table's literals


def _sample(read: Callable[[], float]) -> list[Sample]:
    try:
        return [Sample(read())]
    except (OSError, ValueError, IndexError, StopIteration):
        return []


def _start_time(proc: Path) -> float:
    """Return the start of the process: ticks after the boot, in the 22nd field of stat, behind the name."""
    ticks = int((proc / "stat").read_text().rpartition(")")[2].split()[19])
    lines = (proc.parent / "stat").read_text().splitlines()
    boot = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
    return boot + ticks / _TICKS
