"""Why a log is empty, in words."""

from backend_client.models import Job, JobState
from backend_client.protocol import Feature, JobBackend
from tui.ui.sanitize import clean

_STOPPED = (JobState.STOPPING, JobState.STOPPED)
_WAITING = (JobState.QUEUED, JobState.PENDING, JobState.STARTING)


def lost_by_stop(backend: JobBackend | None) -> str:
    """What becomes of the log of a job that is stopped, as a sentence; "" where it stays."""
    lacks = clean(backend.missing_features.get(Feature.STOPPED_LOGS, "") if backend else "", 300)
    return f"{lacks[:1].upper()}{lacks[1:]}." if lacks else ""


def empty_reason(job: Job | None, backend: JobBackend | None = None) -> str:
    """One or two sentences for a log that has no lines."""
    if job is None:
        return "No job is chosen."
    if job.state in _STOPPED and (lost := lost_by_stop(backend)):
        return f"{job.state}. {lost}"
    if job.state in _WAITING:
        return f"{job.state}: {clean(job.reason, 300) or 'it has not started yet'}."
    if job.ended:
        return f"It wrote nothing. {clean(job.reason, 300)}"
    if job.spec.env.get("PYTHONUNBUFFERED", "1") in ("", "0"):
        return "No output yet. PYTHONUNBUFFERED is off in this job: Python keeps its output back for a while."
    return "No output yet. PYTHONUNBUFFERED is set; a program that is not Python may keep its output back."
