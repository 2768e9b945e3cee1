"""JobStore: read, stop and remove the jobs of a state folder; record the death of killed supervisors."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from backend_client.local import state_dir
from backend_client.local.job_processes import kill_all, leftovers
from backend_client.local.record import NEW, Record, unreadable_job
from backend_client.models import Event, Job
from backend_client.models.fields import duration_text

_decode = msgspec.json.Decoder(Record).decode
_Stamp = tuple[int, int, int]


class JobStore:
    """The jobs of one host. All methods block for as long as the disk does: call them off the loop."""

    def __init__(self, path: Path, *, foreign: bool = False) -> None:
        self.root = state_dir.StateDir(path)
        self.host = path.name
        self._read_only = f"runs on {self.host}; log in there to act on it" if foreign else ""
        self._foreign = foreign
        self._cached: dict[str, tuple[_Stamp, Record]] = {}

    def uids(self) -> list[str]:
        """List the uids of all jobs, the last changed first."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self.root.jobs) as entries:
            changed = []
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    changed.append((entry.stat().st_mtime, entry.name))
            return [name for _, name in sorted(changed, reverse=True) if not name.startswith(".")]
        return []

    def job(self, uid: str) -> Job | None:
        """Return a job as it is now; None where there is none (yet)."""
        try:
            record = self._record(uid)
            if record.state == NEW:
                return None
            if not self._foreign and not record.is_final and not self.root.alive(uid):
                record = self._record_death(uid)
            return record.job(self.host, self._read_only)
        except FileNotFoundError:
            self._cached.pop(uid, None)
            return None
        except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
            return self._unreadable(uid, error)

    def jobs(self, uids: Sequence[str]) -> list[Job]:
        """Return the jobs of these uids that exist."""
        return [job for uid in uids if (job := self.job(uid))]

    def names(self) -> set[str]:
        """Return the names that are taken, by jobs that are being created too. Records no deaths."""
        return {
            record.name
            for uid in self.uids()
            if (record := self._readable(uid)) and (record.state != NEW or self.root.alive(uid))
        }

    def is_accepted(self, uid: str) -> bool:
        """Return True where a supervisor has accepted the job, dead or alive. Records no death."""
        record = self._readable(uid)
        return record is not None and record.state != NEW

    def is_unaccepted(self, uid: str) -> bool:
        """Return True where no supervisor has accepted the job (yet)."""
        record = self._readable(uid)
        return record is not None and record.state == NEW

    def accepted(self, uid: str, limit: float = 30.0) -> Record | None:
        """Wait until a supervisor has accepted a job, and return its record; None where none will."""
        until = time.monotonic() + limit
        while self.is_unaccepted(uid):
            if not self.root.alive(uid) or time.monotonic() > until:
                return None
            time.sleep(0.01)  # the process that creates it is a few milliseconds from the end
        try:
            return self._record(uid)
        except (OSError, ValueError):
            return None

    def request_stop(self, uid: str) -> None:
        """Record who requests the stop, and signal the supervisor. Of a job that has ended, end what is left.

        On a disk that takes nothing the job is stopped all the same; then it may not be known who asked.
        """
        record = self._record(uid)
        if record.is_final or not record.supervisor:
            return self.end_leftovers(uid, record.group)
        with contextlib.suppress(OSError), self.root.locked():
            if not self.root.stop(uid).exists():
                request = {"who": current_user(), "when": state_dir.now()}
                state_dir.write_json(self.root.stop(uid), request, spend_spare=True)
        send_signal(record.supervisor, signal.SIGTERM)
        return None

    def request_limit(self, uid: str, max_runtime: int) -> None:
        """Ask the supervisor of a job for a time limit, in seconds; the record has it once it holds."""
        record = self._record(uid)
        with self.root.locked():
            request = {"max_runtime": max_runtime, "limit": duration_text(max_runtime)}
            state_dir.write_json(self.root.limit(uid), request)
        if record.supervisor:
            send_signal(record.supervisor, signal.SIGHUP)

    def end_leftovers(self, uid: str, leader: dict[str, Any] | None = None) -> None:
        """SIGKILL what a job has left that no supervisor of it looks after."""
        kill_all(lambda: leftovers(self.root, uid, leader))

    def supervisor(self, uid: str) -> int | None:
        """Return the pid of the supervisor of a job; None where it does not live (any more)."""
        record = self._readable(uid)
        identity = record.supervisor if record and not record.is_final else None
        return int(identity["pid"]) if identity and state_dir.is_running(identity) else None

    def leader(self, uid: str) -> int | None:
        """Return the pid of the first process of the attempt that runs; None where none does."""
        record = self._readable(uid)
        group = record.group if record and not record.is_final else None
        return int(group["pid"]) if group and state_dir.is_running(group) else None

    def events(self, uid: str) -> list[Event]:
        """List the events that the record does not have: who requested the stop."""
        try:
            request = state_dir.read_json(self.root.stop(uid))
        except (OSError, ValueError):
            return []
        when = datetime.fromisoformat(request["when"])
        return [Event(time=when, reason="Stopping", message=f"{request['who']} asked for the end")]

    def remove(self, uid: str) -> None:
        """Remove a job that has ended from the list, then from the disk."""
        grave = self.root.trash / f"{uid}.{time.time_ns()}"
        with self.root.locked(), contextlib.suppress(FileNotFoundError):
            self.root.job(uid).rename(grave)
        (self.root.live / uid).unlink(missing_ok=True)
        self.empty_trash()

    def empty_trash(self) -> None:
        """Delete what is in the trash, from earlier removals too."""
        for grave in self.root.trash.iterdir():
            shutil.rmtree(grave, ignore_errors=True)

    def _readable(self, uid: str) -> Record | None:
        try:
            return self._record(uid)
        except (OSError, ValueError):
            return None

    def _record(self, uid: str) -> Record:
        path = self.root.record(uid)
        stat = path.stat()
        stamp = stat.st_mtime_ns, stat.st_ino, stat.st_size
        cached = self._cached.get(uid)
        if cached and cached[0] == stamp:
            return cached[1]
        record = _decode(path.read_bytes())
        self._cached[uid] = stamp, record
        return record

    def _unreadable(self, uid: str, error: Exception) -> Job | None:
        try:
            changed = self.root.job(uid).stat().st_mtime
        except FileNotFoundError:
            return None
        return unreadable_job(uid, self.host, changed, str(error))

    def _record_death(self, uid: str) -> Record:
        """Record that a supervisor was killed, once, and kill the processes that its job has left."""
        with self.root.locked():
            self._cached.pop(uid, None)
            record = self._record(uid)
            if record.is_final or self.root.alive(uid):  # it ended, or somebody was here before us
                return record
            self.end_leftovers(uid, record.group)
            raw = state_dir.read_json(self.root.record(uid))
            raw.update(_death_fields(self.root, uid, raw))
            try:
                state_dir.write_json(self.root.record(uid), raw, spend_spare=True)
            except OSError:  # dead it is all the same; whoever looks next writes it down
                return msgspec.convert(raw, Record)
        self.root.notify(uid)
        return self._record(uid)


