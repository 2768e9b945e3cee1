"""Objects as they come -> the jobs that change by them (pure): joins pods and the rest to their jobs."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from backend_client.kubernetes.manifests.gpus import NodeGpus
from backend_client.kubernetes.resources.core import Object, Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.job_status import is_shown, job_of, root_key
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.spec_from_objects import RootObject, without_pod_template
from backend_client.kubernetes.watch.delta import Delta
from backend_client.models import Job, JobRef, Progress

Blocks = tuple[NodeGpus, ...] | None
OwnerKey = tuple[str, str, str]
"""Kind ("Job", "Deployment", "Pod"), namespace and name of what a job is made of."""

REASONS = ("FailedCreate", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
"""The events that reasons are read from; no other is kept."""
WORKLOAD_OF = "kueue.x-k8s.io/job-uid"
"""Label of a Workload: the uid of the Job or pod that it stands for (facts 3.4)."""


class JobCache:
    """All that is known of one cluster. `apply` what changed, then `take` the jobs it changes."""

    def __init__(
        self,
        context: str,
        site: KubernetesSettings,
        blocks: Callable[[], Blocks] = lambda: None,
        progress: Callable[[str], Progress | None] = lambda _: None,
    ) -> None:
        """`blocks`: the GPUs of the nodes, `progress`: that of a job by its uid; where that is known now."""
        self._blocks = blocks
        self._progress = progress
        self._context = context
        self._site = site
        self._objects: dict[str, Object] = {}
        self._anchors: dict[OwnerKey, RootObject] = {}
        self._pods: defaultdict[OwnerKey, dict[str, Pod]] = defaultdict(dict)
        self._events: defaultdict[str, dict[str, KubeEvent]] = defaultdict(dict)
        self._workloads: dict[str, Workload] = {}
        self._ingresses: dict[tuple[str, str], Ingress] = {}
        self._hidden: dict[tuple[type[Object], str], str] = {}
        self._homes: dict[str, OwnerKey] = {}
        """uid of a pod or anchor -> the place of its job."""
        self._dirty: dict[OwnerKey, None] = {}
        self._published: dict[OwnerKey, Job] = {}

    def apply(self, delta: Delta[Any]) -> None:
        """Take in what one list or watch told."""
        for uid in delta.gone:
            if (old := self._objects.pop(uid, None)) is not None:
                self._forget(old)
        for item in delta.changed:
            self._put(item)

    def mark_unreadable(self, kind: ResourceType[Any], namespace: str, why: str) -> None:
        """Objects of this kind are not known there ("": anywhere), and why; "" where they are known again."""
        place = kind.type, namespace
        if self._hidden.get(place, "") != why:
            self._hidden[place] = why
            self._dirty.update(dict.fromkeys(self._anchors))

    def mark_dirty(self, uid: str) -> None:
        """Something else than its objects has changed about the job of this anchor or pod."""
        if place := self._homes.get(uid):
            self._dirty[place] = None

    def drain(self, *, complete: bool) -> tuple[tuple[Job, ...], tuple[JobRef, ...]]:
        """(as they are now, gone) since the last time. Unless `complete`, a job waits for its pods."""
        changed: list[Job] = []
        gone: list[JobRef] = []
        waiting: dict[OwnerKey, None] = {}
        for place in self._dirty:
            before, anchor = self._published.get(place), self._anchors.get(place)
            if anchor and not complete and self._lacks_pods(place, anchor):
                waiting[place] = None
                continue
            now = self._job(place, anchor) if anchor else None
            if before and (now is None or now.ref.uid != before.ref.uid):
                gone.append(before.ref)
                del self._published[place]
            if now and now != before:
                changed.append(now)
                self._published[place] = now
        self._dirty = waiting
        return tuple(changed), tuple(gone)

    def pods_of(self, place: OwnerKey) -> tuple[Pod, ...]:
        """A job's pods, of those known."""
        anchor = self._anchors.get(place)
        uid = anchor.uid if isinstance(anchor, KubeJob) else ""
        found = self._pods.get(place, {}).values()
        return tuple(pod for pod in found if not uid or (pod.owner and pod.owner.uid == uid))

    def _put(self, item: Object) -> None:
        if isinstance(item, KubeEvent) and item.reason not in REASONS:
            return
        if isinstance(item, Workload) and (old := self._objects.get(item.uid)) is not None:
            self._forget(old)
        item = without_pod_template(item)
        self._objects[item.uid] = item
        match item:
            case Pod():
                self._put_pod(item)
            case KubeJob() | Deployment():
                self._put_anchor(_place(item), item)
            case KubeEvent():
                self._events[item.involved_object.uid][item.uid] = item
                self.mark_dirty(item.involved_object.uid)
            case Workload():
                self._workloads[_stands_for(item)] = item
                self.mark_dirty(_stands_for(item))
            case Ingress():
                self._ingresses[item.namespace, item.name] = item
                self._touch_named(item)

    def _put_pod(self, pod: Pod) -> None:
        place = root_key(pod)
        self._pods[place][pod.uid] = pod
        self._homes[pod.uid] = place
        if place[0] == "Pod":
            self._put_anchor(place, pod)
        self._dirty[place] = None

    def _put_anchor(self, place: OwnerKey, anchor: RootObject) -> None:
        if is_shown(anchor, self._site):
            self._anchors[place] = anchor
        else:
            self._anchors.pop(place, None)
        self._homes[anchor.uid] = place
        self._dirty[place] = None

    def _forget(self, item: Object) -> None:
        match item:
            case KubeEvent():
                about = self._events.get(item.involved_object.uid, {})
                about.pop(item.uid, None)
                if not about:
                    self._events.pop(item.involved_object.uid, None)
                self.mark_dirty(item.involved_object.uid)
            case Workload():
                self._workloads.pop(_stands_for(item), None)
                self.mark_dirty(_stands_for(item))
            case Ingress():
                self._ingresses.pop((item.namespace, item.name), None)
                self._touch_named(item)
            case _:
                self._leave(item)

    def _leave(self, item: Object) -> None:
        """An anchor or a pod that is gone. A namesake may have its place already."""
        place = self._homes.pop(item.uid, None)
        if place is None:
            return
        if (pods := self._pods.get(place)) and pods.pop(item.uid, None) and not pods:
            del self._pods[place]
        if (anchor := self._anchors.get(place)) and anchor.uid == item.uid:
            del self._anchors[place]
        self._dirty[place] = None

    def _touch_named(self, item: Object) -> None:
        """An Ingress is called after its job."""
        for kind in ("Job", "Deployment"):
            place = kind, item.namespace, item.name
            if place in self._anchors:
                self._dirty[place] = None

    def _lacks_pods(self, place: OwnerKey, anchor: RootObject) -> bool:
        if isinstance(anchor, Pod):
            return False
        made = anchor.status.replicas if isinstance(anchor, Deployment) else _made(anchor)
        return len(self._pods.get(place, ())) < made

    def _job(self, place: OwnerKey, anchor: RootObject) -> Job:
        pods = self.pods_of(place)
        uids = (anchor.uid, *(pod.uid for pod in pods))
        around = RelatedObjects(
            site=self._site,
            events=tuple(event for uid in uids for event in self._events.get(uid, {}).values()),
            workload=self._workload(uids),
            ingress=self._ingresses.get((anchor.namespace, anchor.name)),
            blocks=self._blocks(),
            no_events=self._why_hidden(KubeEvent, anchor.namespace),
            no_workloads=self._why_hidden(Workload, anchor.namespace),
        )
        job, progress = job_of(anchor, pods, self._context, around), self._progress(anchor.uid)
        return replace(job, progress=progress) if progress else job

    def _why_hidden(self, kind: type[Object], namespace: str) -> str:
        return self._hidden.get((kind, "")) or self._hidden.get((kind, namespace), "")

    def _workload(self, uids: Iterable[str]) -> Workload | None:
        return next((self._workloads[uid] for uid in uids if uid in self._workloads), None)


def _made(job: KubeJob) -> int:
    return job.status.active + job.status.terminating + job.status.succeeded + job.status.failed


def _place(anchor: KubeJob | Deployment) -> OwnerKey:
    return "Job" if isinstance(anchor, KubeJob) else "Deployment", anchor.namespace, anchor.name


def _stands_for(workload: Workload) -> str:
    return workload.metadata.labels.get(WORKLOAD_OF, "")
