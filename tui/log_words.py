"""Why a log is empty, in words."""

from backend_client.models import Job, JobState
from tui.terminal import clean

_WAITING = (JobState.QUEUED, JobState.PENDING, JobState.STARTING)


def why_empty(job: Job | None) -> str:
    """One or two sentences for a log that has no lines."""
    if job is None:
        return "No job is chosen."
    if job.state in _WAITING:
        return f"{job.state}: {clean(job.reason, 300) or 'it has not started yet'}."
    if job.ended:
        return f"It wrote nothing. {clean(job.reason, 300)}"
    if job.spec.env.get("PYTHONUNBUFFERED", "1") in ("", "0"):
        return "No output yet. PYTHONUNBUFFERED is off in this job: Python keeps its output back for a while."
    return "No output yet. PYTHONUNBUFFERED is set; a program that is not Python may keep its output back."
