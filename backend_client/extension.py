"""Whether the time limit of a job can be raised, and to what."""

from backend_client.errors import Refused
from backend_client.models import Job, JobState
from backend_client.models.fields import duration_text, parse_field


def extended(job: Job, seconds: int) -> int:
    """Return the `max_runtime` of a job to which so many seconds are added. Raises Refused."""
    check_extension(job, job.spec.max_runtime + seconds)
    return job.spec.max_runtime + seconds


def check_extension(job: Job, max_runtime: int) -> None:
    """Check that the time limit of a job can become so many seconds. Raises Refused, which says why not."""
    if job.spec.kind == "deployment":
        raise Refused(f"{job.name} has no time limit: a deployment runs until you stop it.")
    if job.ended or job.state is JobState.STOPPING:
        raise Refused(
            f"{job.name} has ended: it is {job.state.value}.", "`traindeck again` runs it once more."
        )
    if not job.spec.max_runtime:
        raise Refused(f"{job.name} has no time limit: it runs until it ends by itself, or you stop it.")
    try:
        parse_field("max_runtime", max_runtime)
    except ValueError as error:
        raise Refused(f"The time limit of {job.name} cannot be that: {error}.") from None
    if max_runtime < job.spec.max_runtime:
        there = duration_text(job.spec.max_runtime)
        raise Refused(
            f"{job.name} may run for {there} already.", "Its time limit can be raised, not lowered."
        )
