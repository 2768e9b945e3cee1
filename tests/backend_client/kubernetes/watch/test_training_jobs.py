"""Training jobs of other tools out of their objects: one row each, its ranks, its state. All of it pure."""

import itertools
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.resources.core import Object
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.resource_types import JOBS, PODS
from backend_client.kubernetes.resources.training import training_type
from backend_client.kubernetes.resources.training_kinds import TRAINING_KINDS
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch.delta import Delta
from backend_client.kubernetes.watch.job_cache import JobCache
from backend_client.kubernetes.watch.training import STATEFUL_SETS
from backend_client.models import Job, JobState
from tests.backend_client.kubernetes.support.training import (
    SPECS,
    Manifest,
    condition,
    family,
    manifest,
    owned,
    pod,
)

KINDS = list(TRAINING_KINDS)
RUNNING = {
    "phase": "Running",
    "containerStatuses": [{"name": "main", "state": {"running": {"startedAt": "2026-11-29T11:00:00Z"}}}],
}
FAILED = {
    "phase": "Failed",
    "containerStatuses": [
        {"name": "main", "state": {"terminated": {"exitCode": 7, "finishedAt": "2026-11-29T11:30:00Z"}}}
    ],
}


def typed(made: Manifest) -> Object:
    """As a list or a watch reads it."""
    body = msgspec.json.encode(made)
    if found := training_type(made["apiVersion"], made["kind"]):
        return found.decode_object(body)
    others: dict[str, Any] = {"Pod": PODS, "Job": JOBS, "StatefulSet": STATEFUL_SETS}
    item: Object = others[made["kind"]].decode_object(body)
    return item


def made(kind: str, pods: Manifest = RUNNING, status: Manifest | None = None, **spec: Any) -> list[Manifest]:
    """A training job, and what its controllers made."""
    listed: list[Manifest] = []
    for number, (item, owner) in enumerate(family(kind)[0]):
        born = f"2026-11-29T10:00:{number:02}Z"
        metadata = {**item["metadata"], "uid": f"u{number}", "creationTimestamp": born}
        whole = {**item, "metadata": metadata} | ({"status": pods} if item["kind"] == "Pod" else {})
        listed.append(whole if owner is None else owned(whole, listed[owner]))
    listed[0] |= {"status": status or {}, "spec": {**listed[0]["spec"], **spec}}
    return listed


def cache(*objects: Manifest) -> JobCache:
    found = JobCache("lab", KubernetesSettings())
    for item in objects:
        found.apply(Delta((typed(item),)))
    return found


def rows(found: JobCache) -> list[Job]:
    return list(found.drain(complete=True)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_job_is_one_row_with_its_ranks_in_whatever_order_its_objects_come(kind: str):
    objects = made(kind)
    for seed in range(20):
        random.Random(seed).shuffle(objects)
        [job] = rows(cache(*objects))
        assert (job.ref.kind, job.name, job.state) == (kind, "llama", JobState.RUNNING)
        assert {attempt.pod: attempt.rank for attempt in job.attempts} == family(kind)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_were_shown_before_their_training_job_came_are_gone(kind: str):
    first, *others = made(kind)
    found = cache(*others)
    before = found.drain(complete=True)[0]
    found.apply(Delta((typed(first),)))
    [job], gone = found.drain(complete=True)
    assert job.name == "llama"
    assert set(gone) == {row.ref for row in before}


@pytest.mark.parametrize("kind", KINDS)
def test_until_the_owners_are_listed_nothing_of_others_is_a_row(kind: str):
    first, *others = made(kind)
    found = cache(*others)
    found.awaits_owners = True
    assert found.drain(complete=False) == ((), ())
    found.apply(Delta((typed(first),)))
    assert [job.name for job in found.drain(complete=True)[0]] == ["llama"]


GPUS_OF = {
    "jobset": 32,
    "trainjob": 16,
    "pytorchjob": 24,
    "mpijob": 16,
    "rayjob": 16,
    "raycluster": 16,
    "lws": 32,
    "vcjob": 16,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_tells_what_it_is_and_asks_for(kind: str):
    [job] = rows(cache(*made(kind)))
    assert job.spec.gpus * job.spec.nodes == GPUS_OF[kind]
    assert (job.spec.image, job.spec.command) == ("pytorch:2", ("train",))
    assert job.made_by == TRAINING_KINDS[kind].kind
    assert job.read_only.startswith(f"made by {job.made_by}, not by traindeck")
    assert job.allows == (("stop", "delete") if TRAINING_KINDS[kind].suspend else ("delete",))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "trainjob"])
def test_before_it_has_pods_the_spec_tells_what_it_asks_for(kind: str):
    [job] = rows(cache(made(kind)[0]))
    assert job.spec.gpus * job.spec.nodes == GPUS_OF[kind]
    assert (job.state, job.attempts) == (JobState.PENDING, ())


