"""The job cache: joins pods, events and the rest to their root objects; yields the changed jobs (pure)."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from backend_client.kubernetes.resources.core import Object, Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.job_status import is_shown, job_of, root_key
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.spec_from_objects import RootObject, without_pod_template
from backend_client.kubernetes.watch.delta import Delta
from backend_client.models import Job, JobRef, Progress

NodeGpuTable = tuple[NodeGpus, ...] | None
OwnerKey = tuple[str, str, str]
"""Kind ("Job", "Deployment", "Pod"), namespace and name of a job's root object."""

EVENT_REASONS = ("FailedCreate", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
"""Reasons of the events that a job's reason is read from; no other event is cached."""
WORKLOAD_JOB_UID = "kueue.x-k8s.io/job-uid"
"""Label of a Workload: the uid of its Job or pod (Kueue, pkg/controller/constants: JobUIDLabel)."""


class JobCache:
    """The objects of one cluster and the jobs they are: `apply` deltas, then `drain` the changed jobs."""

    def __init__(
        self,
        context: str,
        site: KubernetesSettings,
        node_gpus: Callable[[], NodeGpuTable] = lambda: None,
        progress: Callable[[str], Progress | None] = lambda _: None,
    ) -> None:
        """Start empty. `node_gpus` and `progress` (by a root object's uid) return what is known right now."""
        self._node_gpus = node_gpus
        self._progress = progress
        self._context = context
        self._site = site
        self._objects: dict[str, Object] = {}
        self._roots: dict[OwnerKey, RootObject] = {}
        self._pods: defaultdict[OwnerKey, dict[str, Pod]] = defaultdict(dict)
        self._events: defaultdict[str, dict[str, KubeEvent]] = defaultdict(dict)
        self._workloads: dict[str, Workload] = {}
        self._ingresses: dict[tuple[str, str], Ingress] = {}
        self._unreadable: dict[tuple[type[Object], str], str] = {}
        self._keys: dict[str, OwnerKey] = {}
        """uid of a root object or pod -> the key of its job."""
        self._dirty: dict[OwnerKey, None] = {}
        self._published: dict[OwnerKey, Job] = {}

    def apply(self, delta: Delta[Any]) -> None:
        """Apply the delta of a list or watch."""
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

    def drain(self, *, complete: bool) -> tuple[tuple[Job, ...], tuple[JobRef, ...]]:
        """Return jobs (changed, gone) since the last call. Unless `complete`, a job waits for its pods."""
        changed: list[Job] = []
        gone: list[JobRef] = []
        waiting: dict[OwnerKey, None] = {}
        for key in self._dirty:
            before, root = self._published.get(key), self._roots.get(key)
            if root and not complete and self._lacks_pods(key, root):
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
        return tuple(pod for pod in pods if not uid or (pod.owner and pod.owner.uid == uid))

    def _put(self, item: Object) -> None:
        if isinstance(item, KubeEvent) and item.reason not in EVENT_REASONS:
            return
        if isinstance(item, Workload) and (old := self._objects.get(item.uid)) is not None:
            self._remove(old)
        item = without_pod_template(item)
        self._objects[item.uid] = item
        match item:
            case Pod():
                self._put_pod(item)
            case KubeJob() | Deployment():
                self._put_root(_key_of(item), item)
            case KubeEvent():
                self._events[item.involved_object.uid][item.uid] = item
                self.mark_dirty(item.involved_object.uid)
            case Workload():
                self._workloads[_job_uid_of(item)] = item
                self.mark_dirty(_job_uid_of(item))
            case Ingress():
                self._ingresses[item.namespace, item.name] = item
                self._mark_namesakes_dirty(item)

    def _put_pod(self, pod: Pod) -> None:
        key = root_key(pod)
        self._pods[key][pod.uid] = pod
        self._keys[pod.uid] = key
        if key[0] == "Pod":
            self._put_root(key, pod)
        self._dirty[key] = None

    def _put_root(self, key: OwnerKey, root: RootObject) -> None:
        if is_shown(root, self._site):
            self._roots[key] = root
        else:
            self._roots.pop(key, None)
        self._keys[root.uid] = key
        self._dirty[key] = None

    def _remove(self, item: Object) -> None:
        match item:
            case KubeEvent():
                events = self._events.get(item.involved_object.uid, {})
                events.pop(item.uid, None)
                if not events:
                    self._events.pop(item.involved_object.uid, None)
                self.mark_dirty(item.involved_object.uid)
            case Workload():
                self._workloads.pop(_job_uid_of(item), None)
                self.mark_dirty(_job_uid_of(item))
            case Ingress():
                self._ingresses.pop((item.namespace, item.name), None)
                self._mark_namesakes_dirty(item)
            case _:
                self._remove_root_or_pod(item)

    def _remove_root_or_pod(self, item: Object) -> None:
        """Remove a root object or a pod. A namesake may have taken its key already."""
        key = self._keys.pop(item.uid, None)
        if key is None:
            return
        if (pods := self._pods.get(key)) and pods.pop(item.uid, None) and not pods:
            del self._pods[key]
        if (root := self._roots.get(key)) and root.uid == item.uid:
            del self._roots[key]
        self._dirty[key] = None

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

    def _job(self, key: OwnerKey, root: RootObject) -> Job:
        pods = self.pods_of(key)
        uids = (root.uid, *(pod.uid for pod in pods))
        related = RelatedObjects(
            site=self._site,
            events=tuple(event for uid in uids for event in self._events.get(uid, {}).values()),
            workload=self._workload(uids),
            ingress=self._ingresses.get((root.namespace, root.name)),
            node_gpus=self._node_gpus(),
            events_unknown_because=self._unknown_because(KubeEvent, root.namespace),
            workloads_unknown_because=self._unknown_because(Workload, root.namespace),
        )
        job, progress = job_of(root, pods, self._context, related), self._progress(root.uid)
        return replace(job, progress=progress) if progress else job

    def _unknown_because(self, type_: type[Object], namespace: str) -> str:
        return self._unreadable.get((type_, "")) or self._unreadable.get((type_, namespace), "")

    def _workload(self, uids: Iterable[str]) -> Workload | None:
        return next((self._workloads[uid] for uid in uids if uid in self._workloads), None)


def _pods_created(job: KubeJob) -> int:
    return job.status.active + job.status.terminating + job.status.succeeded + job.status.failed


def _key_of(root: KubeJob | Deployment) -> OwnerKey:
    return "Job" if isinstance(root, KubeJob) else "Deployment", root.namespace, root.name


def _job_uid_of(workload: Workload) -> str:
    return workload.metadata.labels.get(WORKLOAD_JOB_UID, "")
