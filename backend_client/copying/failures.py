"""Why something could not be copied, out of what a tool in the job has printed (pure)."""

import re

from backend_client.errors import BackendError, Conflict, NotFound, Refused, sentence
from backend_client.text.sanitize import clean

_STATISTICS = re.compile(r"^\d+\+\d+ records|^\d+ bytes .*copied", re.MULTILINE)
_WORDS = {
    "no space left": ("there is no space left", "How full it is: traindeck exec {job} -- df -h"),
    "quota": ("a disk quota is used up", ""),
    "permission denied": ("the job's user may not", "Who that is: traindeck exec {job} -- id"),
    "not permitted": ("the job's user may not", "Who that is: traindeck exec {job} -- id"),
    "read-only": (
        "the file system is read-only",
        "Volumes of the job may be writable: traindeck describe {job}",
    ),
    "no tar": ("the image has no tar", "Single files can be copied without."),
}


def failure(job: str, path: str, done: str, printed: str) -> BackendError:
    """Return the error for a path in a job that cannot be `done` ("read", "written")."""
    where, lowered = f"{clean(path, 300)} cannot be {done} in {job}", printed.lower()
    for mark, (why, hint) in _WORDS.items():
        if mark in lowered:
            return Refused(f"{where}: {why}.", hint.format(job=job))
    if done == "read" and "no such file" in lowered:
        return no_such(job, path)
    lines = [line for line in printed.splitlines() if line.strip() and not _STATISTICS.search(line)]
    return Refused(sentence(f"{where}: {clean(lines[0], 300)}" if lines else where))


def no_such(job: str, path: str) -> NotFound:
    """Return the error for a path that is not there."""
    hint = "A relative path begins in the job's working directory." if path.startswith(".") else ""
    return NotFound(f"There is no {clean(path, 300)} in {job}.", hint)


def has_changed(what: str) -> Conflict:
    """Return the error for a file of which two versions would have been mixed."""
    return Conflict(
        f"{clean(what, 300)} was changed while it was copied, so nothing of it was kept.",
        "Copy it again when nobody writes to it any more.",
    )


def differs(what: str) -> Conflict:
    """Return the error for a copy with another checksum than what it is a copy of."""
    return Conflict(
        f"The copy of {clean(what, 300)} is not equal to it, so nothing of it was kept.", "Copy it again."
    )
