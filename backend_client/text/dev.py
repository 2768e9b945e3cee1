"""What is said of a dev job: how to come back to it, and when it ends. Pure; all is clean."""

from datetime import timedelta

from backend_client.dev.job import idle_of
from backend_client.models import Job
from backend_client.models.fields import duration_text
from backend_client.text.figures import short_local_time
from backend_client.text.sanitize import clean


def farewell(job: Job, *, keeps_files: bool) -> str:
    """Return what a person should know who leaves a dev job that goes on.

    `keeps_files`: its files are those of a machine, and stay when it ends.
    """
    name, idle = clean(job.name, 80), idle_of(job.spec)
    ends = [f"when it has been idle for {duration_text(idle)}"] if idle else []
    if job.started and job.spec.max_runtime:
        latest = job.started + timedelta(seconds=job.spec.max_runtime)
        ends.append(f"at {short_local_time(latest)} at the latest (`traindeck extend {name} 4h`)")
    lost = "" if keeps_files else " What lies outside of its volumes is lost then."
    return (
        f"{name} goes on: `traindeck shell {name}` comes back, `traindeck delete {name}` ends it. "
        f"By itself it ends {', '.join(ends) or 'never'}.{lost}"
    )


def left_waiting(job: Job) -> str:
    """Return what a person should know who does not wait until a dev job runs."""
    name = clean(job.name, 80)
    back = f"`traindeck dev {name}` waits for it again"
    return f"{name} stays in line: {back}, `traindeck delete {name}` removes it."


def no_shell(job: Job) -> str:
    """Return why a dev job could not start, where its image has no sh; "" where that is not why."""
    if job.reason.endswith("the image has no program sh"):
        return f"The image {clean(job.spec.image, 200)} has no sh, which a dev job needs."
    return ""
