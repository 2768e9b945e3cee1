"""Writes to the training jobs of other tools: stop and resume by their own field, and nothing else."""

from datetime import UTC, datetime

import msgspec

from backend_client.errors import Forbidden, NotFound, Refused
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.render import Manifest, pauses_after
from backend_client.kubernetes.resources.training import TrainingJob, read_training_job
from backend_client.kubernetes.resources.training_kinds import TRAINING_KINDS
from backend_client.kubernetes.status.job_status import read_only
from backend_client.kubernetes.status.training_job import is_queued
from backend_client.kubernetes.watch.training import root_type
from backend_client.kubernetes.write.retrying_client import RetryingClient, annotation, uid_of
from backend_client.models import JobRef


async def find(transport: Transport, ref: JobRef) -> Manifest:
    """Find a training job by uid. Raises NotFound, and Forbidden for a part of what another object makes."""
    kind = await root_type(transport, ref.kind)
    root = await RetryingClient(transport).find(kind, ref.namespace, ref.name)
    if root is None or uid_of(root) != ref.uid:
        raise NotFound(f"There is no job {ref} ({ref.uid}).")
    typed = _typed(root, ref)
    if typed.owner:
        raise Forbidden(f"{ref.name} was {read_only(typed)}.", f"Stop or delete {typed.owner.name} instead.")
    return root


async def stop(transport: Transport, ref: JobRef) -> Manifest:
    """Suspend a training job. One that has ended stays as it is. Raises Refused where that cannot be."""
    root = await find(transport, ref)
    job, kind = _typed(root, ref), ref.kind
    if job.status.conditions:
        return root
    if not job.training.suspend:
        raise Refused(f"A {job.training.kind} cannot be suspended.", "Delete it, or use its own tool.")
    if is_queued(job):
        raise Refused(
            f"{ref.name} is in a queue: Kueue decides when it runs, and would start it again at once.",
            "Delete it instead.",
        )

    def next_patch(current: Manifest) -> Manifest | None:
        if read_training_job(TRAINING_KINDS[kind], current).spec.suspend:
            return None
        stopped = datetime.now(UTC).isoformat(timespec="seconds")
        return _patch(job, {labels.STOPPED: stopped}, suspend=True)

    return await RetryingClient(transport).patch_until(root, next_patch)


async def resume(transport: Transport, ref: JobRef) -> Manifest:
    """Undo a `stop` of ours. Raises Refused where another tool suspended the job, and must resume it."""
    root = await find(transport, ref)
    job = _typed(root, ref)
    if job.spec.suspend and not annotation(root, labels.STOPPED):
        raise Refused(f"{ref.name} was not stopped by traindeck.", "Whatever suspended it resumes it.")

    def next_patch(current: Manifest) -> Manifest | None:
        if not annotation(current, labels.STOPPED):
            return None
        annotations = {labels.STOPPED: None, labels.PAUSES: pauses_after(current, datetime.now(UTC))}
        return _patch(job, annotations, suspend=False)

    return await RetryingClient(transport).patch_until(root, next_patch)


def _typed(root: Manifest, ref: JobRef) -> TrainingJob:
    return read_training_job(TRAINING_KINDS[ref.kind], root)


def _patch(job: TrainingJob, annotations: dict[str, str | None], *, suspend: bool) -> Manifest:
    """Return the merge patch that sets the field by which a kind is suspended."""
    value: object = suspend
    for name in reversed(job.training.suspend.split(".")):
        value = {name: value}
    return {"metadata": {"annotations": annotations}, **msgspec.convert(value, Manifest)}
