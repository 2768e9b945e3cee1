"""Find and end the processes of a job, whatever session or parent they have by now. Standard library alone.

While its supervisor or guard lives, all that a job has started descends from it: both are subreapers
(prctl(2)), so what is orphaned becomes their child. After both were killed, processes are known by what they
inherited: the job's mark in their environment, an open file of the job's, its session. Another job's
supervisor is never one of them, wherever it was started from: that is a job of its own.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from backend_client.local.state_dir import Process, StateDir, boot_id, is_running, pids

BOOT_MODULE = "backend_client.local.supervisor"
"""What stands in the command line of every supervisor and guard."""
_ROUNDS = 200
"""Times to look for processes that were forked while others were killed, before waiting for an event."""


def descendants(pid: int) -> list[Process]:
    """List what descends from a process and has not ended, without other jobs."""
    return _with_descendants(alive(), lambda process: process.parent == pid)


def is_anything_left() -> bool:
    """Return True while something descends from this process; another job's supervisor does not count."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    # A child that no look at /proc finds was forked meanwhile, unless it is the one that is not to be found.
    return bool(descendants(os.getpid())) or not any(
        is_supervisor(process.pid) for process in alive() if process.parent == os.getpid()
    )


def leftovers(root: StateDir, uid: str, leader: dict[str, Any] | None) -> list[Process]:
    """List the processes that a job has left behind, which no supervisor of it knows any more.

    `leader`: the identity of the attempt's first process, where it is recorded.
    """
    mark, held = job_mark(root, uid), {os.path.realpath(root.job(uid) / "held"), *_slots_of(root, uid)}
    session = leader["pid"] if leader and leader.get("boot") == boot_id() and is_running(leader) else None

    def is_ours(process: Process) -> bool:
        return session in (process.group, process.session) or _has_mark(process.pid, mark, held)

    return [] if _of_another_boot(leader) else _with_descendants(alive(), is_ours)


def signal_all(processes: Iterable[Process], number: int) -> None:
    """Send a signal to these processes, and to none that has the number of one by now."""
    for process in processes:
        with contextlib.suppress(OSError):
            fd = os.pidfd_open(process.pid)
            try:
                if Process(process.pid).start == process.start:
                    signal.pidfd_send_signal(fd, number)
            finally:
                os.close(fd)


def kill_all(find: Callable[[], list[Process]]) -> None:
    """SIGKILL all that `find` lists, and what was forked meanwhile, until it lists no new ones."""
    killed: set[tuple[int, int]] = set()
    for _ in range(_ROUNDS):
        new = [process for process in find() if (process.pid, process.start) not in killed]
        if not new:
            return
        signal_all(new, signal.SIGKILL)
        killed |= {(process.pid, process.start) for process in new}


def alive() -> Iterator[Process]:
    """Yield the processes of this machine that have not ended, of all users as far as they are shown."""
    for pid in pids():
        with contextlib.suppress(OSError, ValueError):
            if not (process := Process(pid)).has_ended:
                yield process


def _with_descendants(processes: Iterable[Process], is_ours: Callable[[Process], bool]) -> list[Process]:
    every = list(processes)
    children: dict[int, list[Process]] = {}
    for process in every:
        children.setdefault(process.parent, []).append(process)
    found: dict[int, Process] = {}
    waiting = [process for process in every if is_ours(process)]
    while waiting:
        process = waiting.pop()
        if process.pid not in found and process.pid != os.getpid() and not is_supervisor(process.pid):
            found[process.pid] = process
            waiting += children.get(process.pid, ())
    return list(found.values())


def is_supervisor(pid: int) -> bool:
    """Return True for the supervisor or guard of a job: what descends from it is another job."""
    with contextlib.suppress(OSError):
        return BOOT_MODULE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _of_another_boot(leader: dict[str, Any] | None) -> bool:
    return bool(leader and leader.get("boot") != boot_id())


def _slots_of(root: StateDir, uid: str) -> list[str]:
    with contextlib.suppress(OSError):
        return [os.path.realpath(path) for path in root.slots.iterdir() if path.read_text() == uid]
    return []


def job_mark(root: StateDir, uid: str) -> str:
    """Return the value of TRAINDECK_JOB, in the environment of all that a job starts: the job's folder.

    A uid alone marks nothing: it comes of the key of the create, which two state folders may both have.
    """
    return os.path.realpath(root.job(uid))


def environment(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with; nothing where we may not see it."""
    with contextlib.suppress(OSError):
        words = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes()).split("\0")
        return dict(word.split("=", 1) for word in words if "=" in word)
    return {}


def _has_mark(pid: int, mark: str, held: set[str]) -> bool:
    """Return True where a process has the job's mark in its environment, or writes to a file of `held`."""
    if environment(pid).get("TRAINDECK_JOB") == mark:
        return True
    with contextlib.suppress(OSError):
        # Open for writing: a backup or a search that reads the folder just now is no part of the job.
        return any(
            str(Path(entry.path).readlink()) in held and entry.stat(follow_symlinks=False).st_mode & 0o200
            for entry in os.scandir(f"/proc/{pid}/fd")
        )
    return False
