"""CPU and memory of a job's processes, out of /proc.

What belongs to a job descends from its supervisor, whatever session or parent it has by now (see
job_processes.py). Only such processes are read; none of another person ever is.

CPU is exact over processes that have ended where their parents have waited for them, as shells, data loaders
and the supervisor itself do: the kernel then counts their time to the parent. Where a parent ignores its
children (SIGCHLD ignored), what they used since the last look is lost, and the figure is too low by that.
"""

import contextlib
import functools
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from backend_client.local.job_processes import alive, is_supervisor
from backend_client.local.state_dir import Process

SHORTEST, LONGEST = 0.5, 100.0
"""Seconds between two readings of which CPU is told: of less it is too coarse, of more it is not "now"."""
_PSS_PART = 50
"""Of the time at most a 50th part goes to reading PSS, which takes the kernel 26 ms of CPU a GiB."""
_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class ProcessUse(NamedTuple):
    """What the processes of a job use now; None: not known."""

    pids: frozenset[int]
    cpu: float | None = None
    """Cores."""
    memory: int | None = None
    """Bytes: what several processes share is counted once."""


class ProcessTable:
    """The processes of this machine at one moment."""

    def __init__(self) -> None:
        self._children: dict[int, list[Process]] = {}
        self._users: set[int] = set()
        for process in alive():
            self._children.setdefault(process.parent, []).append(process)
            if not process.name.startswith(_MPS):
                self._users.add(process.pid)

    @property
    def strangers(self) -> set[int]:
        """The pids that could be strangers on a GPU. In a container none: its pids are not those of NVML."""
        return self._users if self._is_machine else set()

    @property
    def shows_all(self) -> bool:
        """True where a pid that is not shown is no process: others' are not hidden, or mean nothing."""
        return 1 in self._users or not self._is_machine

    @functools.cached_property
    def _is_machine(self) -> bool:
        with contextlib.suppress(OSError):
            return str(Path("/proc/self/ns/pid").readlink()) == _FIRST_NAMESPACE
        return False

    def below(self, supervisor: int) -> list[Process]:
        """List what descends from a job's supervisor, without other jobs that it may have started."""
        found: list[Process] = []
        waiting = list(self._children.get(supervisor, ()))
        while waiting:
            process = waiting.pop()
            if not is_supervisor(process.pid):
                found.append(process)
                waiting += self._children.get(process.pid, ())
        return found


_MPS = "nvidia-cuda-mps"
"""NVIDIA's server that jobs share a GPU through: it is on the card for the job."""
_FIRST_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO of the kernel: the pid namespace that all others are in."""


class _Stat(NamedTuple):
    """Some of /proc/PID/stat (proc(5))."""

    own: int
    """Clock ticks of CPU that it has used itself."""
    waited: int
    """Those of its children that have ended and that it has waited for."""
    pages: int
    """Of memory that are resident."""


def _stat(pid: int) -> _Stat:
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    fields = text[text.rindex(")") + 2 :].split()
    return _Stat(int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14]), int(fields[21]))


def _pss(pid: int) -> int:
    """Return bytes of memory, of what is shared its part. Raises OSError where we may not read it."""
    with Path(f"/proc/{pid}/smaps_rollup").open() as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


class _Look(NamedTuple):
    """The CPU time of a job at one moment, in clock ticks."""

    at: float
    total: int
    own: dict[tuple[int, int], int]
    """By pid and start of the processes that live."""


class JobMeter:
    """Reads one job again and again: CPU is what is used between two readings."""

    def __init__(self) -> None:
        self._look: _Look | None = None
        self._cpu: float | None = None
        self._shared = 1.0
        """The part of the resident memory that PSS was when it was read last."""
        self._pss_at = 0.0

    def read(self, processes: Iterable[Process], supervisor: int) -> ProcessUse:
        """Read what a job's processes use now."""
        stats: dict[tuple[int, int], _Stat] = {}
        for process in processes:
            with contextlib.suppress(OSError, ValueError):
                stats[process.pid, process.start] = _stat(process.pid)
        pids = frozenset(pid for pid, _ in stats)
        if not stats:
            return ProcessUse(pids)
        waited = sum(stat.waited for stat in stats.values())
        with contextlib.suppress(OSError, ValueError):
            waited += _stat(supervisor).waited
        own = {key: stat.own for key, stat in stats.items()}
        cpu = self._cores(_Look(time.monotonic(), sum(own.values()) + waited, own))
        return ProcessUse(
            pids, cpu, self._memory({pid: stat.pages * _PAGE for (pid, _), stat in stats.items()})
        )

    def _cores(self, look: _Look) -> float | None:
        """Return the cores used since the last look; None at the first."""
        before = self._look
        if before and look.at - before.at < SHORTEST:
            return self._cpu
        self._look, self._cpu = look, None
        if before and look.at - before.at <= LONGEST:
            self._cpu = _ticks_between(before, look) / _TICKS / (look.at - before.at)
        return self._cpu

    def _memory(self, resident: dict[int, int]) -> int:
        """Return what is used, shared memory counted once; of large jobs PSS is read now and then."""
        whole, now = sum(resident.values()), time.monotonic()
        if len(resident) == 1:
            return whole
        if now >= self._pss_at:
            parts, began = 0, time.thread_time()
            for pid, size in resident.items():
                try:
                    parts += _pss(pid)
                except (OSError, StopIteration):  # not ours to read, or an old kernel: RSS it is
                    parts += size
            self._shared = parts / whole if whole else 1.0
            self._pss_at = now + _PSS_PART * (time.thread_time() - began)
        return int(whole * self._shared)


def _ticks_between(before: _Look, look: _Look) -> int:
    """Return the CPU time between two looks; at least that of the processes that live in both.

    The total falls where ended processes have taken their time with them.
    """
    lasting = sum(ticks - before.own[key] for key, ticks in look.own.items() if key in before.own)
    return max(look.total - before.total, lasting)