def test_a_leader_without_gpus_is_not_counted():
    leader = {"spec": {"containers": [{"name": "main", "image": "a"}]}}
    leads = SPECS["lws"]["leaderWorkerTemplate"] | {"leaderTemplate": leader}
    [job] = rows(cache(made("lws", leaderWorkerTemplate=leads)[0]))
    assert job.spec.gpus * job.spec.nodes == 16


PHASE_ENDED = {"lastTransitionTime": "2026-11-29T12:00:00Z"}
RAY_ENDED = {"endTime": "2026-11-29T12:00:00Z"}
STATES: list[tuple[str, Manifest, JobState, str]] = [
    ("jobset", {"conditions": [condition("Completed", "jobset completed")]}, JobState.SUCCEEDED, ""),
    ("jobset", {"conditions": [condition("Failed", "too many restarts")]}, JobState.FAILED, "too many"),
    ("jobset", {"conditions": [condition("Failed", status="False")]}, JobState.RUNNING, ""),
    ("jobset", {"conditions": [condition("RestartingJobSet")]}, JobState.STARTING, ""),
    (
        "jobset",
        {"conditions": [condition("StartupPolicyInProgress", "startup policy in order starting")]},
        JobState.RUNNING,
        "StartupPolicyInProgress: startup policy in order starting",
    ),
    ("trainjob", {"conditions": [condition("Complete")]}, JobState.SUCCEEDED, ""),
    (
        "trainjob",
        {"conditions": [condition("Failed", reason="DeadlineExceeded")]},
        JobState.FAILED,
        "Deadline",
    ),
    (
        "pytorchjob",
        {"conditions": [condition("Created"), condition("Running", status="False"), condition("Succeeded")]},
        JobState.SUCCEEDED,
        "",
    ),
    ("pytorchjob", {"conditions": [condition("Created"), condition("Running")]}, JobState.RUNNING, ""),
    (
        "pytorchjob",
        {"conditions": [condition("Failed", "replica failed")]},
        JobState.FAILED,
        "replica failed",
    ),
    ("mpijob", {"conditions": [condition("Restarting")]}, JobState.STARTING, ""),
    ("rayjob", {"jobDeploymentStatus": "Initializing"}, JobState.STARTING, ""),
    ("rayjob", {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, JobState.RUNNING, ""),
    (
        "rayjob",
        {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED", **RAY_ENDED},
        JobState.SUCCEEDED,
        "",
    ),
    ("rayjob", {"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, JobState.STOPPED, ""),
    (
        "rayjob",
        {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED", "message": "exit code 1", **RAY_ENDED},
        JobState.FAILED,
        "exit code 1",
    ),
    ("rayjob", {"jobDeploymentStatus": "Suspending"}, JobState.STOPPING, ""),
    ("raycluster", {"state": "ready"}, JobState.RUNNING, ""),
    ("raycluster", {"state": "failed", "reason": "no head"}, JobState.RUNNING, "failed: no head"),
    (
        "raycluster",
        {"conditions": [condition("ReplicaFailure", "pods are forbidden")]},
        JobState.RUNNING,
        "ReplicaFailure: pods are forbidden",
    ),
    ("lws", {"conditions": [condition("Available"), condition("Progressing")]}, JobState.RUNNING, ""),
    ("vcjob", {"state": {"phase": "Running"}}, JobState.RUNNING, ""),
    (
        "vcjob",
        {"state": {"phase": "Completed", **PHASE_ENDED}},
        JobState.SUCCEEDED,
        "",
    ),
    (
        "vcjob",
        {"state": {"phase": "Failed", "message": "job failed", **PHASE_ENDED}},
        JobState.FAILED,
        "job failed",
    ),
    ("vcjob", {"state": {"phase": "Aborted"}}, JobState.STOPPED, ""),
    ("vcjob", {"state": {"phase": "Terminating"}}, JobState.STOPPING, ""),
    ("vcjob", {"state": {"phase": "Dancing", "message": "hm"}}, JobState.RUNNING, "Dancing: hm"),
]


@pytest.mark.parametrize(("kind", "status", "state", "reason"), STATES)
def test_its_own_conditions_tell_its_state_and_unknown_ones_stand_as_they_are(
    kind: str, status: Manifest, state: JobState, reason: str
):
    [job] = rows(cache(*made(kind, status=status)))
    assert job.state is state
    assert reason in job.reason if reason else job.reason == ""
    assert (job.finished is not None) == state.ended or state is JobState.STOPPED
    assert job.next_try is None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if TRAINING_KINDS[kind].suspend])
def test_suspended_without_pods_is_stopped_and_in_a_queue_it_waits(kind: str):
    first = made(kind)[0]
    path = TRAINING_KINDS[kind].suspend.split(".")
    first["spec"] = first["spec"] | ({path[1]: True} if len(path) == 2 else {path[1]: {path[2]: True}})
    [job] = rows(cache(first))
    assert job.state is JobState.STOPPED
    first["metadata"] |= {"labels": {"kueue.x-k8s.io/queue-name": "team-a"}}
    [job] = rows(cache(first))
    assert (job.state, job.reason, job.spec.queue) == (JobState.QUEUED, "waits in the queue team-a", "team-a")
    assert job.allows == ("delete",)
    assert "stop" not in job.read_only


@pytest.mark.parametrize("kind", KINDS)
def test_pods_that_have_ended_say_no_end_before_their_training_job_does(kind: str):
    [job] = rows(cache(*made(kind, FAILED)))
    assert (job.state, job.ended) == (JobState.PENDING, False)
    assert job.reason == f"its pods have ended; what comes next its {job.made_by} has not said yet"


def test_a_failed_rank_is_the_reason_of_a_failed_job():
    [job] = rows(cache(*made("jobset", FAILED, {"conditions": [condition("Failed", "failed jobs")]})))
    assert job.state is JobState.FAILED
    assert "exit 7" in job.reason
    assert job.finished is not None


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"uid": "of another"}, id="another uid"),
        pytest.param({"controller": False}, id="no controller"),
        pytest.param(None, id="labels alone"),
    ],
)
def test_a_pod_that_only_claims_to_belong_to_it_is_not_joined(forged: Manifest | None):
    objects = made("pytorchjob")
    false = pod("liar", objects[1]["metadata"]["labels"])
    false["metadata"] |= {"uid": "liar"}
    if forged:
        false = owned(false, objects[0])
        false["metadata"]["ownerReferences"][0] |= forged
    found = {job.name: job for job in rows(cache(*objects, false))}
    assert set(found) == {"llama", "liar"}
    assert len(found["llama"].attempts) == 3


