"""The supervisor: the process that runs one job, from its creation to its end. Standard library alone.

It waits for the job's GPU slots, starts the command, writes the log, reads the progress out of it, starts a
deployment again, and records the end. It sleeps in poll() while its job is silent.
"""

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend_client.local import devices, inotify, slots, state_dir
from backend_client.local.log_writer import LogWriter
from backend_client.local.process import CannotStart, adopt_orphans
from backend_client.local.process_run import ProcessRun
from backend_client.messages import RESTARTS_FROM_START

ATTEMPTS_KEPT = 10
_HEALTHY = 600
"""Seconds after which a crash counts as the first one again."""
_LONGEST_PAUSE = 60
_FOREIGN_CHECK = 30
"""Seconds between two checks of GPUs that other users' processes hold: no event reports their end."""


class _StopRequested(Exception):
    """SIGTERM came while no command ran."""


class Supervisor:
    """Runs one job. `record` is the content of job.json; only this process writes it meanwhile."""

    def __init__(self, root: state_dir.StateDir, uid: str, live: int, launch_config: dict[str, Any]) -> None:
        self.root, self.uid, self.live, self.launch_config = root, uid, live, launch_config
        self.record: dict[str, Any] = state_dir.read_json(root.record(uid))
        self.spec: dict[str, Any] = self.record["spec"]
        self.slots = slots.HeldSlots((), ())
        self.signals = _Signals()

    def accept(self) -> None:
        """Accept the job: from here on it exists, and this process ends it."""
        waits = bool(self.spec.get("gpus"))
        self.record["supervisor"] = state_dir.identity(os.getpid())
        self.record["queued"] = state_dir.now() if waits else None
        self.save("Queued" if waits else "Starting")

    def run(self) -> None:
        """Run the job until it has ended for good."""
        try:
            self._wait_for_slots()
            self._run_attempts()
        except _StopRequested:
            self._finish(*self._stop_reason())

    def save(self, state: str, reason: str = "") -> None:
        """Write the record, and notify the watchers."""
        self.record.update(state=state, reason=reason)
        state_dir.write_json(self.root.record(self.uid), self.record)
        os.write(self.live, b".")

    def _wait_for_slots(self) -> None:
        count = self.spec.get("gpus", 0)
        if not count:
            return
        with contextlib.closing(inotify.Inotify()) as news:
            news.add(self.root.slots, inotify.CLOSE_WRITE)
            news.add(self.root.live, inotify.CLOSE_WRITE)
            news.add(self.root.queue, inotify.DELETE)
            while True:
                foreign = devices.foreign_ids(self.launch_config["probe"])
                taken = slots.take(self.root, self.uid, count, self.launch_config["slots"], foreign)
                if isinstance(taken, slots.HeldSlots):
                    self.slots = taken
                    return
                if taken != self.record["reason"]:
                    self.save("Queued", taken)
                self._pause(_FOREIGN_CHECK if foreign else None, news.fd)
                news.read()

    def _run_attempts(self) -> None:
        crashes = 0
        while True:
            self.record["next_try"] = None
            began = time.monotonic()
            state, reason = self._run_attempt()
            if self.spec.get("kind") != "deployment" or state == "Stopped" or self.signals.terminated:
                self._finish(state, reason)
                return
            crashes = 0 if time.monotonic() - began >= _HEALTHY else crashes + 1
            pause = min(_LONGEST_PAUSE, 2 ** max(0, crashes - 1))
            self.record["next_try"] = state_dir.timestamp(time.time_ns() + pause * 10**9)[:26] + "Z"
            self.record["restarts"] += 1
            self.save(
                "Failed" if state == "Failed" else "Starting",
                reason or f"finished (exit 0), and {RESTARTS_FROM_START}",
            )
            until = time.monotonic() + pause
            while time.monotonic() < until:
                self._pause(until - time.monotonic())

    def _run_attempt(self) -> tuple[str, str]:
        """Run the command once, and return the state and the reason of its end."""
        entry = self._new_entry()
        log = LogWriter(self.root.log(self.uid), entry["number"], self.launch_config["log_cap"])
        run = ProcessRun(log, grace=self.launch_config["grace"], limit=self.spec.get("max_runtime", 0))
        try:
            run.start(
                self.spec["command"], env=self._env(), workdir=self.spec["workdir"], keep=self.slots.fds
            )
        except CannotStart as error:
            run.close()
            entry.update(exit_code=error.code, finished=state_dir.now(), reason=str(error))
            return "Failed", str(error)
        entry["pid"] = run.pid
        with contextlib.suppress(OSError):  # it may have ended already
            self.record["group"] = state_dir.identity(run.pid)
        self.save("Running")
        self._wait_for_end(run)
        code, number, message = run.outcome()
        state, reason = self._result(run.cause, code, message)
        entry.update(exit_code=code, signal=number, finished=state_dir.now(), reason=reason)
        self.record["group"] = None
        return state, reason

    def _wait_for_end(self, run: ProcessRun) -> None:
        while not run.has_ended:
            run.step(self.signals.fd)
            if self.signals.terminated and not run.cause:
                run.end("stop")
                self.save("Stopping", self._stop_reason()[1])
            if run.progress.changed:
                self._record_progress(run)
                self.save(self.record["state"], self.record["reason"])
        run.close()
        self._record_progress(run)

    def _record_progress(self, run: ProcessRun) -> None:
        run.progress.changed = False
        if run.progress.figures is not None:
            self.record["progress"] = {**run.progress.figures, "updated": state_dir.now()}

    def _result(self, cause: str, code: int, message: str) -> tuple[str, str]:
        if cause == "stop":
            return self._stop_reason()
        if cause == "limit":
            return "Failed", f"ran longer than its max_runtime of {self.launch_config['limit']}"
        return ("Failed", message) if code else ("Succeeded", "")

    def _stop_reason(self) -> tuple[str, str]:
        """Return the state and the reason after a SIGTERM: from a person, or from the machine."""
        try:
            return "Stopped", f"stopped by {state_dir.read_json(self.root.stop(self.uid))['who']}"
        except (OSError, ValueError):
            return "Failed", "its supervisor was told to end"

    def _new_entry(self) -> dict[str, Any]:
        attempts = self.record["attempts"]
        number = attempts[-1]["number"] + 1 if attempts else 1
        entry = {"number": number, "node": os.uname().nodename, "started": state_dir.now()}
        attempts.append(entry)
        while len(attempts) > ATTEMPTS_KEPT:
            old = attempts.pop(0)["number"]
            for path in self.root.log(self.uid).glob(f"{old}.*"):
                path.unlink(missing_ok=True)
        if not self.record["started"]:
            self.record["started"] = entry["started"]
        return entry

    def _env(self) -> dict[str, str]:
        env = {**self.launch_config["env"], "TRAINDECK_JOB": self.uid}
        if self.launch_config["slots"]:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(self.slots.ids)
        return env

    def _pause(self, seconds: float | None, fd: int = -1) -> None:
        """Sleep until the time is over or `fd` is readable. Raises _StopRequested when SIGTERM came."""
        if self.signals.terminated:
            raise _StopRequested
        poll = select.poll()
        for source in (self.signals.fd, fd):
            if source >= 0:
                poll.register(source, select.POLLIN)
        poll.poll(None if seconds is None else seconds * 1000 + 1)
        self.signals.clear()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if self.signals.terminated:
            raise _StopRequested

    def _finish(self, state: str, reason: str) -> None:
        with self.root.locked():
            slots.leave(self.root, self.uid)
        for fd in self.slots.fds:
            os.close(fd)
        self.record.update(finished=state_dir.now(), next_try=None)
        self.save(state, reason)


