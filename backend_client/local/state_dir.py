"""StateDir: the layout of the state folder, its locks, and atomic writes in it.

Standard library alone: the supervisor imports this too.

    jobs/<uid>/job.json    the record: what was asked and what is
    jobs/<uid>/stop.json   who asked for the end, and when
    jobs/<uid>/log/        <attempt>.<segment>
    live/<uid>             locked (flock) by the job's supervisor for life; a byte written means: it changed
    slots/<id>             held by the processes of the job that has this GPU
    queue/<ticket>-<uid>   jobs that wait for slots, first come first
    trash/                 what is being removed
    lock                   held for a moment around create, allocation, recorded deaths and removal
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER_MODE, FILE_MODE = 0o700, 0o600
FOLDERS = ("jobs", "live", "slots", "queue", "trash")


class StateDir:
    """The state folder of one host."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs, self.live, self.slots, self.queue, self.trash = (path / part for part in FOLDERS)

    def job(self, uid: str) -> Path:
        return self.jobs / uid

    def record(self, uid: str) -> Path:
        return self.jobs / uid / "job.json"

    def stop(self, uid: str) -> Path:
        return self.jobs / uid / "stop.json"

    def log(self, uid: str) -> Path:
        return self.jobs / uid / "log"

    def create(self) -> None:
        """Create the folders that are missing, for the owner alone."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.path, *(self.path / part for part in FOLDERS)):
            private_folder(folder)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's one lock, for milliseconds."""
        fd = private_file(self.path / "lock", os.O_RDWR)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def alive(self, uid: str) -> bool:
        """Return True while the supervisor of this job lives."""
        return is_locked(self.live / uid)


def private_folder(path: Path) -> None:
    """Create a folder, 0700 whatever the umask; one that exists keeps its mode."""
    try:
        path.mkdir(FOLDER_MODE)
    except FileExistsError:
        return
    path.chmod(FOLDER_MODE)


def private_file(path: Path, flags: int) -> int:
    """Open (and create, 0600 whatever the umask) a file; never through a link at its end."""
    fd = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    os.fchmod(fd, FILE_MODE)
    return fd


def is_locked(path: Path) -> bool:
    """Return True while a process locks this file exclusively. Two readers do not disturb each other."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def write_json(path: Path, value: object) -> None:
    """Replace a file as a whole: a reader sees the old one or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    fd = private_file(draft, os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(fd, "wb") as file:
        file.write(json.dumps(value, separators=(",", ":")).encode())
    draft.replace(path)


def read_json(path: Path) -> Any:
    """Read the value in a file. Raises OSError or ValueError."""
    return json.loads(path.read_bytes())


def now() -> str:
    """Return the time as records have it: RFC 3339, UTC, microseconds."""
    return timestamp(time.time_ns())[:26] + "Z"


def timestamp(nanoseconds: int) -> str:
    """Return nanoseconds since the epoch as RFC 3339 with nine decimals, always 30 characters."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def boot_time() -> int:
    """Return when this machine was booted, nanoseconds since the epoch."""
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Process:
    """One process, from /proc/PID/stat (proc(5)). Raises OSError where there is none."""

    def __init__(self, pid: int) -> None:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        fields = text[text.rindex(")") + 2 :].split()
        self.pid = pid
        self.name = text[text.index("(") + 1 : text.rindex(")")]
        self.group = int(fields[2])
        self.start = int(fields[19])
        """Clock ticks since boot; with the pid it identifies the process."""


def pids() -> list[int]:
    """List the pids of all processes of this machine."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def identity(pid: int) -> dict[str, Any]:
    """Return what identifies a process, so that another one with its pid is not taken for it."""
    return {"pid": pid, "start": Process(pid).start, "boot": boot_id()}


def is_running(identity: dict[str, Any]) -> bool:
    """Return True while the process of an `identity` lives."""
    try:
        return bool(identity["boot"] == boot_id() and Process(identity["pid"]).start == identity["start"])
    except (OSError, ValueError, KeyError):
        return False