def test_an_owner_counts_in_its_own_namespace_only():
    objects = made("pytorchjob")
    elsewhere = owned(pod("liar", objects[1]["metadata"]["labels"], "other"), objects[0])
    elsewhere["metadata"] |= {"uid": "liar"}
    found = {job.name: job for job in rows(cache(*objects, elsewhere))}
    assert {name: job.ref.namespace for name, job in found.items()} == {"llama": "ns", "liar": "other"}


def test_a_job_of_ours_stays_a_row_whatever_owner_somebody_wrote_on_it():
    objects = made("jobset")
    ours = next(item for item in objects if item["kind"] == "Job")
    ours["metadata"]["annotations"] = {"traindeck.dev/spec": '{"image": "a"}'}
    assert {job.ref.kind for job in rows(cache(*objects))} == {"jobset", "job"}


def test_annotations_of_ours_on_an_object_of_another_tool_mean_nothing():
    first = made("jobset")[0]
    marks = {"spec": '{"image": "evil"}', "held": "true", "owner": "bob", "url": "http://evil"}
    first["metadata"]["annotations"] = {f"traindeck.dev/{name}": text for name, text in marks.items()}
    [job] = rows(cache(first))
    assert (job.spec.image, job.owner, job.urls) == ("pytorch:2", "", ())
    assert job.made_by == "JobSet"


def test_a_part_of_a_tool_that_is_not_known_here_can_only_be_looked_at():
    """A RayService makes RayClusters: whoever stops one has it made anew."""
    service = {"apiVersion": "ray.io/v1", "kind": "RayService", "metadata": {"name": "chat", "uid": "s"}}
    [job] = rows(cache(owned(made("raycluster")[0], service)))
    assert job.read_only == "made by RayService chat, not by traindeck"
    assert job.allows == ()


