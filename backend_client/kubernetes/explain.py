"""Why one job of a cluster is as it is: its objects, the chain of causes that they tell, and what would help.

All of that takes at most six requests, beside those for the log of a job that failed. The objects come from a
watch that is open and has them, else the root object, its pods, its Workload, and the events of the objects
that nothing else explains are asked for; what then remains of the six is for what would help.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from backend_client.errors import BackendError, Forbidden, NotFound, fragment
from backend_client.kubernetes import labels
from backend_client.kubernetes.access import is_allowed, resource_rule
from backend_client.kubernetes.api.counted import CountedTransport
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.capacity_cache import CapacityCache
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import JOB_UID
from backend_client.kubernetes.resources.resource_types import EVENTS, NODES
from backend_client.kubernetes.resources.training import TrainingJob
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.attempts import by_age, is_over
from backend_client.kubernetes.status.chain import chain_of
from backend_client.kubernetes.status.container_reason import container_statuses
from backend_client.kubernetes.status.job_status import is_shown, job_of
from backend_client.kubernetes.status.pod_reason import LOGINS, RelatedObjects, pod_reason
from backend_client.kubernetes.status.spec_from_objects import RootObject, spec_of
from backend_client.kubernetes.watch import listing, lists, preemptor
from backend_client.kubernetes.watch.attempt_memory import AttemptMemory
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache, JobObjects
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.kubernetes.watch.queue_positions import QueuePositions
from backend_client.kubernetes.watch.training import load_made
from backend_client.kubernetes.what_helps import question_of, with_offers
from backend_client.logs.failure_card import Logs, with_failure
from backend_client.models import JobRef, JobState
from backend_client.why import Explanation, MayName, anyone

MOST_REQUESTS = 6
"""For one look, that of its log not among them."""
_NO_NODES = "you may not list nodes, so the largest free block is not known"


class Explainer(Struct, frozen=True, kw_only=True):
    """Explains jobs of one cluster by what is known of it, and by what it is asked for."""

    transport: Transport
    context: str
    site: KubernetesSettings
    capacity: CapacityCache
    attempts: AttemptMemory
    positions: QueuePositions
    """Those that are known; none is asked for: that would take as many requests again."""
    kueue: KueueLists
    watched: Sequence[JobCache]
    """The objects of the watches that are open."""
    new_cache: Callable[[], JobCache]
    logs: Logs

    async def explain(self, ref: JobRef, may_name: MayName) -> Explanation:
        """Return why a job is as it is, and what would help it. Raises a BackendError."""
        transport = CountedTransport(self.transport, MOST_REQUESTS)
        objects = await self._objects(transport, ref)
        related = replace(
            objects.related,
            queue_positions=self.positions.of(objects.related.workloads.values()),
            name_of=await preemptor.namer(transport, self.kueue, objects, self.watched, may_name),
        )
        objects = objects._replace(related=related)
        found = explanation_of(objects)
        job = job_of(objects.root, objects.pods, self.context, objects.related)
        if not found.chain and job.state is not JobState.FAILED:
            return found
        found = await with_failure(found, job, self.logs)
        question = question_of(
            found,
            job,
            objects.pods,
            transport=transport,
            site=self.site,
            kueue=self.kueue,
            machines=self.capacity.machines(),
            owner="" if may_name is anyone else job.owner,
        )
        if question is None:
            return await with_unknown_nodes(transport, found, objects.related)
        return await with_offers(found, question)

    async def _objects(self, transport: Transport, ref: JobRef) -> JobObjects:
        """Return the objects of a job: those of a watch that is open and has them, else loaded."""
        watched = (cache.objects_of(ref.uid) for cache in self.watched)
        if objects := next(filter(None, watched), None):
            return objects
        related = RelatedObjects(
            site=self.site,
            node_gpus=self.capacity.node_gpus(),
            past=self.attempts.of(ref.uid),
            now=datetime.now(UTC),
        )
        return await load_objects(transport, ref, related, self.kueue, self.new_cache)


def explanation_of(objects: JobObjects) -> Explanation:
    """Return why a job is as it is, out of its objects."""
    chain = chain_of(*objects)
    if not chain:
        return Explanation()
    unknown = tuple(_unreadable(objects.related))
    return Explanation(sentence=chain[-1].sentence, chain=chain, unknown=unknown)


def _unreadable(related: RelatedObjects) -> Iterable[str]:
    if why := related.events_unknown_because:
        yield f"{why}, so what they say of mounts, sandboxes and refused pods is not known"
    if why := related.workloads_unknown_because:
        yield f"{why}, so what the queue says is not known"


async def with_unknown_nodes(
    transport: Transport, explanation: Explanation, related: RelatedObjects
) -> Explanation:
    """Add to an explanation that nodes may not be listed, where they would tell what a pod needs.

    One request, and none where the GPUs of all nodes are known or no pod waits for a node.
    """
    waits = any(link.id.startswith("schedule.") for link in explanation.chain[-1:])
    if related.node_gpus is not None or not waits:
        return explanation
    with suppress(BackendError):
        if not await is_allowed(transport, resource_rule("list", NODES)):
            return replace(explanation, unknown=(*explanation.unknown, _NO_NODES))
    return explanation


async def load_objects(
    transport: Transport,
    ref: JobRef,
    related: RelatedObjects,
    kueue: KueueLists,
    new_cache: Callable[[], JobCache],
) -> JobObjects:
    """Load the objects of a job by its uid, in at most five requests; `related`: what is known without any.

    A training job of another tool may take more: other objects stand between it and its pods. Raises NotFound
    where no job, or only a namesake, is there.
    """
    root = await listing.find_root(transport, ref)
    if not is_shown(root, related.site):
        raise NotFound(f"There is no job {ref} ({ref.uid}).")
    if isinstance(root, TrainingJob):
        root, pods = await _training_job(transport, root, new_cache())
    else:
        pods = () if _has_no_pods(root) else await listing.pods_of(transport, root)
    objects = await _with_workload(transport, JobObjects(root, pods, related), kueue)
    return await _with_events(transport, objects)


def _has_no_pods(root: RootObject) -> bool:
    """Return whether a Job says itself that it has no pods, and had none: its queue has not let it in yet."""
    if not isinstance(root, KubeJob) or not root.spec.suspend:
        return False
    status = root.status
    return not (status.active or status.succeeded or status.failed or status.terminating)


async def _training_job(
    transport: Transport, root: TrainingJob, cache: JobCache
) -> tuple[RootObject, tuple[Pod, ...]]:
    """Return a training job as a watch would show it, with its pods."""
    made = await load_made(transport, root)
    cache.apply(Delta((root, *made.others, *made.pods)))
    found = cache.objects_of(root.uid)
    return (found.root, found.pods) if found else (root, made.pods)


async def _with_workload(transport: Transport, objects: JobObjects, kueue: KueueLists) -> JobObjects:
    """Add the Workloads of a job that a queue holds, or has held."""
    root, pods, related = objects
    if not any(labels.QUEUE in item.metadata.labels for item in (root, *pods)):
        return objects
    selector = "" if isinstance(root, Deployment) else f"{JOB_UID}={root.uid}"
    try:
        found = await kueue.list(transport, lambda types: types.workloads, root.namespace, labels=selector)
    except NotFound:
        return objects
    except Forbidden as error:
        return objects._replace(related=replace(related, workloads_unknown_because=fragment(error.title)))
    uids = {root.uid, *(pod.uid for pod in pods)}
    oldest_first = sorted(found, key=lambda item: str(item.metadata.creation_timestamp))
    own = {uid: item for item in oldest_first for uid in item.owner_uids if uid in uids}
    return objects._replace(related=replace(related, workloads=own))


async def _with_events(transport: Transport, objects: JobObjects) -> JobObjects:
    """Add the events of the objects that nothing else explains."""
    root, _, related = objects
    found: list[KubeEvent] = []
    try:
        for uid in _unexplained(objects):
            fields = f"type=Warning,involvedObject.uid={uid}"
            found += await lists.list_all(transport, EVENTS, root.namespace, fields=fields)
    except Forbidden as error:
        return objects._replace(related=replace(related, events_unknown_because=fragment(error.title)))
    return objects._replace(related=replace(related, events=tuple(found)))


def _unexplained(objects: JobObjects) -> Iterable[str]:
    """Yield the uids of what only events explain: the first pod that waits on its node and does not say why
    (or not which pull secret it lacks), and a root object that lacks pods: not of one that is suspended or at
    its end.
    """
    root, pods, related = objects
    spec = spec_of(root, related.site)
    alive = [pod for pod in by_age(pods) if not is_over(pod)]
    silent = (
        pod.uid
        for pod in alive
        if pod.spec.node_name
        and not any(status.state.running for status in container_statuses(pod))
        and ((found := pod_reason(pod, spec.gpu_type, related)) is None or found.id in LOGINS)
    )
    yield from list(silent)[:1]
    if len(alive) < max(spec.nodes, spec.replicas) and not (
        _has_no_pods(root) or (pods and _is_at_its_end(root))
    ):
        yield root.uid


def _is_at_its_end(root: RootObject) -> bool:
    return root.has_condition("Failed") or root.has_condition("Complete")
