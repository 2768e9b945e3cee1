"""StateDir: the layout of the state folder, its locks, and atomic writes in it.

Standard library alone: the supervisor imports this too.

    jobs/<uid>/job.json    the record: what was asked and what is
    jobs/<uid>/stop.json   who asked for the end, and when
    jobs/<uid>/limit.json  the longer time limit that somebody asked for
    jobs/<uid>/.*.spare    room for these two on a disk that is full by then
    jobs/<uid>/held        open in every process that the job has started, unless it closes what it inherits
    jobs/<uid>/log/        <attempt>.<segment>
    live/<uid>             locked (flock) by the job's supervisor for life; closed after a write: it changed
    slots/<id>             held by the processes of the job that has this GPU
    queue/<ticket>-<uid>   jobs that wait for slots, first come first
    turns/<turn>/<ticket>-<uid>   jobs of a sweep of which one runs at a time: the first; until they end
    trash/                 what is being removed
    lock                   held for a moment around create, allocation, recorded deaths and removal
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend_client.disk_errors import is_disk_fault, naming

FOLDER_MODE, FILE_MODE = 0o700, 0o600
FOLDERS = ("jobs", "live", "slots", "queue", "turns", "trash")
LOCK_SECONDS = 10.0
"""Seconds to wait for the lock: who holds it for longer was stopped, and will not say so."""
SPARE_BYTES = 4096
"""What a spare holds beyond what the file has now."""
_GROWTH = 1024
"""What a spare must hold beyond the content of now, for the content to come."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


class StateDir:
    """The state folder of one host."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs, self.live, self.slots, self.queue, self.turns, self.trash = (
            path / part for part in FOLDERS
        )

    def job(self, uid: str) -> Path:
        return self.jobs / uid

    def record(self, uid: str) -> Path:
        return self.jobs / uid / "job.json"

    def stop(self, uid: str) -> Path:
        return self.jobs / uid / "stop.json"

    def limit(self, uid: str) -> Path:
        return self.jobs / uid / "limit.json"

    def log(self, uid: str) -> Path:
        return self.jobs / uid / "log"

    def create(self) -> None:
        """Create the folders that are missing, for the owner alone."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self.path, *(self.path / part for part in FOLDERS)):
            private_folder(folder)

    @contextlib.contextmanager
    def locked(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Hold the folder's one lock, for milliseconds. Raises OSError, TimeoutError after `seconds`.

        What is called under it must not ask for it again: it would wait for itself.
        """
        path = self.path / "lock"
        fd = _lock_file(path)
        try:
            _lock(fd, path, seconds)
            yield
        finally:
            os.close(fd)

    def notify(self, uid: str) -> None:
        """Notify the watchers of a job: its file is closed after a write, of nothing: it needs no room."""
        with contextlib.suppress(OSError):
            os.close(os.open(self.live / uid, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW))

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


def _lock_file(path: Path) -> int:
    try:
        return private_file(path, os.O_RDWR)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def _lock(fd: int, path: Path, seconds: float) -> None:
    until, pause = time.monotonic() + seconds, 0.001
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                words = f"another process of yours has held this lock for {seconds:g} s"
                raise TimeoutError(errno.ETIMEDOUT, words, str(path)) from None
        time.sleep(pause)
        pause = min(0.02, pause * 2)


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


def write_json(path: Path, value: object, *, spend_spare: bool = False) -> None:
    """Replace a file as a whole: a reader sees the old one or the new one. Raises OSError.

    On a full disk it goes into the room that `keep_spare` has set aside, and the old file becomes the spare;
    `spend_spare`: into that room even where none is left then.
    """
    content = json.dumps(value, separators=(",", ":")).encode()
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _fill(draft, content, os.O_TRUNC)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if not is_disk_fault(error) or not _use_spare(path, content, spend_spare):
            raise


def _use_spare(path: Path, content: bytes, spend: bool) -> bool:
    """Replace a file by its spare, filled with this; False where there is none, or it has to be kept."""
    spare = _spare(path)
    if not spare.exists():
        return False
    _fill(spare, content.ljust(spare.stat().st_size))  # over its own blocks; JSON may end with blanks
    if path.exists() and path.stat().st_blocks * 512 >= len(content) + _GROWTH and _exchange(spare, path):
        return True
    if spend:
        spare.replace(path)
    return spend


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two files in one step (renameat2); False where the file system cannot."""
    try:
        rename = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    return not rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)


def keep_spare(path: Path) -> None:
    """Set room aside for one `write_json` of this file, before the disk is full. Raises OSError."""
    spare, size = _spare(path), (path.stat().st_size if path.exists() else 0) + SPARE_BYTES
    with naming(spare), os.fdopen(private_file(spare, os.O_WRONLY), "wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def drop_spare(path: Path) -> None:
    """Give up the room that was set aside."""
    _spare(path).unlink(missing_ok=True)


def _spare(path: Path) -> Path:
    return path.with_name(f".{path.name}.spare")


def _fill(path: Path, content: bytes, flags: int = 0) -> None:
    with naming(path), os.fdopen(private_file(path, os.O_WRONLY | flags), "wb") as file:
        file.write(content)
        file.flush()


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
        self.parent, self.group, self.session = int(fields[1]), int(fields[2]), int(fields[3])
        self.has_ended = fields[0] in "ZX" and int(fields[17]) <= 1
        """True for a zombie; not for one whose first thread alone has ended."""
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
