"""The job cache: joins pods, events and the rest to their root objects; yields the changed jobs (pure)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from backend_client.kubernetes.resources.core import Object, Pod
from backend_client.kubernetes.resources.events import KubeEvent, ObjectReference
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.resources.training import TrainingJob, with_child
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.attempts import (
    by_age,
    count_starts,
    eviction_by,
    has_ended,
    last_end,
    ranks,
)
from backend_client.kubernetes.status.exit_reason import interruption
from backend_client.kubernetes.status.job_status import is_shown, job_of, root_key
from backend_client.kubernetes.status.kueue_history import eviction, nobody, past
from backend_client.kubernetes.status.pod_reason import (
    MOUNT_EVENTS,
    NO_WORKLOADS,
    PULL_EVENTS,
    RelatedObjects,
    pod_reason,
)
from backend_client.kubernetes.status.queue_place import NO_POSITIONS, Positions, QueuePosition
from backend_client.kubernetes.status.spec_from_objects import (
    RootObject,
    own_spec,
    spec_of,
    without_pod_template,
)
from backend_client.kubernetes.status.training_job import ranked
from backend_client.kubernetes.watch.attempt_memory import AttemptMemory
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.owner_chains import OwnerChains
from backend_client.models import Eviction, Job, JobRef, JobState, Progress

NodeGpuTable = tuple[NodeGpus, ...] | None
OwnerKey = tuple[str, str, str]
"""Kind ("Job", "Deployment", "Pod", or the name of a `TrainingKind`), namespace and name of a root object."""


class JobObjects(NamedTuple):
    """The objects that one job is made of, and what is known beside them."""

    root: RootObject
    pods: tuple[Pod, ...]
    related: RelatedObjects


EVENT_REASONS = ("FailedCreate", *MOUNT_EVENTS, *PULL_EVENTS)
"""Reasons of the events that a job's reason is read from; no other event is cached."""


