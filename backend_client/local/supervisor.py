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

from backend_client.disk_errors import disk_words
from backend_client.local import devices, inotify, slots, state_dir
from backend_client.local.guard import close_streams, fork_under_guard
from backend_client.local.job_processes import job_mark
from backend_client.local.log_writer import LogWriter
from backend_client.local.process import CannotStart, adopt_orphans
from backend_client.local.process_run import ProcessRun
from backend_client.messages import RESTARTS_FROM_START

ATTEMPTS_KEPT = 10
_HEALTHY = 600
"""Seconds after which a crash counts as the first one again."""
_LONGEST_PAUSE = 60
_DEVICE_CHECK = 30
"""Seconds between two checks of GPUs that other users' processes hold: no event reports their end."""
_RETRY = 5.0
"""Seconds between two tries to write on a disk that takes nothing."""
_FOLDER_CHECK = 60.0
"""Seconds between two looks whether the job's folder is still there."""


class _StopRequested(Exception):
    """SIGTERM came while no command ran."""


class _FolderGone(Exception):
    """Somebody has deleted the job's folder while no command ran: there is nobody to run it for."""


class Supervisor:
    """Runs one job. `record` is the content of job.json; only this process writes it meanwhile."""

    allocated = ""
    """Since when the slots are held for the attempt that runs, or is to run; "" without slots."""

    def __init__(self, root: state_dir.StateDir, uid: str, launch_config: dict[str, Any]) -> None:
        self.root, self.uid, self.launch_config = root, uid, launch_config
        self.record: dict[str, Any] = state_dir.read_json(root.record(uid))
        self.spec: dict[str, Any] = self.record["spec"]
        self.outputs: str = self.record.get("outputs", {}).get("path", "")
        self.turn: str = self.spec.get("sweep", {}).get("turn", "")
        self.slots = slots.HeldSlots((), ())
        self.run_now: ProcessRun | None = None
        """The start of the command that runs; None before the first."""
        self.slots_refused = False
        """True where the disk, or the lock, did not let us take slots."""
        self.signals = _Signals()
        self.write_at: float | None = None
        """Monotonic time of the next try to write the record; None while it is written."""
        self.look_at = time.monotonic() + _FOLDER_CHECK

    def accept(self) -> None:
        """Accept the job: from here on it exists, and this process ends it. Raises OSError: then it does not.

        Room for its end, and for who asks for it, is set aside while there is some.
        """
        if self.outputs:
            os.makedirs(self.outputs, exist_ok=True)  # noqa: PTH103  a text, as job.json has it
        waits = bool(self.spec.get("gpus") or self.turn)
        self.record["supervisor"] = state_dir.identity(os.getpid())
        self.record["queued"] = state_dir.now() if waits else None
        for path in (self.root.record(self.uid), self.root.stop(self.uid)):
            state_dir.keep_spare(path)
        self.held = state_dir.private_file(self.root.job(self.uid) / "held", os.O_WRONLY)
        self.record.update(state="Queued" if waits else "Starting")
        state_dir.write_json(self.root.record(self.uid), self.record)
        self.root.notify(self.uid)

    def run(self) -> None:
        """Run the job until it has ended for good."""
        try:
            self._wait_for_turn()
            self._wait_for_slots()
            self._run_attempts()
        except _StopRequested:
            self.finish(*self._stop_reason())
        except _FolderGone:
            return

    def save(self, state: str, reason: str = "") -> None:
        """Write the record, and notify the watchers; on a disk that takes nothing, later."""
        self.record.update(state=state, reason=reason)
        self._write()

    def _write(self, *, spend_spare: bool = False) -> None:
        try:
            state_dir.write_json(self.root.record(self.uid), self.record, spend_spare=spend_spare)
            self.write_at = None
        except OSError:
            self.write_at = time.monotonic() + _RETRY
        self.root.notify(self.uid)

    @property
    def is_folder_gone(self) -> bool:
        """True where the job's folder was deleted: nobody can see, stop or read the job any more."""
        try:
            self.root.record(self.uid).stat()
        except FileNotFoundError:
            return True
        except OSError:  # a disk that fails has deleted nothing
            return False
        return False

    def _due(self) -> float:
        """Return the monotonic time at which to write again, or to look after the folder."""
        return min(self.look_at, self.write_at or self.look_at)

    def _keep_house(self) -> None:
        """Write what was not written; end the job whose folder is gone, as if somebody had stopped it."""
        now = time.monotonic()
        if self.signals.asked:
            self.signals.asked = False
            self._raise_limit()
        if self.write_at and now >= self.write_at:
            self._write()
        if now >= self.look_at or self.write_at:
            self.look_at = now + _FOLDER_CHECK
            self.signals.terminated |= self.is_folder_gone

    def _raise_limit(self) -> None:
        """Take the longer time limit that was asked for, unless the one before is over."""
        with contextlib.suppress(OSError, ValueError):
            asked = state_dir.read_json(self.root.limit(self.uid))
            seconds, before = int(asked["max_runtime"]), self.spec.get("max_runtime", 0)
            if before and seconds > before and not (self.run_now and self.run_now.cause):
                self.spec["max_runtime"], self.launch_config["limit"] = seconds, asked["limit"]
                if self.run_now:
                    self.run_now.set_limit(seconds)
                self.save(self.record["state"], self.record["reason"])

    def _wait_for_turn(self) -> None:
        """Wait until no job before this one, of the same turn of a sweep, is there any more."""
        if not self.turn:
            return
        with contextlib.closing(inotify.Inotify()) as news:
            news.add(self.root.turns / self.turn, inotify.DELETE)
            news.add(self.root.live, inotify.CLOSE_WRITE)
            while ahead := slots.behind_in_turn(self.root, self.uid, self.turn):
                words = f"waits for its turn in the sweep {self.spec['sweep']['name']}; behind {ahead}"
                if words != self.record["reason"]:
                    self.save("Queued", words)
                self._pause(None, news.fd)
                news.read()

    def _wait_for_slots(self) -> None:
        count = self.spec.get("gpus", 0)
        if not count:
            return
        with contextlib.closing(inotify.Inotify()) as news:
            news.add(self.root.slots, inotify.CLOSE_WRITE)
            news.add(self.root.live, inotify.CLOSE_WRITE)
            news.add(self.root.queue, inotify.DELETE)
            while True:
                known = self.launch_config["slots"]
                ids, foreign = devices.look_again(self.launch_config["probe"], known)
                taken = self._take_slots(count, ids, foreign)
                if isinstance(taken, slots.HeldSlots):
                    self.slots, self.allocated = taken, state_dir.now()
                    return
                if taken != self.record["reason"]:
                    self.save("Queued", taken)
                again = _DEVICE_CHECK if foreign or len(ids) < len(known) else None
                self._pause(_RETRY if self.slots_refused else again, news.fd)
                news.read()

    def _take_slots(self, count: int, ids: list[str], foreign: list[str]) -> slots.HeldSlots | str:
        self.slots_refused = False
        try:
            if self.turn:
                with self.root.locked():
                    if not slots.is_queued(self.root, self.uid):
                        slots.enqueue(self.root, self.uid, time.time_ns())
            return slots.take(self.root, self.uid, count, ids, foreign)
        except OSError as error:
            self.slots_refused = True
            return f"waits for {slots.gpu_count(count)}; {error.filename}: {disk_words(error)}"

    def _run_attempts(self) -> None:
        crashes = 0
        while True:
            self.record["next_try"] = None
            began = time.monotonic()
            state, reason = self._run_attempt()
            if self.spec.get("kind") != "deployment" or state == "Stopped" or self.signals.terminated:
                self.finish(state, reason)
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
        self.run_now = run
        try:
            run.start(
                self.spec["command"],
                env=self._env(),
                workdir=self.spec["workdir"],
                keep=(*self.slots.fds, self.held),
            )
        except CannotStart as error:
            run.close()
            entry.update(exit_code=error.code, finished=state_dir.now(), reason=str(error))
            self._hand_on(entry)
            return "Failed", str(error)
        entry["pid"] = run.pid
        with contextlib.suppress(OSError):  # it may have ended already
            self.record["group"] = state_dir.identity(run.pid)
        self.save("Running")
        self._wait_for_end(run, log)
        code, number, message = run.outcome()
        state, reason = self._result(run.cause, code, message)
        if log.missed_ever:
            reason = "; ".join(part for part in (reason, _log_words(log)) if part)
        entry.update(exit_code=code, signal=number, finished=state_dir.now(), reason=reason)
        self.record["group"] = None
        self._hand_on(entry)
        return state, reason

    def _hand_on(self, entry: dict[str, Any]) -> None:
        """Count the slots, which are kept until the job ends, to the next attempt from here on."""
        if self.allocated:
            self.allocated = entry["released"] = entry["finished"]

    def _wait_for_end(self, run: ProcessRun, log: LogWriter) -> None:
        said = ""
        while not run.has_ended:
            run.step(self.signals.fd, self._due())
            self._keep_house()
            if self.signals.terminated and not run.cause:
                run.end("stop")
                self.save("Stopping", self._stop_reason()[1])
            if (words := _running_words(run, log)) != said and not run.cause:
                said = words
                self.save("Running", words)
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
        entry: dict[str, Any] = {
            "number": number,
            "node": os.uname().nodename,
            "started": state_dir.now(),
        }
        if self.allocated:
            entry["allocated"] = self.allocated
        attempts.append(entry)
        while len(attempts) > ATTEMPTS_KEPT:
            old = attempts.pop(0)["number"]
            for path in self.root.log(self.uid).glob(f"{old}.*"):
                path.unlink(missing_ok=True)
        if not self.record["started"]:
            self.record["started"] = entry["started"]
        return entry

    def _env(self) -> dict[str, str]:
        outputs = {"TRAINDECK_OUTPUT_DIR": self.outputs} if self.outputs else {}
        env = {**outputs, **self.launch_config["env"], "TRAINDECK_JOB": job_mark(self.root, self.uid)}
        if self.launch_config["slots"]:
            env["CUDA_VISIBLE_DEVICES"] = ",".join(self.slots.ids)
        return env

    def _pause(self, seconds: float | None, fd: int = -1) -> None:
        """Sleep until the time is over or `fd` is readable. Raises _StopRequested when SIGTERM came."""
        self._raise_if_ended()
        poll = select.poll()
        for source in (self.signals.fd, fd):
            if source >= 0:
                poll.register(source, select.POLLIN)
        due = max(0.0, self._due() - time.monotonic())
        poll.poll((due if seconds is None else min(seconds, due)) * 1000 + 1)
        self.signals.clear()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        self._keep_house()
        self._raise_if_ended()

    def _raise_if_ended(self) -> None:
        if self.signals.terminated:
            raise _FolderGone if self.is_folder_gone else _StopRequested

    def finish(self, state: str, reason: str) -> None:
        """Give the slots back, and record the end: in the room that is set aside, else when there is some."""
        with contextlib.suppress(OSError), self.root.locked():
            slots.leave(self.root, self.uid)
            if self.turn:
                slots.leave(self.root, self.uid, self.turn)
            slots.release(self.root, self.slots)
        if self.allocated and (attempts := self.record["attempts"]):
            attempts[-1]["released"] = state_dir.now()
        self.record.update(state=state, reason=reason, finished=state_dir.now(), next_try=None)
        self._write(spend_spare=True)
        while self.write_at and not self.is_folder_gone:
            time.sleep(_RETRY)
            self._write(spend_spare=True)
        for path in (self.root.record(self.uid), self.root.stop(self.uid)):
            with contextlib.suppress(OSError):
                state_dir.drop_spare(path)


