"""Objects joined to jobs, in whatever order they come."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.resources.core import Condition, Object, Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import JOB_UID, Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.node_gpus import NodeGpus
from backend_client.kubernetes.resources.resource_types import EVENTS, kueue_workloads
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.pod_reason import NO_WORKLOADS
from backend_client.kubernetes.status.queue_place import NO_POSITIONS
from backend_client.kubernetes.watch.attempt_memory import AttemptMemory
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.models import Job, JobState

OURS = {"traindeck.dev/spec": '{"image": "a"}'}
GPU = {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "1"}}}]}


def made(type_: type[Any], name: str, uid: str = "", **fields: Any) -> Any:
    """An object in the namespace `ns`; `metadata` adds to its name and uid."""
    metadata = {"name": name, "namespace": "ns", "uid": uid or f"{type_.__name__} {name}"}
    return msgspec.convert({**fields, "metadata": metadata | fields.get("metadata", {})}, type_)


def job(name: str = "train", uid: str = "j1", **fields: Any) -> KubeJob:
    return made(KubeJob, name, uid, metadata={"annotations": OURS}, **fields)


def pod(name: str, owner: str = "j1", phase: str = "Running", job: str = "train") -> Pod:
    owners = [{"kind": "Job", "name": job, "uid": owner, "controller": True}]
    running = [{"name": "main", "state": {"running": {"startedAt": "2026-11-25T00:00:00Z"}}}]
    status = {"phase": phase, "containerStatuses": running * (phase == "Running")}
    return made(Pod, name, metadata={"ownerReferences": owners}, spec={"nodeName": "n"}, status=status)


def cache(*objects: Object) -> JobCache:
    found = JobCache("lab", KubernetesSettings())
    found.apply(Delta(objects))
    return found


def jobs(found: JobCache) -> dict[str, Job]:
    return {one.name: one for one in found.drain(complete=True)[0]}


def test_pods_are_joined_to_the_job_that_owns_them():
    found = jobs(cache(pod("a"), pod("other", owner="j0"), job()))
    assert [attempt.pod for attempt in found["train"].attempts] == ["a"]
    assert found["train"].state is JobState.RUNNING


def test_pods_are_joined_to_the_deployment_by_their_hash():
    owners = [{"kind": "ReplicaSet", "name": "web-5f", "uid": "r", "controller": True}]
    of_web = made(
        Pod, "web-5f-x", metadata={"ownerReferences": owners, "labels": {"pod-template-hash": "5f"}}
    )
    web = made(Deployment, "web", metadata={"annotations": OURS})
    assert [attempt.pod for attempt in jobs(cache(of_web, web))["web"].attempts] == ["web-5f-x"]


def test_only_what_changed_is_told_again():
    seen = cache(job("one"), job("two", "j2"), pod("a", job="one"))
    assert set(jobs(seen)) == {"one", "two"}
    assert jobs(seen) == {}
    seen.apply(Delta((pod("a", job="one"),)))
    assert jobs(seen) == {}
    seen.apply(Delta((pod("a", job="one", phase="Failed"),)))
    assert set(jobs(seen)) == {"one"}


def test_a_namesake_with_another_uid_is_gone_and_new():
    seen = cache(job())
    old = jobs(seen)["train"].ref
    seen.apply(Delta((job(uid="j2"),), ("j1",)))
    changed, gone = seen.drain(complete=True)
    assert (gone, [one.ref.uid for one in changed]) == ((old,), ["j2"])
    seen.apply(Delta((), ("j2",)))
    assert seen.drain(complete=True) == ((), (changed[0].ref,))


def test_a_job_waits_for_the_pods_that_it_has_made():
    seen = cache(job(status={"active": 2}), pod("a"))
    assert seen.drain(complete=False) == ((), ())
    seen.apply(Delta((pod("b"),)))
    assert len(seen.drain(complete=False)[0]) == 1
    assert len(cache(job(status={"active": 2})).drain(complete=True)[0]) == 1


def test_of_others_jobs_and_what_asks_for_gpus_are_shown_and_not_to_be_touched():
    foreign = made(Deployment, "theirs", spec={"template": {"spec": GPU}})
    others = made(Deployment, "web"), made(Pod, "shell", spec=GPU), made(Pod, "sh")
    found = jobs(cache(foreign, *others, made(KubeJob, "tokenize")))
    assert {name: one.read_only for name, one in found.items()} == dict.fromkeys(
        ("theirs", "shell", "tokenize"), "not made by traindeck"
    )


def test_the_whole_cluster_is_listed_without_its_own_housekeeping():
    housekeeping = made(KubeJob, "install", metadata={"namespace": "kube-system"})
    whole = JobCache("lab", KubernetesSettings(), everywhere=True)
    whole.apply(Delta((housekeeping, made(KubeJob, "tokenize"))))
    assert set(jobs(whole)) == {"tokenize"}
    assert set(jobs(cache(housekeeping))) == {"install"}


QUOTA = 'pods "x" is forbidden: exceeded quota: q, requested: a=1, used: a=1, limited: a=1'
FULL = "the quota q is full: 1 of 1 a used, 1 asked"
SEEN = " (seen at 14:03 UTC)"


def event(name: str, about: str, reason: str, message: str, time: str = "2026-11-29T14:03:20Z") -> KubeEvent:
    found: KubeEvent = made(
        KubeEvent, name, involvedObject={"uid": about}, reason=reason, message=message, lastTimestamp=time
    )
    return found


def test_an_event_says_why_also_when_the_cluster_has_thrown_it_away():
    refused = event("e", "j1", "FailedCreate", QUOTA)
    seen = cache(job(), refused)
    assert (jobs(seen)["train"].state, seen.drain(complete=True)) == (JobState.QUEUED, ((), ()))
    seen.apply(Delta((), (refused.uid,)))
    still = jobs(seen)["train"]
    assert (still.state, still.reason) == (JobState.QUEUED, FULL + SEEN)


def starting(name: str = "a", **status: Any) -> Pod:
    owners = [{"kind": "Job", "name": "train", "uid": "j1", "controller": True}]
    waiting = [{"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]
    found: Pod = made(
        Pod,
        name,
        metadata={"ownerReferences": owners, "labels": status.pop("labels", {})},
        spec={"nodeName": "n"},
        status={"phase": "Pending", "containerStatuses": waiting, **status},
    )
    return found


MOUNT = 'MountVolume.SetUp failed for volume "v" : secret "nope" not found'
NO_SECRET = 'the secret "nope" does not exist'


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ((), NO_SECRET + SEEN),
        ((starting(labels={"a": "b"}),), NO_SECRET + SEEN),
        ((job(status={"active": 1}),), NO_SECRET + SEEN),
        ((starting(conditions=[{"type": "Ready", "status": "False"}]),), ""),
        ((pod("a"),), ""),
        ((event("m2", "Pod a", "FailedMount", 'secret "other" not found', "2026-11-29T15:10:00Z"),),
         'the secret "other" does not exist'),
        ((event("m2", "Pod a", "FailedMount", "odd words", "2026-11-29T15:10:00Z"),), "odd words"),
    ],
)  # fmt: skip
def test_a_reason_of_an_event_stays_until_its_pod_changes(then: tuple[Object, ...], reason: str):
    mount = event("m", "Pod a", "FailedMount", MOUNT)
    seen = cache(job(), starting(), mount)
    assert jobs(seen)["train"].reason == NO_SECRET
    seen.apply(Delta((), (mount.uid,)))
    seen.apply(Delta(then))
    assert jobs(seen)["train"].reason == reason


def test_an_event_that_came_back_is_no_old_one():
    mount = event("m", "Pod a", "FailedMount", MOUNT)
    seen = cache(job(), starting(), mount)
    seen.apply(Delta((), (mount.uid,)))
    again = event("m3", "Pod a", "FailedMount", MOUNT, "2026-11-29T16:00:00Z")
    seen.apply(Delta((again,)))
    assert jobs(seen)["train"].reason == NO_SECRET


def test_what_an_event_said_of_a_pod_goes_with_the_pod():
    mount = event("m", "Pod a", "FailedMount", MOUNT)
    seen = cache(job(), starting(), mount)
    seen.apply(Delta((), (mount.uid,)))
    seen.apply(Delta((), ("Pod a",)))
    assert jobs(seen)["train"].reason == ""


def test_a_workload_and_an_ingress_tell_of_their_job():
    queued = made(
        KubeJob,
        "train",
        "j1",
        metadata={
            "annotations": OURS | {"traindeck.dev/url": "/ns/train"},
            "labels": {"kueue.x-k8s.io/queue-name": "q"},
        },
        spec={"suspend": True},
    )
    seen = cache(queued)
    assert jobs(seen)["train"].reason == "waits in the queue q"
    workload = made(Workload, "w", metadata={"labels": {JOB_UID: "j1"}})
    seen.apply(Delta((workload,)))
    assert jobs(seen)["train"].reason == "waits in the queue q, behind others"
    seen.apply(Delta((made(Ingress, "train", status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}),)))
    assert jobs(seen)["train"].urls == ("http://192.0.2.1/ns/train",)


THINGS = [
    job(),
    job(status={"active": 1}),
    job(uid="j2"),
    job("two", "j3"),
    pod("a"),
    pod("a", phase="Failed"),
    pod("b"),
    pod("c", owner="j3", job="two"),
    made(Pod, "shell", spec=GPU),
]


@given(st.lists(st.tuples(st.sampled_from(THINGS), st.booleans()), max_size=20))
def test_any_history_ends_in_what_a_fresh_look_shows(history):
    """Told jobs, applied one by one, are those of a cache that sees the end alone, and remembers the same."""
    memory = AttemptMemory()
    seen, told, there = JobCache("lab", KubernetesSettings(), memory=memory), {}, {}
    for thing, stays in history:
        key = type(thing), thing.name
        before = there.pop(key, None)
        gone = (before.uid,) if before and (not stays or before.uid != thing.uid) else ()
        if stays:
            there[key] = thing
        seen.apply(Delta((thing,) if stays else (), gone))
        changed, lost = seen.drain(complete=True)
        for ref in lost:
            del told[ref.uid]
        told.update((one.ref.uid, one) for one in changed)
    fresh = JobCache("lab", KubernetesSettings(), memory=memory)
    fresh.apply(Delta(tuple(there.values())))
    assert told == {one.ref.uid: one for one in jobs(fresh).values()}


@pytest.mark.parametrize("uid", ["nobody", "Pod a"])
def test_the_end_of_what_was_never_seen_is_no_news(uid):
    seen = cache()
    seen.apply(Delta((), (uid,)))
    assert seen.drain(complete=True) == ((), ())


QUEUED = {"annotations": OURS, "labels": {"kueue.x-k8s.io/queue-name": "q"}}


def workload_of(uid: str, name: str = "w", lacks: int = 0, **spec: Any) -> Workload:
    """One that waits for so many GPUs, or has its own."""
    message = f"insufficient unused quota for nvidia.com/gpu in flavor a100, {lacks} more needed"
    status = "False" if lacks else "True"
    condition = {"type": "QuotaReserved", "status": status, "reason": "Pending", "message": message}
    admission = {"clusterQueue": "team-a"}
    return made(
        Workload,
        name,
        metadata={
            "labels": {JOB_UID: uid},
            "creationTimestamp": f"2026-11-25T00:00:0{name[-1:] if name[-1:].isdigit() else 0}Z",
        },
        spec={"queueName": "q", **spec},
        status={"conditions": [condition], **({} if lacks else {"admission": admission})},
    )


def replica(name: str, *, gated: bool) -> Pod:
    """One of the deployment `web`, that its queue holds back or that runs."""
    owners = [{"kind": "ReplicaSet", "name": "web-5f", "uid": "r", "controller": True}]
    metadata = {
        "ownerReferences": owners,
        "labels": {"pod-template-hash": "5f", "kueue.x-k8s.io/queue-name": "q"},
    }
    gates = {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}, {"name": "kueue.x-k8s.io/topology"}]}
    waits = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}
    if gated:
        return made(Pod, name, metadata=metadata, spec=gates, status=waits)
    return made(Pod, name, metadata=metadata, spec={"nodeName": "n"}, status={"phase": "Running"})


def test_each_replica_has_a_workload_of_its_own():
    spec = '{"image": "a", "kind": "deployment", "replicas": 3, "gpus": 8}'
    web = made(
        Deployment,
        "web",
        metadata=QUEUED | {"annotations": {"traindeck.dev/spec": spec}},
        spec={"replicas": 3},
    )
    pods = [
        replica("web-5f-a", gated=False),
        replica("web-5f-b", gated=True),
        replica("web-5f-c", gated=True),
    ]
    seen = cache(web, *pods, workload_of("Pod web-5f-a", "w1"))
    told = jobs(seen)["web"]
    assert (told.state, told.reason) == (JobState.RUNNING, "1 of 3 replicas run; 2 wait in the queue q")
    seen.apply(Delta((workload_of("Pod web-5f-b", "w2", 8), workload_of("Pod web-5f-c", "w3", 8))))
    told = jobs(seen)["web"]
    assert told.reason == "1 of 3 replicas run; 2 wait: needs 8 more A100 each"
    assert told.queue
    assert told.queue.cluster_queue == "team-a"
    seen.apply(Delta((replica("web-5f-b", gated=False), workload_of("Pod web-5f-b", "w2"))))
    assert jobs(seen)["web"].reason == "2 of 3 replicas run; 1 waits: needs 8 more A100"


def test_an_old_workload_takes_nothing_with_it():
    queued = made(KubeJob, "train", "j1", metadata=QUEUED, spec={"suspend": True})
    seen = cache(queued, workload_of("j1", "w1", 8), workload_of("j1", "w2", 4))
    assert jobs(seen)["train"].reason == "needs 4 more A100; waits in the queue q"
    seen.apply(Delta((), ("Workload w1",)))
    assert jobs(seen) == {}
    seen.apply(Delta((), ("Workload w2",)))
    assert jobs(seen)["train"].reason == "waits in the queue q"


def test_a_job_that_its_queue_has_ended_has_ended():
    queued = made(KubeJob, "train", "j1", metadata=QUEUED, spec={"suspend": True})
    seen = cache(queued, workload_of("j1", "w", 8, active=False))
    told = jobs(seen)["train"]
    assert (told.state, told.ended) == (JobState.STOPPED, True)
    assert told.queue
    assert told.queue.held


def test_what_kept_a_pod_from_running_is_known_after_its_queue_took_it_away():
    root = made(KubeJob, "train", "j1", metadata=QUEUED)
    message = 'persistentvolumeclaim "data" not found'
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    owners = [{"kind": "Job", "name": "train", "uid": "j1", "controller": True}]
    stuck = made(Pod, "a", metadata={"ownerReferences": owners}, status={"conditions": [unschedulable]})
    seen = cache(root, stuck, workload_of("j1"))
    assert jobs(seen)["train"].reason == 'the volume claim "data" does not exist'
    timeout = {"type": "Evicted", "status": "True", "reason": "PodsReadyTimeout"}
    found = workload_of("j1", lacks=8)
    found = msgspec.structs.replace(
        found,
        status=msgspec.structs.replace(found.status, conditions=(Condition(**timeout), *found.conditions)),
    )
    seen.apply(Delta((made(KubeJob, "train", "j1", metadata=QUEUED, spec={"suspend": True}), found)))
    seen.apply(Delta((), ("Pod a",), (stuck,)))
    words = 'did not get ready in time (last: the volume claim "data" does not exist); needs 8 more A100; '
    assert jobs(seen)["train"].reason == f"{words}waits in the queue q"


def test_what_may_not_be_read_is_said_of_jobs_that_wait():
    seen = cache(job(spec={"suspend": False}))
    assert jobs(seen)["train"].reason == ""
    seen.mark_unreadable(EVENTS, "elsewhere", "you may not list events in elsewhere")
    assert jobs(seen) == {}
    seen.mark_unreadable(EVENTS, "ns", "you may not list events in ns")
    assert jobs(seen)["train"].reason == "why is hidden: you may not list events in ns"
    seen.apply(Delta((pod("a"),)))
    assert jobs(seen)["train"].reason == ""
    queue = {"metadata": {"annotations": OURS, "labels": {"kueue.x-k8s.io/queue-name": "q"}}}
    seen.apply(Delta((made(KubeJob, "train", "j1", spec={"suspend": True}, **queue),)))
    seen.mark_unreadable(kueue_workloads("v1beta2"), "", "you may not list workloads")
    assert jobs(seen)["train"].reason == "waits in the queue q; why is hidden: you may not list workloads"
    seen.mark_unreadable(kueue_workloads("v1beta2"), "", "")
    assert jobs(seen)["train"].reason == "waits in the queue q"


def preempted(name: str) -> Pod:
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "lastTransitionTime": "2026-11-29T14:03:20Z",
    }
    running = pod(name)
    status = msgspec.structs.replace(running.status, conditions=(msgspec.convert(target, Condition),))
    return msgspec.structs.replace(running, status=status)


def test_a_preempted_job_says_so_when_its_pod_is_gone_and_when_it_runs_again():
    found = cache(job(), preempted("a"))
    jobs(found)
    found.apply(Delta((), (preempted("a").uid,)))
    words = "earlier it gave way to a pod of higher priority (14:03 UTC)"
    assert jobs(found)["train"].reason == words
    found.apply(Delta((pod("b"),)))
    again = jobs(found)["train"]
    assert (again.state, again.reason) == (JobState.RUNNING, words)
    found.apply(Delta((), (job().uid,)))  # another job of the name has no such past
    jobs(found)
    found.apply(Delta((job(uid="j2"),)))
    assert jobs(found)["train"].reason == ""


def test_jobs_that_wait_are_looked_at_again_when_the_nodes_are_known():
    nodes: list[NodeGpus] = []
    found = JobCache("lab", KubernetesSettings(), lambda: tuple(nodes) or None)
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1"}
    root = made(KubeJob, "big", "j1", spec={"template": {"spec": GPU}})
    owners = [{"kind": "Job", "name": "big", "uid": "j1", "controller": True}]
    many = {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "16"}}}]}
    waiting = made(
        Pod, "p", metadata={"ownerReferences": owners}, spec=many, status={"conditions": [unscheduled]}
    )
    found.apply(Delta((root, waiting)))
    assert found.wants_nodes
    assert jobs(found)["big"].reason == "0/1"
    nodes.append(NodeGpus("gpu-1", "A100", 8, 0))
    found.mark_waiting_dirty()
    assert jobs(found)["big"].reason == "no node has 16 GPUs; the largest has 8"
    found.mark_waiting_dirty()
    assert jobs(found) == {}
    assert not cache(job(), pod("a")).wants_nodes


def test_a_job_in_no_queue_costs_no_look_at_queues():
    """Nothing is made for it that says of queues and events what is not there."""
    asked: list[str] = []
    found = JobCache("lab", KubernetesSettings(), queue_position=lambda item: asked.append(item.name))
    found.apply(Delta((job(), pod("a"), job("other", "j2"), pod("b", "j2", job="other"), workload_of("j2"))))
    found.drain(complete=True)
    assert asked == ["w"]
    known = found.objects_of("j1")
    assert known is not None
    assert known.related.workloads is NO_WORKLOADS
    assert known.related.queue_positions is NO_POSITIONS
    assert (known.related.events, known.related.expired_events) == ((), ())
