"""GPUs as slots: one file each, held by the processes of the job that has the GPU. Standard library alone.

A slot is free when no process locks its file (flock) any more. Reading and taking both happen under the
root's lock, so that a reader never makes a taker fail.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from backend_client.local.state_dir import Process, StateDir, is_locked, pids, private_file, read_json


class HeldSlots(NamedTuple):
    """Slots that are ours: their ids, and the descriptors that hold them."""

    ids: tuple[str, ...]
    fds: tuple[int, ...]


def enqueue(root: StateDir, uid: str, created: int) -> None:
    """Add a ticket to the queue. Call under the root's lock; `created` in nanoseconds gives the position."""
    last = max((int(ticket.partition("-")[0]) for ticket, _ in _tickets(root)), default=0)
    os.close(private_file(root.queue / f"{max(created, last + 1):020d}-{uid}", os.O_WRONLY))


def leave(root: StateDir, uid: str) -> None:
    """Remove a job's tickets from the queue."""
    for ticket, owner in _tickets(root):
        if owner == uid:
            (root.queue / ticket).unlink(missing_ok=True)


def take(root: StateDir, uid: str, count: int, ids: Sequence[str], foreign: Sequence[str]) -> HeldSlots | str:
    """Take `count` slots, or return why not yet. `foreign`: those that other users' processes use."""
    with root.locked():
        ahead = _first_in_line(root, uid)
        if ahead:
            return f"waits for {gpu_count(count)}; behind {_name(root, ahead)}"
        free = [slot for slot in ids if slot not in foreign and not is_locked(root.slots / slot)]
        if len(free) < count:
            return f"waits for {gpu_count(count)}; {_holders(root, ids, foreign)}"
        taken = tuple(free[:count])
        fds = tuple(_hold(root.slots / slot, uid) for slot in taken)
        leave(root, uid)
        return HeldSlots(taken, fds)


def free(root: StateDir, ids: Sequence[str]) -> list[str]:
    """List the slots that no job of ours holds now."""
    with root.locked():
        return [slot for slot in ids if not is_locked(root.slots / slot)]


def gpu_count(count: int) -> str:
    """Return "1 GPU", "2 GPUs"."""
    return f"{count} GPU" if count == 1 else f"{count} GPUs"


def _tickets(root: StateDir) -> list[tuple[str, str]]:
    names = sorted(path.name for path in root.queue.iterdir())
    return [(name, name.partition("-")[2]) for name in names]


def _first_in_line(root: StateDir, uid: str) -> str:
    """Return the first job before `uid` in the queue, or "". Tickets of dead jobs are removed."""
    for ticket, owner in _tickets(root):
        if owner == uid:
            return ""
        if root.alive(owner):
            return owner
        (root.queue / ticket).unlink(missing_ok=True)
    return ""


def _hold(path: Path, uid: str) -> int:
    fd = private_file(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.ftruncate(fd, 0)
    os.write(fd, uid.encode())
    return fd


def _holders(root: StateDir, ids: Sequence[str], foreign: Sequence[str]) -> str:
    held_by: dict[str, int] = {}
    for slot in ids:
        path = root.slots / slot
        if is_locked(path):
            who = _holder(root, path)
        elif slot in foreign:
            who = "another user"
        else:
            continue
        held_by[who] = held_by.get(who, 0) + 1
    return ", ".join(f"{who} holds {count}" for who, count in held_by.items())


def _holder(root: StateDir, path: Path) -> str:
    """Name the job that holds a slot; or, of a job that has ended, the process that it left behind."""
    uid = path.read_text()
    if root.alive(uid):
        return _name(root, uid)
    left = next(_processes_with(path), None)
    return f"process {left.pid} ({left.name}), left by {_name(root, uid)}," if left else _name(root, uid)


def _processes_with(path: Path) -> Iterator[Process]:
    """Yield our processes that have a file open."""
    target = path.resolve()
    for pid in pids():
        with contextlib.suppress(OSError):
            if any(fd.readlink() == target for fd in Path(f"/proc/{pid}/fd").iterdir()):
                yield Process(pid)


def _name(root: StateDir, uid: str) -> str:
    try:
        return str(read_json(root.record(uid))["name"])
    except (OSError, ValueError, KeyError):
        return "a deleted job"