def test_a_pod_that_is_made_anew_is_the_next_attempt_of_its_rank():
    """A JobSet that restarts deletes its Jobs: each may be gone before its pods are."""
    objects = made("jobset", FAILED)
    found = cache(*objects)
    assert len(rows(found)) == 1
    old = [item for item in objects if item["metadata"]["name"].startswith("llama-worker-1")]
    for item in sorted(old, key=lambda item: item["kind"]):
        found.apply(Delta(gone=(item["metadata"]["uid"],)))
    renewed = {item["metadata"]["name"]: item["metadata"]["uid"] + "b" for item in old}
    for item in old:
        again = {**item, "metadata": {**item["metadata"], "uid": item["metadata"]["uid"] + "b"}}
        owner = dict(again["metadata"]["ownerReferences"][0])
        owner["uid"] = renewed.get(owner["name"], owner["uid"])
        again["metadata"]["ownerReferences"] = [owner]
        again["metadata"]["creationTimestamp"] = "2026-11-29T11:40:00Z"
        found.apply(Delta((typed(again | ({"status": RUNNING} if item["kind"] == "Pod" else {})),)))
    [job] = rows(found)
    numbers = {(attempt.rank, attempt.number) for attempt in job.attempts}
    assert numbers == {(0, 1), (1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (4, 1)}


def test_what_refuses_the_pods_of_a_job_of_it_is_its_reason():
    objects = [item for item in made("jobset") if item["kind"] != "Pod"]
    of = next(item for item in objects if item["kind"] == "Job")["metadata"]["uid"]
    about = {"kind": "Job", "uid": of}
    message = 'pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=8'
    event = msgspec.convert(
        {
            "metadata": {"name": "e", "namespace": "ns", "uid": "e"},
            "involvedObject": about,
            "reason": "FailedCreate",
            "message": message,
            "type": "Warning",
        },
        KubeEvent,
    )
    found = cache(*objects)
    found.apply(Delta((event,)))
    [job] = rows(found)
    assert (job.state, job.reason) == (JobState.QUEUED, message)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_job_that_is_gone_leaves_its_parts_as_the_rows_they_were(kind: str):
    first, *others = made(kind)
    before = {job.ref for job in rows(cache(*others))}
    found = cache(first, *others)
    rows(found)
    found.apply(Delta(gone=("u0",)))
    changed, gone = found.drain(complete=True)
    assert {job.ref for job in changed} == before
    assert [ref.name for ref in gone] == ["llama"]


@given(st.data())
def test_any_history_of_a_family_ends_in_what_a_fresh_look_shows(data: st.DataObject):
    objects = [item for kind in ("trainjob", "lws", "rayjob") for item in _renamed(kind)]
    events = data.draw(st.lists(st.tuples(st.sampled_from(range(len(objects))), st.booleans()), max_size=60))
    found, there = JobCache("lab", KubernetesSettings()), {}
    shown: dict[Any, Job] = {}
    for number, is_there in events:
        item = objects[number]
        uid = item["metadata"]["uid"]
        found.apply(Delta((typed(item),)) if is_there else Delta(gone=(uid,)))
        there[uid] = item
        if not is_there:
            del there[uid]
        changed, gone = found.drain(complete=True)
        shown = {ref: job for ref, job in shown.items() if ref not in gone}
        shown |= {job.ref: job for job in changed}
    fresh = {job.ref: job for job in rows(cache(*there.values()))}
    assert set(shown) - set(fresh) == set()
    tops = {ref for ref in fresh if ref.kind in ("trainjob", "lws", "rayjob")}
    assert {ref for ref in shown if ref.kind in ("trainjob", "lws", "rayjob")} == tops


def _renamed(kind: str) -> list[Manifest]:
    """The objects of a kind, whose uids are no other kind's."""
    text = msgspec.json.encode(made(kind)).decode()
    for number in itertools.count():
        if f'"u{number}"' not in text:
            break
        text = text.replace(f'"u{number}"', f'"{kind}{number}"')
    return msgspec.json.decode(text.replace("llama", kind), type=list[Manifest])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_odd_in_an_object_breaks_nothing(kind: str):
    for odd in ({}, {"spec": None}, {"spec": [], "status": "x"}, {"status": {"conditions": {}, "state": 3}}):
        item = {**manifest(kind), **odd}
        item["metadata"] |= {"uid": "u"}
        assert [job.name for job in rows(cache(item))] == ["llama"]
    odd_parts = manifest(kind)
    text = msgspec.json.encode(odd_parts["spec"]).decode()
    for old, new in ((":2,", ':"two",'), ('"main"', "7"), ("[", '[null,3,"x",')):
        item = {**odd_parts, "spec": msgspec.json.decode(text.replace(old, new))}
        item["metadata"] |= {"uid": "u"}
        assert [job.name for job in rows(cache(item))] == ["llama"]


def test_pods_without_an_index_are_counted_by_age():
    """A worker of a RayCluster has a random name; its index is a label where a feature gate is on."""
    objects = made("raycluster")
    found = cache(*objects)
    rows(found)
    lost = next(item for item in objects if item["metadata"]["name"] == "llama-worker-a")
    new = pod("llama-worker-c", lost["metadata"]["labels"])
    new["metadata"] |= {"uid": "c", "creationTimestamp": "2026-11-29T11:00:00Z"}
    found.apply(
        Delta((typed(owned(new, objects[0]) | {"status": RUNNING}),), gone=(lost["metadata"]["uid"],))
    )
    [job] = rows(found)
    now = {attempt.pod: attempt.rank for attempt in job.attempts if attempt.pod != "llama-worker-a"}
    assert now == {"llama-worker-b": 0, "llama-worker-c": 1, "llama-head": 2}