def _running_words(run: ProcessRun, log: LogWriter) -> str:
    """Return what there is to say about a job that runs: mostly nothing."""
    if run.status is not None and run.left:
        named = ", ".join(f"{process.pid} ({process.name})" for process in run.left[:3])
        more = f" and {len(run.left) - 3} more" if len(run.left) > 3 else ""
        return f"its command has ended; what it left is being ended: process {named}{more}"
    return _log_words(log) if log.missed else ""


def _log_words(log: LogWriter) -> str:
    return f"its log is not whole: {log.error}"


class _Signals:
    """`terminated` is set by SIGTERM; `fd` is readable when any signal came.

    `asked` by SIGHUP, which older supervisors ignore: somebody has written a request into the job's folder.
    """

    def __init__(self) -> None:
        self.terminated = self.asked = False
        self.fd, wake = os.pipe()
        for fd in (self.fd, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, self._on_hangup)
        for number in (signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)

    def _on_hangup(self, *_: object) -> None:
        self.asked = True

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
    os.chdir("/")
    fork_under_guard()
    os.setsid()
    launch_config = json.loads(
        sys.stdin.buffer.read()
    )  # cut short where the client was killed: then there is no job
    adopt_orphans()
    supervisor = Supervisor(root, uid, launch_config)
    try:
        supervisor.accept()
        answer = b"ready\n"
    except OSError as error:
        answer = json.dumps([error.errno, error.filename]).encode()
    with contextlib.suppress(BrokenPipeError):  # the client may be dead by now; the job is not
        os.write(1, answer)
    close_streams()
    if answer == b"ready\n":
        _record_defect(supervisor, supervisor.run)


def _record_defect(supervisor: Supervisor, run: Callable[[], None]) -> None:
    try:
        run()
    except Exception as error:  # noqa: BLE001  a defect must be seen in the list, and its trace be kept
        import traceback  # noqa: PLC0415  dear, and as a rule not needed

        path = supervisor.root.job(supervisor.uid) / "supervisor-error.txt"
        with contextlib.suppress(OSError):
            fd = state_dir.private_file(path, os.O_WRONLY | os.O_APPEND)
            os.write(fd, "".join(traceback.format_exception(error)).encode())
        supervisor.finish("Failed", f"its supervisor failed: {error!r:.200} (see {path})")
