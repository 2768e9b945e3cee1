"""Says why a log is empty: what is known, and no more."""

from backend_client.models import Job, JobState
from backend_client.protocol import Feature, JobBackend
from backend_client.text.questions import lost_by_stop
from backend_client.text.sanitize import clean

_STOPPED = (JobState.STOPPING, JobState.STOPPED)
_WAITING = (JobState.QUEUED, JobState.PENDING, JobState.STARTING)
_READING = "Reading the log ..."
LOG_DELETED = "Its log was deleted."


def empty_reason(job: Job | None, backend: JobBackend | None = None, *, reading: bool = False) -> str:
    """Return the reason why a log has no lines (so far, while it is `reading`), in one to three sentences.

    Where logs go with their pods, or are cut on their node, no lines do not mean that none were written.
    """
    if job is None:
        return "No job is chosen."
    lost = lost_by_stop(backend)
    reason = clean(job.reason, 300)
    if job.state in _STOPPED and lost:
        return f"{job.state}. {lost}"
    if job.state in _WAITING:
        return f"{job.state}: {reason or 'it has not started yet'}."
    if reading and job.attempts:
        return _READING
    if job.ended:
        nothing = "There is no log to read; what it wrote may have gone with its pods." if lost else ""
        return f"{nothing or 'It wrote nothing.'} {reason}".rstrip()
    nothing = "No output to read now." if lost else "No output yet."
    return " ".join(filter(None, [nothing, _buffering(job), _kept_back(backend)]))


def _buffering(job: Job) -> str:
    """Say whether Python keeps output back, where that is known: we set the variable in our jobs alone."""
    value = job.spec.env.get("PYTHONUNBUFFERED", "" if job.read_only else "1")
    if "PYTHONUNBUFFERED" in job.spec.env and value in ("", "0"):
        return "PYTHONUNBUFFERED is off in this job: Python keeps its output back for a while."
    set_here = "PYTHONUNBUFFERED is set; a" if value else "A"
    return f"{set_here} program{' that is not Python' * bool(value)} may keep its output back."


def _kept_back(backend: JobBackend | None) -> str:
    why = clean(backend.missing_features.get(Feature.UNFINISHED_LINES, ""), 300) if backend else ""
    return f"A line without its newline, as a bar, may come late: {why}." if why else ""
