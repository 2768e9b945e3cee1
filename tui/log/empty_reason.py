"""Says why a log is empty."""

from backend_client.models import Job, JobState
from backend_client.protocol import Feature, JobBackend
from tui.ui.sanitize import clean

_STOPPED = (JobState.STOPPING, JobState.STOPPED)
_WAITING = (JobState.QUEUED, JobState.PENDING, JobState.STARTING)


def lost_by_stop(backend: JobBackend | None) -> str:
    """Return what becomes of the log when a job is stopped, as a sentence; "" where the log stays."""
    reason = clean(backend.missing_features.get(Feature.STOPPED_LOGS, "") if backend else "", 300)
    return f"{reason[:1].upper()}{reason[1:]}." if reason else ""


def empty_reason(job: Job | None, backend: JobBackend | None = None) -> str:
    """Return the reason why a log has no lines, in one or two sentences."""
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
