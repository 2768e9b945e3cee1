"""When a person stopped and resumed a job: by our annotations, or a condition of its Job (pure)."""

from contextlib import suppress
from datetime import datetime

from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.workloads import KubeJob
from backend_client.kubernetes.status.spec_from_objects import RootObject, own_spec
from backend_client.models import Pause


def pauses_of(root: RootObject) -> tuple[Pause, ...]:
    """Return the pauses of a job, oldest first."""
    annotations = root.metadata.annotations
    earlier = (
        pair.partition("/") for pair in annotations.get(labels.PAUSES, "").split()[-labels.PAUSES_KEPT :]
    )
    pauses = [Pause(_time(stopped), _time(resumed)) for stopped, _, resumed in earlier]
    if stopped := annotations.get(labels.STOPPED):
        pauses.append(Pause(_time(stopped)))
    elif isinstance(root, KubeJob):
        pauses += _from_condition(root)
    return tuple(pause for pause in pauses if pause.stopped or pause.resumed)


def _from_condition(job: KubeJob) -> list[Pause]:
    """Read a suspend by another tool (kubectl). Kueue's is no person's, nor is ours in a create."""
    suspended = job.condition("Suspended")
    if suspended is None or labels.QUEUE in job.metadata.labels or labels.HELD in job.metadata.annotations:
        return []
    if suspended.true:
        return [Pause(suspended.last_transition_time)] if job.spec.suspend else []
    return [] if own_spec(job) else [Pause(resumed=suspended.last_transition_time)]


def _time(text: str) -> datetime | None:
    """Parse a time with its zone; None for anything else."""
    with suppress(ValueError):
        time = datetime.fromisoformat(text)
        return time if time.tzinfo else None
    return None
