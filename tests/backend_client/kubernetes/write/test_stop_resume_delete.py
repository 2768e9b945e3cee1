"""Stop, resume and delete against a real API server, the connection cut at every request of them."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from backend_client.errors import Conflict, Forbidden, NotFound, Refused, Unreachable
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.write import delete, retrying_client
from backend_client.kubernetes.write.writer import JobWriter
from backend_client.models import JobState
from backend_client.protocol import DeleteStep
from tests.backend_client.kubernetes.support.cutter import Cutter
from tests.backend_client.kubernetes.support.live import Live, eventually, path_of
from tests.backend_client.kubernetes.support.specs import spec
from tests.backend_client.kubernetes.support.writing import (  # noqa: F401  fixtures
    CUTS,
    FULL,
    KINDS,
    SECRETS,
    a_cut_off,
    a_cutter,
    a_live,
    a_writer,
    anchors,
    called,
    config_of,
    ref_of,
    remove,
    runs,
    steps,
    there,
)


@pytest.mark.api
@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("cut", CUTS)
async def test_stop_and_resume_are_cut_at_every_request(
    cut_off: JobWriter, cutter: Cutter, live: Live, namespace: str, kind: str, cut: str
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
            assert (labels.STOPPED in anchor["metadata"]["annotations"]) is not running
            assert (now.state in (JobState.STOPPED, JobState.STOPPING)) is not running
            if running and kind == "deployment":
                assert anchor["spec"]["replicas"] == 3
        if not any(met):
            break
    assert request > 3


@pytest.mark.api
async def test_a_job_in_a_queue_is_stopped_by_its_number_of_pods(
    writer: JobWriter, live: Live, namespace: str
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
async def test_kueue_gives_a_stopped_job_no_quota(writer: JobWriter, live: Live, namespace: str) -> None:
    if live.call("GET", f"{KUEUE}/clusterqueues")[0] != 200:
        pytest.skip("needs a cluster that has Kueue")
    queue(live, namespace)
    run = {"test.traindeck.dev/outcome": "run"}
    asked = spec(nodes=2, gpus=1, queue="q", annotations=run, max_runtime=3600)
    job = await writer.create(asked, key="k", secrets={})
    look = lambda: live.items("batch/v1", "jobs", namespace)[0]  # noqa: E731  short
    active = lambda job: job["status"].get("active", 0)  # noqa: E731  short
    reserved = lambda: live.items("kueue.x-k8s.io/v1beta2", "workloads", namespace)  # noqa: E731  short
    assert active(eventually(look, lambda job: active(job) == 2)) == 2
    await writer.stop(job.ref)
    eventually(reserved, lambda found: [w["spec"]["podSets"][0].get("count") for w in found] == [0])
    assert "activeDeadlineSeconds" not in look()["spec"]
    assert eventually(lambda: live.items("v1", "pods", namespace), lambda pods: not pods) == []
    await writer.resume(job.ref)
    assert active(eventually(look, lambda job: active(job) == 2)) == 2
    assert look()["spec"]["activeDeadlineSeconds"] == 3600


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
    cut_off: JobWriter, cutter: Cutter, live: Live, namespace: str
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


@pytest.mark.api
async def test_only_our_own_by_uid(writer: JobWriter, live: Live, namespace: str) -> None:
    live.make(config_of("Job", namespace, "theirs"))
    job = await writer.create(spec(), key="k", secrets={})
    for act in (writer.stop, writer.resume, lambda ref: steps(writer, ref)):
        with pytest.raises(Forbidden, match="not made by traindeck"):
            await act(ref_of(live, namespace, "theirs"))
        with pytest.raises(NotFound):
            await act(replace(job.ref, uid="other"))
    assert called(there(live, namespace)) == ["Job bert", "Job theirs"]


@pytest.mark.controllers
@pytest.mark.parametrize("kind", FULL)
@pytest.mark.parametrize("cut", CUTS)
async def test_delete_is_cut_at_every_request(
    cut_off: JobWriter, cutter: Cutter, live: Live, namespace: str, kind: str, cut: str
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
        look = lambda: [i for api, plural in KINDS for i in live.items(api, plural, namespace)]  # noqa: E731  short
        left = eventually(look, lambda items: len(items) == len(theirs))
        assert {i["metadata"]["uid"] for i in left} == {i["metadata"]["uid"] for i in theirs}
        assert eventually(lambda: live.items("v1", "pods", namespace), lambda pods: not pods) == []
        if not met or request > 10:
            break
    assert request > 9


@pytest.mark.controllers
async def test_a_namesake_made_meanwhile_is_left_alone(
    writer: JobWriter, transport: Transport, live: Live, namespace: str
) -> None:
    job = await writer.create(spec(), key="1", secrets={})
    (old,) = anchors(there(live, namespace))
    await steps(writer, job.ref)
    again = await writer.create(spec(), key="2", secrets={})
    assert await retrying_client.RetryingClient(transport).remove(old, "Background") is False
    with pytest.raises(NotFound):
        await steps(writer, job.ref)
    assert ref_of(live, namespace, "bert") == again.ref


@pytest.mark.controllers
async def test_a_name_is_taken_until_its_job_is_gone(writer: JobWriter, live: Live, namespace: str) -> None:
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
async def test_what_holds_a_deletion_is_named(writer: JobWriter, live: Live, namespace: str) -> None:
    job = await writer.create(spec(ports=[80]), key="1", secrets={})
    (anchor,) = anchors(there(live, namespace))
    live.patch(anchor, {"metadata": {"finalizers": ["example.org/keep"]}})
    said: list[DeleteStep] = []
    async for step in writer.delete(job.ref):
        said.append(step)
        if "example.org/keep" in step.message:
            live.patch(anchor, {"metadata": {"finalizers": None}})
    assert said[0].message == "stopping and deleting bert"
    assert any(step.message == "Job bert is held by the finalizer example.org/keep" for step in said)
    assert there(live, namespace) == []


@pytest.mark.controllers
async def test_a_deletion_that_takes_long_can_be_left_to_the_cluster(
    writer: JobWriter, live: Live, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delete, "LONG_SECONDS", 0.0)
    job = await writer.create(spec(kind="deployment"), key="1", secrets={})
    look = lambda: live.items("v1", "pods", namespace)  # noqa: E731  short
    (pod,) = eventually(look, bool)
    live.patch(pod, {"metadata": {"finalizers": ["example.org/keep"]}})
    held = f"pod {pod['metadata']['name']} is held by the finalizer example.org/keep"
    async with contextlib.aclosing(writer.delete(job.ref)) as said:
        assert DeleteStep(held, slow=True) in [step async for step in until_slow(said)]
    assert anchors(live.items("apps/v1", "deployments", namespace))
    assert [step.message async for step in writer.delete(job.ref, wait=False)] == [
        "stopping and deleting bert"
    ]
    assert live.items("apps/v1", "deployments", namespace) == []
    live.patch(pod, {"metadata": {"finalizers": None}})
    assert eventually(look, lambda pods: not pods) == []


async def until_slow(said: AsyncIterator[DeleteStep]) -> AsyncIterator[DeleteStep]:
    """The steps up to the one that names a finalizer and is slow."""
    async for step in said:
        yield step
        if step.slow and "finalizer" in step.message:
            return