class JobCache:
    """The objects of one cluster and the jobs they are: `apply` deltas, then `drain` the changed jobs."""

    def __init__(
        self,
        context: str,
        site: KubernetesSettings,
        node_gpus: Callable[[], NodeGpuTable] = lambda: None,
        progress: Callable[[str], Progress | None] = lambda _: None,
        queue_position: Callable[[Workload], QueuePosition | None] = lambda _: None,
        *,
        memory: AttemptMemory | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        everywhere: bool = False,
    ) -> None:
        """Start empty. `node_gpus`, `progress` (by a root object's uid) and `queue_position` return what is
        known right now.

        `memory`: where attempts go whose pods are gone; one that others read too. `everywhere`: it holds the
        whole cluster, and leaves out what the cluster runs for itself.
        """
        self._everywhere = everywhere
        self._memory = memory or AttemptMemory()
        self._clock = clock
        self._node_gpus = node_gpus
        self._progress = progress
        self._queue_position = queue_position
        self._context = context
        self._site = site
        self._objects: dict[str, Object] = {}
        self._roots: dict[OwnerKey, RootObject] = {}
        self._pods: defaultdict[OwnerKey, dict[str, Pod]] = defaultdict(dict)
        self._events: defaultdict[str, dict[str, KubeEvent]] = defaultdict(dict)
        self._expired_events: defaultdict[str, dict[str, KubeEvent]] = defaultdict(dict)
        """uid of an object -> by reason the last event that is gone; kept until that object changes."""
        self._workloads: defaultdict[str, dict[str, Workload]] = defaultdict(dict)
        """uid of a Job or pod -> its Workloads by their uids: an old one may go after the new one came."""
        self._ingresses: dict[tuple[str, str], Ingress] = {}
        self._unreadable: dict[tuple[type[Object], str], str] = {}
        self._keys: dict[str, OwnerKey] = {}
        """uid of a root object or pod -> the key of its job."""
        self._interruptions: dict[str, str] = {}
        """uid of a Job -> how a pod of it was ended from outside, as the pod itself is gone soon after."""
        self._chains = OwnerChains()
        self.awaits_owners = False
        """Whether training jobs are listed too: until they are, what has an owner may be no job itself."""
        self._dirty: dict[OwnerKey, None] = {}
        self._published: dict[OwnerKey, Job] = {}

    def apply(self, delta: Delta[Any]) -> None:
        """Apply the delta of a list or watch."""
        for item in delta.last:
            if isinstance(item, Pod) and item.uid in self._objects:
                self._put(item)
        for uid in delta.gone:
            if (old := self._objects.pop(uid, None)) is not None:
                self._remove(old)
        for item in delta.changed:
            self._put(item)

    def mark_unreadable(self, resource_type: ResourceType[Any], namespace: str, reason: str) -> None:
        """Set why objects of a type cannot be read in a namespace ("": in all); "" once they can be."""
        scope = resource_type.type, namespace
        if self._unreadable.get(scope, "") != reason:
            self._unreadable[scope] = reason
            self._dirty.update(dict.fromkeys(self._roots))

    def mark_dirty(self, uid: str) -> None:
        """Mark the job of a root object or pod as changed by something beside its objects."""
        if key := self._keys.get(uid):
            self._dirty[key] = None

    @property
    def wants_nodes(self) -> bool:
        """Whether some pod cannot be placed: the nodes say what would fit."""
        return any(
            not pod.spec.node_name and not has_ended(pod) and pod.condition("PodScheduled")
            for pods in self._pods.values()
            for pod in pods.values()
        )

    def mark_waiting_dirty(self) -> None:
        """Mark the jobs that wait for a machine as changed: the nodes are known, or others than before."""
        waiting = (key for key, job in self._published.items() if job.state is JobState.PENDING)
        self._dirty.update(dict.fromkeys(waiting))

    def drain(self, *, complete: bool) -> tuple[tuple[Job, ...], tuple[JobRef, ...]]:
        """Return jobs (changed, gone) since the last call. Unless `complete`, a job waits for its pods."""
        changed: list[Job] = []
        gone: list[JobRef] = []
        waiting: dict[OwnerKey, None] = {}
        for key in self._dirty:
            before, root = self._published.get(key), self._roots.get(key)
            if root and not complete and (self._lacks_pods(key, root) or self._may_have_owner(root)):
                waiting[key] = None
                continue
            now = self._job(key, root) if root else None
            if before and (now is None or now.ref.uid != before.ref.uid):
                gone.append(before.ref)
                del self._published[key]
            if now and now != before:
                changed.append(now)
                self._published[key] = now
        self._dirty = waiting
        return tuple(changed), tuple(gone)

    def pods_of(self, key: OwnerKey) -> tuple[Pod, ...]:
        """Return the cached pods of a job."""
        root = self._roots.get(key)
        uid = root.uid if isinstance(root, KubeJob) else ""
        pods = self._pods.get(key, {}).values()
        if isinstance(root, TrainingJob):
            return ranked(self._with_pod_sets(root), pods)
        return tuple(pod for pod in pods if not uid or (pod.owner and pod.owner.uid == uid))

    def _put(self, item: Object) -> None:
        if isinstance(item, KubeEvent) and item.reason not in EVENT_REASONS:
            return
        if isinstance(item, Workload) and (old := self._objects.get(item.uid)) is not None:
            self._remove(old)
        item = without_pod_template(item)
        if item.uid in self._expired_events and _status(item) != _status(self._objects.get(item.uid)):
            del self._expired_events[item.uid]
        self._objects[item.uid] = item
        self._follow_owners(item)
        match item:
            case Pod():
                self._put_pod(item)
            case KubeJob() | Deployment():
                self._put_root(_key_of(item), item)
            case KubeEvent():
                self._events[item.involved_object.uid][item.uid] = item
                self.mark_dirty(item.involved_object.uid)
            case Workload():
                for uid in item.owner_uids:
                    self._workloads[uid][item.uid] = item
                    self.mark_dirty(uid)
            case Ingress():
                self._ingresses[item.namespace, item.name] = item
                self._mark_namesakes_dirty(item)

    def _follow_owners(self, item: Object) -> None:
        """Note whose an object is. What came before the training job that it belongs to is filed anew."""
        if not self._chains.active:
            if not isinstance(item, TrainingJob):
                return
            for known in self._objects.values():
                self._chains.put(known)
            self._file_anew(self._chains.below(item))
        elif self._chains.put(item):
            self._file_anew(self._chains.below(item))

    def _file_anew(self, uids: Iterable[str]) -> None:
        for item in [self._objects[uid] for uid in uids if uid in self._objects]:
            match item:
                case Pod():
                    self._put_pod(item)
                case KubeJob():
                    self._put_root(_key_of(item), item)

    def _training_key(self, item: Pod | RootObject) -> OwnerKey | None:
        """Return the key of the training job that an object was made for; None for any other object."""
        if not self._chains.active or own_spec(item):
            return None
        root = self._objects.get(self._chains.job_of(item))
        return _key_of(root) if isinstance(root, TrainingJob) and root.uid != item.uid else None

    def _whole(self, root: RootObject) -> RootObject:
        """Return a root object as it is told of; a training job with the sorts of its pods."""
        return self._with_pod_sets(root) if isinstance(root, TrainingJob) else root

    def _with_pod_sets(self, job: TrainingJob) -> TrainingJob:
        """Return a training job with the sorts of its pods, which may be told by what it is made of."""
        if job.groups:
            return job
        below = (self._objects.get(uid) for uid in self._chains.below(job))
        child = next((item for item in below if isinstance(item, TrainingJob) and item.groups), None)
        return with_child(job, child) if child else job

    def _put_pod(self, pod: Pod) -> None:
        key = self._training_key(pod) or root_key(pod)
        if self._keys.get(pod.uid, key) != key:
            self._unfile(pod)
        before = self._pods[key].get(pod.uid)
        if before and pod.metadata.deletion_timestamp and not before.metadata.deletion_timestamp:
            self._keep_last_reason(key, before)
        if before and count_starts(before) < count_starts(pod) and (place := self._place_of(key, pod)):
            self._memory.keep_restarted(place[0], before, place[1], self._clock())
        self._pods[key][pod.uid] = pod
        self._keys[pod.uid] = key
        if pod.owner and key[0] == "Job" and (interrupted := interruption(pod)):
            self._interruptions[pod.owner.uid] = interrupted
        if key[0] == "Pod":
            self._put_root(key, pod)
        self._dirty[key] = None

    def _put_root(self, key: OwnerKey, root: RootObject) -> None:
        of_training = None if isinstance(root, Deployment) else self._training_key(root)
        if not of_training and is_shown(root, self._site, everywhere=self._everywhere):
            self._roots[key] = root
        else:
            self._roots.pop(key, None)
        self._dirty[key] = None
        if (before := self._keys.get(root.uid, key)) != key:
            self._dirty[before] = None
        if of_training:
            self._dirty[of_training] = None
        self._keys[root.uid] = of_training or key

    def _remove(self, item: Object) -> None:
        match item:
            case KubeEvent():
                self._remove_event(item)
            case Workload():
                self._remove_workload(item)
            case Ingress():
                self._ingresses.pop((item.namespace, item.name), None)
                self._mark_namesakes_dirty(item)
            case _:
                self._remove_root_or_pod(item)
                below = tuple(self._chains.below(item)) if self._chains.active else ()
                if self._chains.remove(item):
                    self._file_anew(below)

    def _remove_workload(self, workload: Workload) -> None:
        for uid in workload.owner_uids:
            if (
                (workloads := self._workloads.get(uid))
                and workloads.pop(workload.uid, None)
                and not workloads
            ):
                del self._workloads[uid]
            self.mark_dirty(uid)

    def _remove_event(self, event: KubeEvent) -> None:
        """Remove an event. An API server keeps events for an hour, and what they say may hold for longer."""
        uid = event.involved_object.uid
        events = self._events.get(uid, {})
        events.pop(event.uid, None)
        if not events:
            self._events.pop(uid, None)
        if uid in self._objects:
            self._expired_events[uid][event.reason] = event
        self.mark_dirty(uid)

    def _remove_root_or_pod(self, item: Object) -> None:
        """Remove a root object or a pod. A namesake may have taken its key already."""
        self._interruptions.pop(item.uid, None)
        self._memory.forget(item.uid)
        self._expired_events.pop(item.uid, None)
        key = self._keys.pop(item.uid, None)
        if key is None:
            return
        if isinstance(item, Pod) and key[0] != "Pod" and (place := self._place_of(key, item)):
            taken = self._taken_by_queue(place[0], item)
            self._memory.keep_gone(place[0], item, place[1], self._clock(), taken)
            if not item.metadata.deletion_timestamp:
                self._keep_last_reason(key, item)
        self._unfile(item, key)

    def _taken_by_queue(self, job_uid: str, pod: Pod) -> Eviction | None:
        """Return what the queue did that has just evicted a pod, or its whole job; None where none has.

        A pod that had ended before was not taken away.
        """
        now, ended = self._clock(), last_end(pod)
        for uid in (job_uid, pod.uid):
            workload = self._workload_of(uid) if uid in self._workloads else None
            evicted = eviction(workload) if workload else None
            at = evicted.last_transition_time if evicted else None
            if workload is None or evicted is None or (ended and at and ended < at):
                continue
            if found := past(workload, now=now, last_reason="", name_of=nobody):
                return eviction_by(found.id, found.sentence)
        return None

    def _unfile(self, item: Object, key: OwnerKey | None = None) -> None:
        """Take a root object or pod from where it is filed."""
        key = key or self._keys.pop(item.uid)
        if (pods := self._pods.get(key)) and pods.pop(item.uid, None) and not pods:
            del self._pods[key]
        if (root := self._roots.get(key)) and root.uid == item.uid:
            del self._roots[key]
        self._dirty[key] = None

    def _keep_last_reason(self, key: OwnerKey, pod: Pod) -> None:
        """Remember why a pod did not run: its queue takes it away after a while, and the reason with it."""
        root = self._roots.get(key)
        if (
            root
            and pod.uid in self._pods.get(key, ())
            and any(self._workloads.get(uid) for uid in (root.uid, pod.uid))
        ):
            gpu_type = spec_of(root, self._site).gpu_type
            found = pod_reason(pod, gpu_type, self._related(root, (pod,)))
            self._memory.keep_reason(root.uid, found.sentence if found else "")

    def _place_of(self, key: OwnerKey, pod: Pod) -> tuple[str, int] | None:
        """Return the uid of a pod's job and the pod's rank in it; None where the job is gone or not shown."""
        root = self._roots.get(key)
        found = (rank for rank, other in ranks(by_age(self.pods_of(key))) if other.uid == pod.uid)
        rank = next(found, None) if root else None
        return (root.uid, rank) if root and rank is not None else None

    def _mark_namesakes_dirty(self, item: Object) -> None:
        """Mark the jobs of an Ingress as changed: it has the name of its job."""
        for kind in ("Job", "Deployment"):
            key = kind, item.namespace, item.name
            if key in self._roots:
                self._dirty[key] = None

    def _lacks_pods(self, key: OwnerKey, root: RootObject) -> bool:
        if isinstance(root, Pod):
            return False
        created = root.status.replicas if isinstance(root, Deployment) else _pods_created(root)
        return len(self._pods.get(key, ())) < created

    def objects_of(self, uid: str) -> JobObjects | None:
        """Return all that is known of the job with this uid; None where no shown job has it."""
        key = self._keys.get(uid)
        root = self._roots.get(key) if key else None
        if key is None or root is None or root.uid != uid or self._lacks_pods(key, root):
            return None
        root, pods = self._whole(root), self.pods_of(key)
        return JobObjects(root, pods, self._related(root, pods))

    def name_of(self, uid: str) -> str:
        """Return the name of the job with this uid; "" where none has it."""
        key = self._keys.get(uid)
        return key[2] if key else ""

    def _may_have_owner(self, root: RootObject) -> bool:
        """Return whether a root object, or its pods, may turn out to be a training job's."""
        return self.awaits_owners and (isinstance(root, TrainingJob) or root.owner is not None)

    def _job(self, key: OwnerKey, root: RootObject) -> Job:
        root, pods = self._whole(root), self.pods_of(key)
        related = self._related(root, pods)
        job, progress = job_of(root, pods, self._context, related), self._progress(root.uid)
        return replace(job, progress=progress) if progress else job

    def _related(self, root: RootObject, pods: Sequence[Pod]) -> RelatedObjects:
        uids = [root.uid, *[pod.uid for pod in pods]]
        workloads = self._workloads_of(uids)
        return RelatedObjects(
            site=self._site,
            events=_events_of(uids, self._events) + self._events_below(root),
            expired_events=_events_of(uids, self._expired_events),
            workloads=workloads,
            queue_positions=self._positions_of(workloads.values()) if workloads else NO_POSITIONS,
            ingress=self._ingresses.get((root.namespace, root.name)),
            node_gpus=self._node_gpus(),
            interruption=self._interruptions.get(root.uid, ""),
            past=self._memory.of(root.uid),
            last_reason=self._memory.last_reason_of(root.uid),
            now=self._clock(),
            events_unknown_because=self._unknown_because(KubeEvent, root.namespace),
            workloads_unknown_because=self._unknown_because(Workload, root.namespace),
        )

    def _workloads_of(self, uids: Iterable[str]) -> Mapping[str, Workload]:
        found = [uid for uid in uids if uid in self._workloads] if self._workloads else ()
        return {uid: self._workload_of(uid) for uid in found} if found else NO_WORKLOADS

    def _positions_of(self, workloads: Iterable[Workload]) -> Positions:
        positions = {workload.name: self._queue_position(workload) for workload in workloads}
        return {name: position for name, position in positions.items() if position}

    def _events_below(self, root: RootObject) -> tuple[KubeEvent, ...]:
        """Return what the Jobs of a training job say, as if it said so itself."""
        if not isinstance(root, TrainingJob):
            return ()
        jobs = (uid for uid in self._chains.below(root) if isinstance(self._objects.get(uid), KubeJob))
        about = ObjectReference(kind=root.training.kind, name=root.name, uid=root.uid)
        events = (event for uid in jobs for event in self._events.get(uid, {}).values())
        return tuple(replace(event, involved_object=about) for event in events)

    def _unknown_because(self, type_: type[Object], namespace: str) -> str:
        return self._unreadable.get((type_, "")) or self._unreadable.get((type_, namespace), "")

    def _workload_of(self, uid: str) -> Workload:
        """Return the newest Workload of a Job or pod."""
        return max(self._workloads[uid].values(), key=lambda item: str(item.metadata.creation_timestamp))


def _events_of(uids: Iterable[str], events: Mapping[str, Mapping[str, KubeEvent]]) -> tuple[KubeEvent, ...]:
    """Return the events about objects; of most there are none."""
    found = [known for uid in uids if (known := events.get(uid))] if events else ()
    return tuple(event for known in found for event in known.values()) if found else ()


def _status(item: Object | None) -> object:
    """Return what an object reports of itself, for comparison; labels and the like are no news of it."""
    if isinstance(item, KubeJob):
        return item.status, item.spec.suspend, item.spec.parallelism
    return (item.status, item.spec.node_name) if isinstance(item, Pod) else None


def _pods_created(job: KubeJob) -> int:
    return job.status.active + job.status.terminating + job.status.succeeded + job.status.failed


def _key_of(root: KubeJob | Deployment) -> OwnerKey:
    if isinstance(root, TrainingJob):
        return root.training.name, root.namespace, root.name
    return "Job" if isinstance(root, KubeJob) else "Deployment", root.namespace, root.name
