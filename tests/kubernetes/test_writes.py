"""Writes against a real API server, with the connection cut at every single request of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from backend_client.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Unreachable
from backend_client.kubernetes import hands, names, pace
from backend_client.kubernetes.settings import Site
from backend_client.kubernetes.transport import Transport
from backend_client.kubernetes.writes import Writer
from backend_client.models import JobRef, JobState
from backend_client.models.secret import Secret
from backend_client.protocol import DeleteStep
from tests.kubernetes.conftest import Cluster
from tests.kubernetes.cutter import Cutter
from tests.kubernetes.live import PLURALS, Live, Manifest, eventually, path_of
from tests.kubernetes.specs import spec

SECRETS = {"TOKEN": Secret("hf_secret")}
KINDS = (
    ("batch/v1", "jobs"),
    ("apps/v1", "deployments"),
    ("v1", "services"),
    ("v1", "secrets"),
    ("networking.k8s.io/v1", "ingresses"),
)
FULL = {
    "job": spec(nodes=2, ports=[8080], secrets=["TOKEN"]),
    "deployment": spec(kind="deployment", replicas=3, ports=[8080], secrets=["TOKEN"]),
}
CUTS = {"before": {"before": True}, "after": {}, "and stays away": {"count": 10**6}}


@pytest.fixture
def live(cluster: Cluster) -> Live:
    return Live(cluster.kubeconfig)


@pytest.fixture
async def writer(transport: Transport, namespace: str) -> Writer:
    return Writer(transport, Site(), "here", namespace)


@pytest.fixture
async def cutter(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cutter]:
    monkeypatch.setattr(pace, "FIRST_SECONDS", 0.001)
    async with Cutter(cluster.target()) as made:
        yield made


@pytest.fixture
async def cut_off(cutter: Cutter, namespace: str) -> AsyncIterator[Writer]:
    """A writer whose connection is cut where the cutter says."""
    transport = Transport(cutter.target)
    yield Writer(transport, Site(), "here", namespace)
    await transport.aclose()


def there(live: Live, namespace: str) -> list[Manifest]:
    """All that jobs are made of, less what is on its way out."""
    found = [item for api, plural in KINDS for item in live.items(api, plural, namespace)]
    return [item for item in found if "deletionTimestamp" not in item["metadata"]]


def called(items: list[Manifest]) -> list[str]:
    return sorted(f"{item['kind']} {item['metadata']['name']}" for item in items)


def remove(live: Live, items: list[Manifest]) -> None:
    for item in items:
        home, plural = item["metadata"], PLURALS[item["kind"]]
        live.call("DELETE", path_of(item["apiVersion"], plural, home["namespace"], home["name"]))


def anchors(items: list[Manifest]) -> list[Manifest]:
    return [item for item in items if item["kind"] in ("Job", "Deployment")]


def runs(anchor: Manifest) -> bool:
    body = anchor["spec"]
    return not body["suspend"] if anchor["kind"] == "Job" else body["replicas"] > 0


def whole(name: str, kind: str) -> list[str]:
    ranks = [f"Service {name}-ranks"] if kind == "job" else []
    first = "Job" if kind == "job" else "Deployment"
    return sorted([f"{first} {name}", f"Ingress {name}", f"Secret {name}-secrets", f"Service {name}", *ranks])


async def steps(writer: Writer, ref: JobRef) -> list[str]:
    return [step.message async for step in writer.delete(ref)]


# Create


@pytest.mark.api
@pytest.mark.parametrize("kind", FULL)
async def test_a_job_and_all_its_parts(writer: Writer, live: Live, namespace: str, kind: str) -> None:
    job = await writer.create(FULL[kind], key="k", secrets=SECRETS)
    made = there(live, namespace)
    assert called(made) == whole("bert", kind)
    (anchor,) = anchors(made)
    assert (job.ref, runs(anchor)) == (
        JobRef("here", namespace, kind, "bert", anchor["metadata"]["uid"]), True,
    )  # fmt: skip
    assert names.HELD not in anchor["metadata"]["annotations"]
    assert job.owner
    assert replace(job.spec, namespace="") == FULL[kind]
    parts = [item for item in made if item is not anchor]
    assert {o["uid"] for item in parts for o in item["metadata"]["ownerReferences"]} == {job.ref.uid}
    assert "hf_secret" not in str(made)
    assert (await writer.create(FULL[kind], key="k", secrets=SECRETS)).ref == job.ref


@pytest.mark.api
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(("kind", "named"), [("job", True), ("deployment", True), ("job", False)])
async def test_create_is_cut_at_every_request(
    cut_off: Writer, cutter: Cutter, live: Live, namespace: str, kind: str, cut: str, named: bool
) -> None:
    request = 0
    while True:
        request += 1
        name = f"n{request}"
        asked = replace(FULL[kind], name=name) if named else replace(FULL[kind], name="", command=(name,))
        cutter.arm(request, **CUTS[cut])
        try:
            first = await cut_off.create(asked, key=name, secrets=SECRETS)
        except Unreachable:
            first = None
        met = cutter.met
        left = [item for item in there(live, namespace) if item["metadata"]["name"].startswith(name)]
        started = [anchor for anchor in anchors(left) if runs(anchor)]
        assert not started or called(left) == whole(name, kind)
        cutter.arm()
        again = await cut_off.create(asked, key=name, secrets=SECRETS)
        assert first is None or first.ref == again.ref
        made = [item for item in there(live, namespace) if item["metadata"]["name"].startswith(name)]
        assert called(made) == whole(name, kind)
        assert all(runs(anchor) for anchor in anchors(made))
        remove(live, made)
        if not met:
            break
    assert request > 7


@pytest.mark.api
@pytest.mark.parametrize("named", [True, False])
async def test_five_at_once_with_one_key_make_one_job(
    writer: Writer, live: Live, namespace: str, named: bool
) -> None:
    asked = FULL["job"] if named else replace(FULL["job"], name="", command=("bert",))
    jobs = await asyncio.gather(*(writer.create(asked, key="k", secrets=SECRETS) for _ in range(5)))
    assert len({job.ref for job in jobs}) == 1
    made = there(live, namespace)
    assert called(made) == whole("bert", "job")
    assert runs(anchors(made)[0])


@pytest.mark.api
async def test_a_name_is_taken_over_both_kinds(writer: Writer, live: Live, namespace: str) -> None:
    await writer.create(spec(), key="1", secrets={})
    for kind in ("job", "deployment"):
        with pytest.raises(Conflict, match="there is a job bert already") as caught:
            await writer.create(spec(kind=kind), key="2", secrets={})
        assert "name" in caught.value.fields
    assert called(there(live, namespace)) == ["Job bert"]


@pytest.mark.api
async def test_an_empty_name_is_suggested_and_numbered(writer: Writer, live: Live, namespace: str) -> None:
    live.make(config_of("Deployment", namespace, "train-3"))
    asked = spec(name="", command=["python", "train.py"])
    jobs = [await writer.create(asked, key=str(number), secrets={}) for number in range(3)]
    assert [job.name for job in jobs] == ["train", "train-2", "train-4"]
    assert (await writer.create(asked, key="1", secrets={})).ref == jobs[1].ref
    many = await asyncio.gather(*(writer.create(asked, key=f"x{n}", secrets={}) for n in range(5)))
    assert {job.name for job in many} == {f"train-{number}" for number in range(5, 10)}


def config_of(kind: str, namespace: str, name: str) -> Manifest:
    """Somebody else's object."""
    pod = {"containers": [{"name": "c", "image": "i"}]}
    body: dict[str, Any] = {
        "Deployment": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod},
        },
        "Job": {"suspend": True, "template": {"spec": pod | {"restartPolicy": "Never"}}},
        "Service": {"ports": [{"port": 1}]},
        "Ingress": {"defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}},
    }
    api = {"Deployment": "apps/v1", "Job": "batch/v1", "Ingress": "networking.k8s.io/v1"}.get(kind, "v1")
    content = {"spec": body[kind]} if kind in body else {}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **content}


