"""Objects joined to jobs, in whatever order they come."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.resources.core import Object, Pod
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.resource_types import EVENTS, kueue_workloads
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import WORKLOAD_JOB_UID, JobCache
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


def test_of_others_only_what_asks_for_gpus_is_shown_and_not_to_be_touched():
    foreign = made(Deployment, "theirs", spec={"template": {"spec": GPU}})
    found = jobs(cache(foreign, made(Deployment, "web"), made(Pod, "shell", spec=GPU), made(Pod, "sh")))
    assert {name: one.read_only for name, one in found.items()} == {
        "theirs": "not made by traindeck",
        "shell": "not made by traindeck",
    }


def test_an_event_says_why_and_its_end_is_no_news():
    refused = made(
        KubeEvent,
        "e",
        involvedObject={"uid": "j1"},
        reason="FailedCreate",
        message='pods "x" is forbidden: exceeded quota: q, requested: a=1, used: a=1, limited: a=1',
    )
    seen = cache(job(), refused)
    assert jobs(seen)["train"].state is JobState.QUEUED
    seen.apply(Delta((), (refused.uid,)))
    assert jobs(seen)["train"].state is JobState.PENDING


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
    workload = made(Workload, "w", metadata={"labels": {WORKLOAD_JOB_UID: "j1"}})
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
    """Told jobs, applied one by one, are those of a cache that sees the end alone."""
    seen, told, there = JobCache("lab", KubernetesSettings()), {}, {}
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
    assert told == {one.ref.uid: one for one in jobs(cache(*there.values())).values()}


@pytest.mark.parametrize("uid", ["nobody", "Pod a"])
def test_the_end_of_what_was_never_seen_is_no_news(uid):
    seen = cache()
    seen.apply(Delta((), (uid,)))
    assert seen.drain(complete=True) == ((), ())


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