def _death_fields(root: state_dir.StateDir, uid: str, raw: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record whose supervisor is dead."""
    rebooted = (raw.get("supervisor") or {}).get("boot") != state_dir.boot_id()
    when = (
        state_dir.timestamp(min(time.time_ns(), state_dir.boot_time()))[:26] + "Z"
        if rebooted
        else state_dir.now()
    )
    reason = "its supervisor was killed" + (": the machine was restarted" if rebooted else "")
    attempts = raw["attempts"]
    if attempts and not attempts[-1].get("finished"):
        attempts[-1].update(finished=when, reason=reason)
    state = "Failed"
    with contextlib.suppress(OSError, ValueError, KeyError):
        who = state_dir.read_json(root.stop(uid))["who"]
        state, reason = "Stopped", f"stopped by {who}; {reason}"
    return {"state": state, "reason": reason, "finished": when, "next_try": None, "group": None}


def send_signal(identity: dict[str, Any], number: int) -> None:
    """Send a signal to the process of an `identity` (state_dir), and to no other."""
    with contextlib.suppress(ProcessLookupError):
        fd = os.pidfd_open(identity["pid"])
        try:
            if state_dir.is_running(identity):
                signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)


def current_user() -> str:
    """Return our user name, or our number where it has none."""
    import pwd  # noqa: PLC0415  not needed to list jobs

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