class _Signals:
    """`terminated` is set by SIGTERM; `fd` is readable when any signal came."""

    def __init__(self) -> None:
        self.terminated = False
        self.fd, wake = os.pipe()
        for fd in (self.fd, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)

    def _on_term(self, *_: object) -> None:
        self.terminated = True


def main() -> None:
    """Run as `... ROOT UID LIVE_FD`, launch_config as JSON on stdin; print "ready" once the job is accepted.

    Detached from its starter: it is nobody's child, and leads a session of its own.
    """
    if os.fork():
        os._exit(0)
    os.setsid()
    root, uid, live = state_dir.StateDir(Path(sys.argv[-3])), sys.argv[-2], int(sys.argv[-1])
    os.set_inheritable(live, False)
    launch_config = json.loads(
        sys.stdin.buffer.read()
    )  # cut short where the client was killed: then there is no job
    os.chdir("/")
    adopt_orphans()
    supervisor = Supervisor(root, uid, live, launch_config)
    supervisor.accept()
    with contextlib.suppress(BrokenPipeError):  # the client may be dead by now; the job is not
        os.write(1, b"ready\n")
    _close_streams()
    _record_defect(supervisor, supervisor.run)


def _close_streams() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    os.close(nothing)


def _record_defect(supervisor: Supervisor, run: Callable[[], None]) -> None:
    try:
        run()
    except Exception as error:  # noqa: BLE001  a defect must be seen in the list, and its trace be kept
        import traceback  # noqa: PLC0415  dear, and as a rule not needed

        path = supervisor.root.job(supervisor.uid) / "supervisor-error.txt"
        fd = state_dir.private_file(path, os.O_WRONLY | os.O_APPEND)
        os.write(fd, "".join(traceback.format_exception(error)).encode())
        supervisor.record.update(finished=state_dir.now(), next_try=None)
        supervisor.save("Failed", f"its supervisor failed: {error!r:.200} (see {path})")
