"""The causes that keep a job of this machine from running, or have ended it: the table, and which one it is.

How a job ended is told by its last attempt: its exit code and signal, and for what no exit code tells by the
sentence that the supervisor, or whoever found it dead, has written.
"""

import re
from datetime import datetime

from backend_client.local.process_run import KILLED_FOR_MEMORY
from backend_client.models import Attempt, Job, JobState
from backend_client.why import Cause, CauseKind

LOCAL_CAUSES: tuple[CauseKind, ...] = (
    CauseKind(
        "local.slots",
        "waits for 2 GPUs; 1 of 2 free",
        "Starts when jobs that hold GPUs of this machine end.",
    ),
    CauseKind(
        "local.held",
        "bert holds 1 GPU, until 14:00 UTC at the latest",
        "Wait for that job's end, or stop it.",
    ),
    CauseKind(
        "local.behind",
        "bert waits before it, for 2 GPUs",
        "GPUs are given first come, first served: wait, or stop that job.",
    ),
    CauseKind(
        "local.foreign",
        "a process of another user uses the GPU GPU-1a2b",
        "Starts when that process ends; it is looked at every 30 s.",
    ),
    CauseKind(
        "local.left",
        "process 4711 (python3), left by bert, holds 1 GPU",
        "End that process.",
    ),
    CauseKind(
        "local.turn",
        "waits for its turn in the sweep lrs; behind lrs-1",
        "So many of a sweep run at a time: wait, or stop that job.",
    ),
    CauseKind(
        "local.too-many",
        "asks for 4 GPUs; gpu-7 has 2 now",
        "Ask for fewer; where the driver has lost one, an administrator of the machine.",
    ),
    CauseKind(
        "local.slots-disk",
        "waits for 1 GPU; /home/ann/.local/state/traindeck: no space left on device",
        "Make room: it is tried again every 5 s.",
    ),
    CauseKind(
        "local.workdir",
        "cannot enter its workdir /data/run: No such file or directory",
        "Make the folder, or run it again with another workdir.",
    ),
    CauseKind("local.program", "command not found: trian", "Correct the command, or install the program."),
    CauseKind(
        "local.not-executable",
        "cannot run ./train.sh: Permission denied",
        "Make the file executable, or begin the command with its interpreter.",
    ),
    CauseKind(
        "local.max-runtime",
        "ran longer than its max_runtime of 2h",
        "Run it again with a longer max_runtime, from its last checkpoint.",
    ),
    CauseKind(
        "local.memory",
        f"exit 137 (SIGKILL); the kernel killed 1 process {KILLED_FOR_MEMORY}",
        "Use less memory, or a machine that has more.",
    ),
    CauseKind(
        "local.signal",
        "exit 139 (SIGSEGV)",
        "SIGKILL and SIGTERM come from outside, the others from the program itself: its log tells more.",
    ),
    CauseKind("local.exit", "exit 1: KeyError: 'x'", "The log tells more."),
    CauseKind(
        "local.restarts",
        "exit 3; it is started again at 14:00:05 UTC",
        "A deployment is started again by itself; stop it to keep it from that.",
    ),
    CauseKind(
        "local.finished-restarts",
        "finished (exit 0), and a deployment starts again from the beginning",
        "Run what is to end as kind job.",
    ),
    CauseKind(
        "local.supervisor-killed",
        "its supervisor was killed",
        "Run it again: with the supervisor all of its processes ended.",
    ),
    CauseKind(
        "local.machine-restarted",
        "its supervisor was killed: the machine was restarted",
        "Run it again, from its last checkpoint.",
    ),
    CauseKind(
        "local.supervisor-ended",
        "its supervisor was told to end",
        "Run it again; at a logout, `loginctl enable-linger` keeps jobs.",
    ),
    CauseKind(
        "local.supervisor-failed",
        "its supervisor failed: OSError(5) (see supervisor-error.txt)",
        "A defect of traindeck: the file named tells more.",
    ),
    CauseKind(
        "local.ending",
        "its command has ended; what it left is being ended: process 4711 (python3)",
        "Comes by itself.",
    ),
    CauseKind(
        "local.log-not-whole",
        "its log is not whole: no space left on device",
        "Make room on the disk of the state folder.",
    ),
    CauseKind(
        "local.record",
        "its record cannot be read: JSON is malformed",
        "Delete the job; its processes, if any are left, are ended with it.",
    ),
)

_SENTENCES = (
    ("local.machine-restarted", r"its supervisor was killed: the machine was restarted"),
    ("local.supervisor-killed", r"its supervisor was killed"),
    ("local.supervisor-ended", r"its supervisor was told to end"),
    ("local.supervisor-failed", r"its supervisor failed: "),
    ("local.max-runtime", r"ran longer than its max_runtime of "),
    ("local.record", r"its record cannot be read: "),
    ("local.ending", r"its command has ended; what it left is being ended"),
    ("local.finished-restarts", r"finished \(exit 0\), and "),
    ("local.workdir", r"cannot enter its workdir "),
    ("local.log-not-whole", r"its log is not whole: "),
    ("local.slots-disk", r"waits for \d+ GPUs?; /"),
    ("local.turn", r"waits for its turn in the sweep "),
)
"""What supervisor.py, process.py, store.py and record.py write where no exit code tells it."""


def cause_of_failure(job: Job) -> Cause:
    """Return the cause of a job's reason. Its `id` is "" where none of the table fits."""
    last = job.attempts[-1] if job.attempts else None
    name = f"{job.ref.kind}/{job.name}"
    sentence = job.reason
    identity = _by_sentence(job.reason) or (_by_exit(last) if last else "")
    if job.next_try and identity in ("local.exit", "local.signal"):
        identity = "local.restarts"
        sentence = f"{job.reason}; it is started again at {job.next_try:%H:%M:%S} UTC"
    is_process = last is not None and last.pid and identity in ("local.exit", "local.signal", "local.memory")
    return Cause(
        id=identity,
        sentence=sentence,
        object=f"process/{last.pid}" if last and is_process else name,
        since=_since(job, last),
        raw=last.reason if last else "",
    )


def waits_by_itself(job: Job) -> bool:
    """Check whether its reason says all: its turn has not come, or the disk does not let it take a GPU."""
    return _by_sentence(job.reason) in ("local.slots-disk", "local.turn")


def _by_sentence(reason: str) -> str:
    return next((identity for identity, pattern in _SENTENCES if re.match(pattern, reason)), "")


def _by_exit(attempt: Attempt) -> str:
    if attempt.finished and not attempt.pid:  # it never ran (process.CannotStart)
        return "local.program" if attempt.exit_code == 127 else "local.not-executable"
    if KILLED_FOR_MEMORY in attempt.reason:
        return "local.memory"
    if attempt.signal:
        return "local.signal"
    return "local.exit" if attempt.exit_code else ""


def _since(job: Job, last: Attempt | None) -> datetime | None:
    if job.state is JobState.QUEUED:
        return job.queued
    return last.finished if last and last.finished else job.finished