@pytest.mark.api
@pytest.mark.parametrize(
    ("kind", "name"),
    [("Secret", "bert-secrets"), ("Service", "bert"), ("Service", "bert-ranks"), ("Ingress", "bert")],
)
async def test_a_part_that_cannot_be_made_undoes_the_others(
    writer: Writer, live: Live, namespace: str, kind: str, name: str
) -> None:
    theirs = live.make(config_of(kind, namespace, name))
    with pytest.raises(Conflict, match=f"there is a {kind} {name} already"):
        await writer.create(FULL["job"], key="k", secrets=SECRETS)
    assert [item["metadata"]["uid"] for item in there(live, namespace)] == [theirs["metadata"]["uid"]]


@pytest.mark.api
async def test_what_a_deleted_namesake_left_behind_gives_way(
    writer: Writer, live: Live, namespace: str
) -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "bert", "uid": str(uuid4())}
    left = config_of("Secret", namespace, "bert-secrets")
    left["metadata"]["ownerReferences"] = [owner]
    live.make(left)
    await writer.create(FULL["job"], key="k", secrets=SECRETS)
    assert called(there(live, namespace)) == whole("bert", "job")


@pytest.mark.controllers
async def test_a_quota_that_the_first_try_fills_hides_no_success(
    cut_off: Writer, cutter: Cutter, live: Live, namespace: str
) -> None:
    hard = {"count/jobs.batch": "1"}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": hard}}
    live.make(quota | {"metadata": {"name": "q", "namespace": namespace}})
    look = lambda: live.items("v1", "resourcequotas", namespace)[0].get("status", {})  # noqa: E731
    eventually(look, lambda status: status.get("hard") == hard)
    cutter.arm(count=10**6)
    await cut_off.create(spec(), key="k", secrets={})
    posted = cutter.requests.index(f"POST /apis/batch/v1/namespaces/{namespace}/jobs?fieldValidation=Strict")
    assert (await cut_off.create(spec(), key="k", secrets={})).name == "bert"
    with pytest.raises(Refused, match=r"the quota q is full: 1 of 1 count/jobs.batch used, 1 asked"):
        await cut_off.create(spec(name="other"), key="o", secrets={})
    live.call("DELETE", path_of("batch/v1", "jobs", namespace, "bert"), propagationPolicy="Background")
    eventually(look, lambda status: status["used"]["count/jobs.batch"] == "0")
    cutter.arm(posted + 1)
    assert (await cut_off.create(spec(name="third"), key="t", secrets={})).name == "third"
    assert called(there(live, namespace)) == ["Job third"]


