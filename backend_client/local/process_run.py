"""ProcessRun: one start of the command, until no process that it started is left. Standard library alone."""

import contextlib
import fcntl
import os
import re
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backend_client.local.job_processes import descendants, is_anything_left, kill_all, signal_all
from backend_client.local.log_writer import LogWriter
from backend_client.local.process import start
from backend_client.local.state_dir import Process
from backend_client.progress.parser import Tracker

_GATHER = 0.02
"""Seconds between two reads of the output: many lines cost one wake-up."""
_READ = 256 * 1024
_PIPE_SIZE, _F_SETPIPE_SZ = 1024 * 1024, 1031
_KILL_AGAIN, _KILL_SELDOM = 0.05, 5.0
"""Seconds between two SIGKILLs for what does not end, at first and at last: it may hang in a driver."""
_TAIL = 4096
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?|[\x00-\x1f\x7f-\x9f]")
_ERRNO = re.compile(r"^\w+: \[Errno \d+\] ")
"""What Python writes before the words of an OSError."""


class ProcessRun:
    """A command while it runs: its output goes into the log; processes that it leaves behind are ended."""

    def __init__(self, log: LogWriter, *, grace: float, limit: float) -> None:
        self.pid = 0
        self.status: int | None = None
        """The wait status of the first process; None while it runs."""
        self.cause = ""
        """Why it was ended by us: "stop", "limit"; empty where it was not."""
        self.progress = _Progress()
        self._log, self._grace = log, grace
        self._began = time.monotonic()
        self._limit_at = self._began + limit if limit else None
        self.left: list[Process] = []
        """The processes that the first one left behind when it ended, and that are being ended."""
        self._kill_at: float | None = None
        self._kill_pause = _KILL_AGAIN
        self._kills = False
        self._read_at = 0.0
        self._streams: dict[int, str] = {}
        self._tail = b""
        self._kills_before = out_of_memory_kills()

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str], workdir: str, keep: Iterable[int]
    ) -> None:
        """Start the command. Raises CannotStart."""
        (out, out_in), (err, err_in) = _pipe(), _pipe()
        self._streams = {out: "stdout", err: "stderr"}
        try:
            self.pid = start(command, env=env, workdir=workdir, out=out_in, err=err_in, keep=keep)
        finally:
            os.close(out_in)
            os.close(err_in)

    def end(self, cause: str) -> None:
        """Send SIGTERM to all of its processes now, SIGKILL after the grace period."""
        if not self.cause:
            self.cause = cause
            self._terminate()

    def set_limit(self, seconds: float) -> None:
        """Let it run for so many seconds from its start."""
        self._limit_at = self._began + seconds

    @property
    def has_ended(self) -> bool:
        """True when nothing is left of it. Asks the whole machine, once the first process has ended."""
        return self.status is not None and not is_anything_left()

    def step(self, wake: int, until: float | None = None) -> None:
        """Wait for the next event, at most until a monotonic time, and handle it.

        `wake`: readable when a signal came.
        """
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        now = time.monotonic()
        if now >= self._read_at:
            for fd in self._streams:
                poll.register(fd, select.POLLIN)
        due = min((at for at in (self._due(now), until) if at is not None), default=None)
        ready = [fd for fd, _ in poll.poll(None if due is None else max(0, due - now) * 1000 + 1)]
        if wake in ready:  # emptied before children are asked for: a signal that comes now wakes us again
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
        for fd in ready:
            if fd in self._streams:
                self._read(fd)
        self._tick(time.monotonic())

    def close(self) -> None:
        """Read what is left in the pipes, and finish the log."""
        for fd in list(self._streams):
            while fd in self._streams and self._read(fd):
                pass
        for fd in self._streams:
            os.close(fd)
        self._log.close()
        self.progress.finish()

    def reap(self) -> bool:
        """Reap all children that have ended, the adopted ones too; True where there was one."""
        reaped = False
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                reaped = True
                if ended[0] == self.pid:
                    self.status = ended[1]
        return reaped

    def outcome(self) -> tuple[int, int | None, str]:
        """Return (exit code, signal, one sentence) of the first process."""
        code = os.waitstatus_to_exitcode(self.status or 0)
        if code < 0:
            words = f"exit {128 - code} ({_signal_name(-code)})"
            killed = out_of_memory_kills() - self._kills_before if code == -signal.SIGKILL else 0
            return 128 - code, -code, f"{words}; {kills_words(killed)}" if killed > 0 else words
        last = _last_line(self._tail)
        message = f"exit {code}: {last}" if last else f"exit {code}"
        return code, None, message if code else ""

    def _terminate(self) -> None:
        for number in (signal.SIGTERM, signal.SIGCONT):  # a stopped process hears nothing until it goes on
            self._signal_group(number)
            signal_all((p for p in descendants(os.getpid()) if p.group != self.pid), number)
        self._kill_at = time.monotonic() + self._grace

    def _kill(self) -> None:
        """SIGKILL all that is left, again and again until nothing is."""
        self._signal_group(signal.SIGKILL)
        kill_all(lambda: descendants(os.getpid()))
        self._kills = True
        self._kill_at = time.monotonic() + self._kill_pause
        self._kill_pause = min(_KILL_SELDOM, 2 * self._kill_pause)

    def _signal_group(self, number: int) -> None:
        """Signal the first process's group in one step, which no fork escapes."""
        if self.status is None or self._group_left():  # else the number may be somebody else's by now
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _group_left(self) -> bool:
        try:
            os.waitid(os.P_PGID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def _due(self, now: float) -> float | None:
        times = [self._limit_at, self._kill_at, self._log.due, self.progress.due]
        times.append(self._read_at if self._read_at > now and self._streams else None)
        return min((at for at in times if at is not None), default=None)

    def _tick(self, now: float) -> None:
        if self.reap() and self._kills:  # a child that forks and ends, again and again, is met at each end
            self._kill_at = now
        if self._kill_at is None and not self.has_ended and self.status is not None:
            self.left = descendants(os.getpid())
            self._terminate()
        if self._limit_at and now >= self._limit_at:
            self._limit_at = None
            self.end("limit")
        if self._kill_at and now >= self._kill_at:
            self._kill()
        if self._log.due and now >= self._log.due:
            self._log.flush(now)
        self.progress.tick(now)

    def _read(self, fd: int) -> bool:
        """Move what a pipe holds into the log; False where it holds nothing."""
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return False
        stream = self._streams[fd]
        if not data:
            os.close(fd)
            del self._streams[fd]
            return False
        self._log.write(stream, data)
        self.progress.feed(stream, data)
        if stream == "stderr":
            self._tail = (self._tail + data)[-_TAIL:]
        self._read_at = time.monotonic() + (_GATHER if len(data) < _READ // 2 else 0)
        return True


_VMSTAT = Path("/proc/vmstat")
KILLED_FOR_MEMORY = "of this machine for want of memory while it ran"


def out_of_memory_kills() -> int:
    """Count the processes that the kernel has killed for want of memory since it started (proc(5), oom_kill).

    It does not tell which. 0 where it does not count.
    """
    with contextlib.suppress(OSError, ValueError), _VMSTAT.open() as file:
        return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    return 0


def kills_words(count: int) -> str:
    """Return how many processes the kernel killed while a job ran: which ones they were it does not tell."""
    return f"the kernel killed {count} process{'es' * (count > 1)} {KILLED_FOR_MEMORY}"


class _Progress:
    """Feeds a Tracker at most once a second, from the last few KiB of each stream."""

    KEEP = 8192

    def __init__(self) -> None:
        self.due: float | None = None
        self.figures: dict[str, Any] | None = None
        """The figures that the tracker read last."""
        self.changed = False
        """True when `figures` have changed; their reader sets it back."""
        self._tracker = Tracker()
        self._unread: dict[str, bytes] = {}
        self._last = 0.0

    def feed(self, stream: str, data: bytes) -> None:
        unread = self._unread.get(stream, b"") + data
        if len(unread) > 2 * self.KEEP:
            unread = re.split(rb"[\r\n]", unread[-self.KEEP :], maxsplit=1)[-1]
        self._unread[stream] = unread
        if self.due is None:
            self.due = max(time.monotonic() + 0.1, self._last + 1)

    def tick(self, now: float) -> None:
        if self.due is not None and now >= self.due:
            self._last, self.due = now, None
            self._feed(whole_lines=True)

    def finish(self) -> None:
        self._feed(whole_lines=False)

    def _feed(self, *, whole_lines: bool) -> None:
        for stream, unread in self._unread.items():
            cut = max(unread.rfind(b"\n"), unread.rfind(b"\r")) + 1
            ready = unread[:cut] if whole_lines and cut else unread
            self._unread[stream] = unread[len(ready) :]
            if ready:
                self._tracker.feed(ready if ready.endswith((b"\n", b"\r")) else ready + b"\n")
        figures = self._tracker.read()
        if figures is not None and self._tracker.phase:
            figures["phase"] = self._tracker.phase
        if figures is not None and figures != self.figures:
            self.figures, self.changed = figures, True


def _pipe() -> tuple[int, int]:
    """Create a large pipe, read without blocking."""
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    with contextlib.suppress(OSError):  # the user's pipe memory is limited; then it stays at 64 KiB
        fcntl.fcntl(writes, _F_SETPIPE_SZ, _PIPE_SIZE)
    return reads, writes


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(tail: bytes) -> str:
    """Return the last line that is not empty, sanitized and cut: as a rule it says why it failed."""
    for raw in reversed(re.split(r"[\r\n]+", tail.decode(errors="replace"))):
        line = _ERRNO.sub("", _ESCAPES.sub("", raw).strip())
        if line:
            return line if len(line) <= 200 else line[:199] + "\u2026"
    return ""
