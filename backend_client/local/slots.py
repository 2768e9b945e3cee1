"""GPUs as slots: one file each, held by the processes of the job that has the GPU. Standard library alone.

A slot is free when no process locks its file (flock) any more, and the job that took it has given it back
or is dead: what a killed supervisor leaves may not have inherited the lock. Reading and taking both happen
under the root's lock, so that a reader never makes a taker fail.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from backend_client.local.state_dir import (
    Process,
    StateDir,
    is_locked,
    pids,
    private_file,
    private_folder,
    read_json,
)


class HeldSlots(NamedTuple):
    """Slots that are ours: their ids, and the descriptors that hold them."""

    ids: tuple[str, ...]
    fds: tuple[int, ...]


class SlotHolder(NamedTuple):
    """Who holds a slot: a job, a process that a job has left, or (no uid) a process of another user."""

    slot: str
    uid: str = ""
    pid: int = 0
    """Of the process that is left; 0 where the job itself holds the slot."""
    program: str = ""


class Wait(NamedTuple):
    """What a job in the queue waits for."""

    ahead: str
    """The uid of the first job before it; "" where it is the first."""
    behind: bool
    """Others wait behind it."""
    free: tuple[str, ...]
    holders: tuple[SlotHolder, ...]


def enqueue(root: StateDir, uid: str, created: int, turn: str = "") -> None:
    """Add a ticket to the queue for GPUs, or to that of a turn.

    Call under the root's lock; `created` in nanoseconds gives the position.
    """
    folder = root.turns / turn if turn else root.queue
    if turn:
        private_folder(folder)
    last = max((int(ticket.partition("-")[0]) for ticket, _ in _tickets(folder)), default=0)
    os.close(private_file(folder / f"{max(created, last + 1):020d}-{uid}", os.O_WRONLY))


def is_queued(root: StateDir, uid: str) -> bool:
    """Check whether a job has a ticket in the queue for GPUs. Call under the root's lock."""
    return any(owner == uid for _, owner in _tickets(root.queue))


def leave(root: StateDir, uid: str, turn: str = "") -> None:
    """Remove a job's tickets from the queue for GPUs, or from that of its turn."""
    folder = root.turns / turn if turn else root.queue
    for ticket, owner in _tickets(folder):
        if owner == uid:
            (folder / ticket).unlink(missing_ok=True)
    if turn:
        with contextlib.suppress(OSError):  # others are in it
            folder.rmdir()


def behind_in_turn(root: StateDir, uid: str, turn: str) -> str:
    """Return the name of the job whose end a job of the same turn waits for, or ""."""
    with root.locked():
        ahead = _first_in_line(root, root.turns / turn, uid)
        return _name(root, ahead) if ahead else ""


def take(root: StateDir, uid: str, count: int, ids: Sequence[str], foreign: Sequence[str]) -> HeldSlots | str:
    """Take `count` slots, or return why not yet. `foreign`: those that other users' processes use."""
    with root.locked():
        ahead = _first_in_line(root, root.queue, uid)
        if ahead:
            return f"waits for {gpu_count(count)}; behind {_name(root, ahead)}"
        if count > len(ids):
            return f"waits for {gpu_count(count)}; this machine has {len(ids)} now"
        free = [slot for slot in ids if slot not in foreign and not _is_held(root, root.slots / slot)]
        if len(free) < count:
            return f"waits for {gpu_count(count)}; {_holders(root, ids, foreign)}"
        taken = tuple(free[:count])
        fds = tuple(_hold(root.slots / slot, uid) for slot in taken)
        leave(root, uid)
        return HeldSlots(taken, fds)


def look(root: StateDir, uid: str, ids: Sequence[str], foreign: Sequence[str]) -> Wait:
    """Look what a job waits for; takes nothing. `foreign`: slots that other users' processes use."""
    with root.locked():
        ahead = _first_in_line(root, root.queue, uid)
        behind = any(owner != uid and root.alive(owner) for _, owner in _tickets(root.queue))
        held = [slot for slot in ids if _is_held(root, root.slots / slot)]
        holders = [_slot_holder(root, slot) for slot in held]
        others = [SlotHolder(slot) for slot in ids if slot in foreign and slot not in held]
        free_now = tuple(slot for slot in ids if slot not in held and slot not in foreign)
        return Wait(ahead, behind, free_now, (*holders, *others))


def _slot_holder(root: StateDir, slot: str) -> SlotHolder:
    uid = _holder_uid(root.slots / slot)
    left = None if uid and root.alive(uid) else next(_processes_with(root.slots / slot), None)
    return SlotHolder(slot, uid, left.pid, left.name) if left else SlotHolder(slot, uid)


def held(root: StateDir, ids: Sequence[str]) -> dict[str, str]:
    """Return the slots that jobs of ours hold now, each with the uid of its job."""
    with root.locked():
        return {slot: _holder_uid(root.slots / slot) for slot in ids if _is_held(root, root.slots / slot)}


def release(root: StateDir, held: HeldSlots) -> None:
    """Give slots back; a process that has inherited one goes on holding it. Call under the root's lock."""
    for slot, fd in zip(held.ids, held.fds, strict=True):
        os.close(fd)
        if not is_locked(root.slots / slot):
            os.truncate(root.slots / slot, 0)


def gpu_count(count: int) -> str:
    """Return "1 GPU", "2 GPUs"."""
    return f"{count} GPU" if count == 1 else f"{count} GPUs"


def _tickets(folder: Path) -> list[tuple[str, str]]:
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [(name, name.partition("-")[2]) for name in names]


def _first_in_line(root: StateDir, folder: Path, uid: str) -> str:
    """Return the first job before `uid` in a queue, or "". Tickets of dead jobs are removed."""
    for ticket, owner in _tickets(folder):
        if owner == uid:
            return ""
        if root.alive(owner):
            return owner
        (folder / ticket).unlink(missing_ok=True)
    return ""


def _hold(path: Path, uid: str) -> int:
    fd = private_file(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with contextlib.suppress(OSError):  # the lock counts; the name of its holder is lost on a full disk
        os.pwrite(fd, uid.encode(), 0)
        os.ftruncate(fd, len(uid))
    return fd


def _is_held(root: StateDir, path: Path) -> bool:
    return is_locked(path) or (bool(uid := _holder_uid(path)) and root.alive(uid))


def _holder_uid(path: Path) -> str:
    """Return the uid of the job that took a slot last, "" where it was given back."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text()
    return ""


def _holders(root: StateDir, ids: Sequence[str], foreign: Sequence[str]) -> str:
    held_by: dict[str, int] = {}
    for slot in ids:
        path = root.slots / slot
        if _is_held(root, path):
            who = _holder(root, path)
        elif slot in foreign:
            who = "another user"
        else:
            continue
        held_by[who] = held_by.get(who, 0) + 1
    return ", ".join(f"{who} holds {count}" for who, count in held_by.items())


def _holder(root: StateDir, path: Path) -> str:
    """Name the job that holds a slot; or, of a job that has ended, the process that it left behind."""
    uid = _holder_uid(path)
    if uid and root.alive(uid):
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