@pytest.mark.api
async def test_a_missing_secret_value_is_said_before_anything_is_made(
    writer: Writer, live: Live, namespace: str
) -> None:
    with pytest.raises(Invalid, match="TOKEN"):
        await writer.create(FULL["job"], key="k", secrets={})
    assert there(live, namespace) == []


@pytest.mark.api
async def test_what_the_server_refuses_stands_at_its_field(
    writer: Writer, live: Live, namespace: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await writer.create(spec(annotations={"a": "b" * 300_000}), key="k", secrets={})
    assert list(caught.value.fields) == ["annotations"]
    with pytest.raises(NotFound, match="none-such"):
        await writer.create(spec(namespace="none-such"), key="k", secrets={})
    assert there(live, namespace) == []


# Stop and resume


@pytest.mark.api
@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("cut", CUTS)
async def test_stop_and_resume_are_cut_at_every_request(
    cut_off: Writer, cutter: Cutter, live: Live, namespace: str, kind: str, cut: str
) -> None:
    job = await cut_off.create(FULL[kind], key="k", secrets=SECRETS)
    request = 0
    while True:
        request += 1
        met = []
        for act, running in ((cut_off.stop, False), (cut_off.resume, True)):
            cutter.arm(request, **CUTS[cut])
            with contextlib.suppress(Unreachable):
                await act(job.ref)
            met.append(cutter.met)
            cutter.arm()
            now = await act(job.ref)
            (anchor,) = anchors(there(live, namespace))
            assert runs(anchor) is running
            assert (names.STOPPED in anchor["metadata"]["annotations"]) is not running
            assert (now.state in (JobState.STOPPED, JobState.STOPPING)) is not running
            if running and kind == "deployment":
                assert anchor["spec"]["replicas"] == 3
        if not any(met):
            break
    assert request > 3


@pytest.mark.api
async def test_a_job_in_a_queue_is_stopped_by_its_number_of_pods(
    writer: Writer, live: Live, namespace: str
) -> None:
    """Kueue undoes a suspend that is not its own."""
    job = await writer.create(spec(nodes=3, queue="research"), key="k", secrets={})
    assert job.state == JobState.QUEUED
    halted = await writer.stop(job.ref)
    assert halted.state == JobState.STOPPED
    assert anchors(there(live, namespace))[0]["spec"]["parallelism"] == 0
    assert (await writer.stop(job.ref)).state == JobState.STOPPED
    assert (await writer.resume(job.ref)).state == JobState.QUEUED
    assert anchors(there(live, namespace))[0]["spec"]["parallelism"] == 3


@pytest.mark.controllers
async def test_kueue_gives_a_stopped_job_no_quota(writer: Writer, live: Live, namespace: str) -> None:
    if live.call("GET", f"{KUEUE}/clusterqueues")[0] != 200:
        pytest.skip("needs a cluster that has Kueue")
    queue(live, namespace)
    run = {"test.traindeck.dev/outcome": "run"}
    job = await writer.create(spec(nodes=2, gpus=1, queue="q", annotations=run), key="k", secrets={})
    look = lambda: live.items("batch/v1", "jobs", namespace)[0]  # noqa: E731
    active = lambda job: job["status"].get("active", 0)  # noqa: E731
    reserved = lambda: live.items("kueue.x-k8s.io/v1beta2", "workloads", namespace)  # noqa: E731
    assert active(eventually(look, lambda job: active(job) == 2)) == 2
    await writer.stop(job.ref)
    eventually(reserved, lambda found: [w["spec"]["podSets"][0].get("count") for w in found] == [0])
    assert live.items("v1", "pods", namespace) == []
    await writer.resume(job.ref)
    assert active(eventually(look, lambda job: active(job) == 2)) == 2


KUEUE = "/apis/kueue.x-k8s.io/v1beta2"


def queue(live: Live, namespace: str) -> None:
    """A queue of the test's own, q, with 8 GPUs."""
    quota = {"name": namespace, "resources": [{"name": "nvidia.com/gpu", "nominalQuota": "8"}]}
    groups = [{"coveredResources": ["nvidia.com/gpu"], "flavors": [quota]}]
    claims = {"namespaceSelector": {}, "resourceGroups": groups}
    home = {"name": "q", "namespace": namespace}
    for place, kind, metadata, content in (
        ("resourceflavors", "ResourceFlavor", {"name": namespace}, {}),
        ("clusterqueues", "ClusterQueue", {"name": namespace}, claims),
        (f"namespaces/{namespace}/localqueues", "LocalQueue", home, {"clusterQueue": namespace}),
    ):
        body = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": kind, "metadata": metadata, "spec": content}
        status, answer = live.call("POST", f"{KUEUE}/{place}", body)
        assert status == 201, answer


@pytest.mark.api
async def test_half_made_is_finished_or_deleted(
    cut_off: Writer, cutter: Cutter, live: Live, namespace: str
) -> None:
    for probe in ("first", "second"):  # who we are is asked for once
        cutter.arm()
        await cut_off.create(replace(FULL["job"], name=probe), key=probe, secrets=SECRETS)
    requests = list(cutter.requests)
    service = next(n for n, text in enumerate(requests, 1) if "/services" in text)
    secret = next(n for n, text in enumerate(requests, 1) if "/secrets" in text)
    for first, name in ((service, "one"), (secret, "two")):
        cutter.arm(first, before=True, count=10**6)
        with pytest.raises(Unreachable) as caught:
            await cut_off.create(replace(FULL["job"], name=name), key=name, secrets=SECRETS)
        assert "half made" in caught.value.hint
        cutter.arm()
    one, two = (ref_of(live, namespace, name) for name in ("one", "two"))
    with pytest.raises(Refused, match="half made"):
        await cut_off.stop(one)
    assert (await cut_off.resume(one)).state != JobState.STOPPED
    assert runs(next(a for a in anchors(there(live, namespace)) if a["metadata"]["name"] == "one"))
    with pytest.raises(Refused, match="secrets of two were not stored"):
        await cut_off.resume(two)


def ref_of(live: Live, namespace: str, name: str, kind: str = "job") -> JobRef:
    found = next(a for a in anchors(there(live, namespace)) if a["metadata"]["name"] == name)
    return JobRef("here", namespace, kind, name, found["metadata"]["uid"])


@pytest.mark.api
async def test_only_our_own_by_uid(writer: Writer, live: Live, namespace: str) -> None:
    live.make(config_of("Job", namespace, "theirs"))
    job = await writer.create(spec(), key="k", secrets={})
    for act in (writer.stop, writer.resume, lambda ref: steps(writer, ref)):
        with pytest.raises(Forbidden, match="not made by traindeck"):
            await act(ref_of(live, namespace, "theirs"))
        with pytest.raises(NotFound):
            await act(replace(job.ref, uid="other"))
    assert called(there(live, namespace)) == ["Job bert", "Job theirs"]


# Delete


@pytest.mark.controllers
@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("cut", CUTS)
async def test_delete_is_cut_at_every_request(
    cut_off: Writer, cutter: Cutter, live: Live, namespace: str, kind: str, cut: str
) -> None:
    theirs = [
        live.make(config_of("Service", namespace, "bert-other")),
        live.make(config_of("Job", namespace, "x")),
    ]
    request = 0
    while True:
        request += 1
        cutter.arm()
        job = await cut_off.create(FULL[kind], key=str(request), secrets=SECRETS)
        cutter.arm(request, **CUTS[cut])
        with contextlib.suppress(Unreachable):
            await steps(cut_off, job.ref)
        met = cutter.met
        cutter.arm()
        with contextlib.suppress(NotFound):
            await steps(cut_off, job.ref)
        look = lambda: [i for api, plural in KINDS for i in live.items(api, plural, namespace)]  # noqa: E731
        left = eventually(look, lambda items: len(items) == len(theirs))
        assert {i["metadata"]["uid"] for i in left} == {i["metadata"]["uid"] for i in theirs}
        assert eventually(lambda: live.items("v1", "pods", namespace), lambda pods: not pods) == []
        if not met or request > 10:
            break
    assert request > 9


@pytest.mark.controllers
async def test_a_namesake_made_meanwhile_is_left_alone(
    writer: Writer, transport: Transport, live: Live, namespace: str
) -> None:
    job = await writer.create(spec(), key="1", secrets={})
    (old,) = anchors(there(live, namespace))
    await steps(writer, job.ref)
    again = await writer.create(spec(), key="2", secrets={})
    assert await hands.Hands(transport).remove(old, "Background") is False
    with pytest.raises(NotFound):
        await steps(writer, job.ref)
    assert ref_of(live, namespace, "bert") == again.ref


@pytest.mark.controllers
async def test_a_name_is_taken_until_its_job_is_gone(writer: Writer, live: Live, namespace: str) -> None:
    asked = spec(name="", command=["bert"])
    job = await writer.create(asked, key="k", secrets={})
    (anchor,) = anchors(there(live, namespace))
    live.patch(anchor, {"metadata": {"finalizers": ["example.org/keep"]}})
    live.call("DELETE", path_of("batch/v1", "jobs", namespace, "bert"))
    with pytest.raises(Conflict, match="bert is being deleted, and still there"):
        await writer.create(spec(), key="k", secrets={})
    again = await writer.create(asked, key="k", secrets={})
    assert (job.name, again.name) == ("bert", "bert-2")
    live.patch(anchor, {"metadata": {"finalizers": None}})


@pytest.mark.controllers
async def test_what_holds_a_deletion_is_named(writer: Writer, live: Live, namespace: str) -> None:
    job = await writer.create(spec(ports=[80]), key="1", secrets={})
    (anchor,) = anchors(there(live, namespace))
    live.patch(anchor, {"metadata": {"finalizers": ["example.org/keep"]}})
    said: list[DeleteStep] = []
    async for step in writer.delete(job.ref):
        said.append(step)
        if "example.org/keep" in step.message:
            live.patch(anchor, {"metadata": {"finalizers": None}})
    assert said[0].message == "deleting bert"
    assert any(step.message == "Job bert is held by the finalizer example.org/keep" for step in said)
    assert there(live, namespace) == []
