"""The pod whose ports are meant, out of all pods of a job (pure)."""

from collections.abc import Iterable

from backend_client.errors import Conflict, Refused, fragment
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.status.attempts import by_age, is_over, ranks
from backend_client.models import Job


def running_pod(job: Job, pods: Iterable[Pod], rank: int) -> Pod:
    """Return the newest pod of a rank that runs, and is not being deleted.

    Raises Conflict where there is none now; Refused where the job has ended.
    """
    for number, pod in reversed(list(ranks(by_age(pods)))):
        if number == rank and pod.status.phase == "Running" and not is_over(pod):
            return pod
    if job.ended:
        raise Refused(f"The job {job.name} has ended: {job.state.value}.")
    if any(number == rank and pod.status.phase == "Pending" for number, pod in ranks(by_age(pods))):
        why = f": {fragment(job.reason)}" if job.reason else ""
        raise Conflict(f"The pod of rank {rank} of {job.name} does not run yet{why}.")
    raise Conflict(f"No pod of rank {rank} of {job.name} runs ({job.state.value}).")
