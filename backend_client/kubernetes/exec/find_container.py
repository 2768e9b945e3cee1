"""Find the container in which a rank of a job runs (pure)."""

from collections.abc import Sequence

from backend_client.errors import NotFound
from backend_client.exec_session import not_running
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.status.attempts import by_age, is_over, ranks
from backend_client.models import Job


def find_container(job: Job, pods: Sequence[Pod], rank: int) -> Container:
    """Return the running container of a rank. Raises NotFound; Refused where it does not run."""
    found = {number: pod for number, pod in ranks(by_age(pods)) if not is_over(pod)}
    pod = found.get(rank)
    if pod is None and found and not job.ended:
        others = ", ".join(str(number) for number in sorted(found)[:20])
        raise NotFound(f"There is no rank {rank} of {job.name} now.", f"There are: {others}.")
    main, status = (pod.main_container, pod.main_container_status) if pod else (None, None)
    if pod is None or main is None or status is None or status.state.running is None:
        raise not_running(job, f"rank {rank} of {job.name}" if len(found) > 1 else "")
    return Container(job.ref.namespace, pod.name, main.name)
