"""Copies of logs that were followed on a screen, in private files: for when the log is gone at its source."""

import hashlib
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from backend_client.errors import Refused
from backend_client.logs.buffer import LogBuffer
from backend_client.logs.log_copy import (
    LONGEST,
    CopiedLine,
    CopyHeader,
    LogCopy,
    by_attempt,
    decode,
    decode_header,
    encode,
    join,
    last_lines,
    newest_lines,
)
from backend_client.models import JobRef
from backend_client.paths import user_cache_dir
from backend_client.private_files import read_private, write_private

LARGEST = 256 * 2**20
"""Bytes of all copies; the oldest go first."""
MOST = 200
"""Copies, and marks of deleted jobs."""
_HEADER_BYTES = 4096
_DRAFT_SECONDS = 3600
"""A draft that is so old was left by a process that was killed."""
_one_at_a_time = threading.Lock()


class LogCopies:
    """The folder of copies. A disk that refuses costs a copy, and nothing else: no method raises."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use `folder`, by default one in the user's cache folder."""
        self._folder = folder or user_cache_dir() / "logs"

    def keep(self, ref: JobRef, buffer: LogBuffer) -> None:
        """Keep the newest lines of a log, behind what was kept of it before; not those of a deleted job."""
        with suppress(OSError, ValueError), _one_at_a_time:
            for attempt, lines in by_attempt(newest_lines(buffer)).items():
                if not self._mark(ref).exists():
                    self._write(ref, attempt, lines)
            self._prune()

    def _write(self, ref: JobRef, attempt: int, lines: list[CopiedLine]) -> None:
        path = self._folder / f"{_stem(ref)}-{attempt}.log"
        before = _read(path)
        kept = last_lines(join(before.lines, lines) if before else lines)
        now = time.time()
        newest = min(max(line.time for line in kept) / 1000 or now, now)  # clocks of nodes may be ahead
        header = CopyHeader(ref, attempt, datetime.fromtimestamp(newest, UTC))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        write_private(path, encode(header, kept))

    def find(self, ref: JobRef, attempt: int | None = None) -> LogCopy | None:
        """Find the copy of an attempt (None: of the one that was followed last)."""
        with _one_at_a_time:
            paths = self._newest_first(f"{_stem(ref)}-{attempt or '*'}.log")
            return next(filter(None, map(_read, paths)), None)

    def find_ref(self, context: str, namespace: str, name: str) -> JobRef | None:
        """Find the job of that name whose log was followed last; a namespace of "" is any."""
        for path in self._newest_first("*.log"):
            header = _read_header(path)
            ref = header and header.ref
            if ref and (ref.context, ref.name) == (context, name) and namespace in ("", ref.namespace):
                return ref
        return None

    def forget(self, ref: JobRef) -> None:
        """Remove all copies of a job that is deleted, and leave a mark: a screen may still show its log."""
        with suppress(OSError), _one_at_a_time:
            for path in self._newest_first(f"{_stem(ref)}-*.log"):
                path.unlink(missing_ok=True)
            write_private(self._mark(ref), b"")

    def _newest_first(self, pattern: str) -> list[Path]:
        dated = []
        with suppress(OSError):
            for path in self._folder.glob(pattern):
                with suppress(OSError):  # another process has removed it
                    dated.append((path.lstat().st_mtime_ns, path))
        return [path for _, path in sorted(dated, reverse=True)]

    def _mark(self, ref: JobRef) -> Path:
        return self._folder / f"{_stem(ref)}.deleted"

    def _prune(self) -> None:
        """Remove the oldest, and what a killed process has left half written."""
        total = 0
        for count, path in enumerate(self._newest_first("*.log")):
            total += path.stat().st_size
            if count >= MOST or total > LARGEST:
                path.unlink(missing_ok=True)
        for path in self._newest_first("*.deleted")[MOST:]:
            path.unlink(missing_ok=True)
        for path in self._newest_first(".*"):
            if path.stat().st_mtime < time.time() - _DRAFT_SECONDS:
                path.unlink(missing_ok=True)


def _stem(ref: JobRef) -> str:
    """Return what the file names of a job begin with: nothing of a name from outside."""
    return hashlib.sha256(repr(ref.key).encode()).hexdigest()[:32]


def _read_header(path: Path) -> CopyHeader | None:
    """Read the first line; None where it is no copy, or others could have written it."""
    with suppress(OSError, Refused, ValueError):
        return decode_header(read_private(path, longest=_HEADER_BYTES))
    return None


def _read(path: Path) -> LogCopy | None:
    with suppress(OSError, Refused, ValueError, IndexError):
        return decode(read_private(path, longest=4 * LONGEST))
    return None
