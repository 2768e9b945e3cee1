"""Offers and cards of failures on a real cluster: each is made for real, and an offer that is taken runs."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from backend_client.kubernetes.api.counted import CountedTransport
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.backend import KubernetesBackend
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.kubernetes.watch.listing import find_root, pods_of
from backend_client.kubernetes.what_helps import question_of, with_offers
from backend_client.models import Job, JobRef, JobSpec, JobState
from backend_client.models.fields import parse_spec, spec_fields
from backend_client.why import Cause, Explanation, Offer
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.live import Live, path_of
from tests.support.wait import async_until

pytestmark = [pytest.mark.node, pytest.mark.xdist_group("what helps")]
IMAGE = "traindeck.dev/busybox:1"
DEADLINE = 60
GPUS = 8
KUEUE = "kueue.x-k8s.io/v1beta2"
KINDS = {
    "resourcequotas": "ResourceQuota",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "resourceflavors": "ResourceFlavor",
    "clusterqueues": "ClusterQueue",
    "localqueues": "LocalQueue",
}


class Stage:
    """A namespace, and a node with 8 GPUs that no other test asks for."""

    def __init__(self, live: Live, namespace: str, gpu: str) -> None:
        self.live, self.namespace, self.gpu = live, namespace, gpu
        self.site = KubernetesSettings(gpu_resource=gpu)
        self.backend = KubernetesBackend("admin", self.site, namespace=namespace)

    async def run(self, script: str = "sleep 120", **fields: Any) -> Job:
        raw = {"image": IMAGE, "command": ["sh", "-c", script], "gpus": 1, **fields}
        return await self.create(parse_spec(raw))

    async def create(self, spec: JobSpec) -> Job:
        return await self.backend.create(spec, key=uuid.uuid4().hex, secrets={})

    async def until(self, job: Job, *states: JobState) -> Job:
        async def look() -> Job | None:
            now = await self.backend.get(job.ref)
            return now if now.state in states else None

        return await async_until(look, DEADLINE)

    async def offered(self, job: Job, raw: str) -> tuple[Offer, ...]:
        """What would help a job of which an object says these words."""
        cause = Cause(id="", sentence="it waits", object="x", raw=raw)
        transport = await self.backend._session.transport()
        now, found = await self.backend.get(job.ref), Explanation(chain=(cause,))
        pods = await pods_of(transport, await find_root(transport, job.ref))
        question = question_of(
            found,
            now,
            pods,
            transport=CountedTransport(transport, 6),
            site=self.site,
            kueue=KueueLists(),
        )
        assert question
        return (await with_offers(found, question)).offers

    def make(self, api: str, plural: str, manifest: dict[str, Any], namespace: str = "") -> None:
        manifest = {"apiVersion": api, "kind": KINDS[plural], **manifest}
        status, answer = self.live.call("POST", path_of(api, plural, namespace), manifest)
        assert status == 201, answer


@pytest.fixture
async def stage(
    cluster: Cluster, namespace: str, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    live, gpu = Live(cluster.kubeconfig), f"traindeck.dev/gpu-{uuid.uuid4().hex[:8]}"
    real = [node for node in live.items("v1", "nodes") if node["metadata"]["labels"].get("type") != "kwok"]
    path = f"{path_of('v1', 'nodes', name=real[0]['metadata']['name'])}/status"
    for figures in ("capacity", "allocatable"):
        status, answer = live.call("PATCH", path, {"status": {figures: {gpu: str(GPUS)}}}, "merge-patch+json")
        assert status == 200, answer
    made = Stage(live, namespace, gpu)
    yield made
    await made.backend.aclose()
    for figures in ("capacity", "allocatable"):
        live.call("PATCH", path, {"status": {figures: {gpu: None}}}, "merge-patch+json")


async def test_an_offer_that_is_taken_runs(stage: Stage) -> None:
    holds, never = await asyncio.gather(stage.run(gpus=5), stage.run("true", gpus=16))
    await stage.until(holds, JobState.RUNNING)
    waits = await stage.run("true", gpus=GPUS)

    async def explained(ref: JobRef) -> Explanation | None:
        found = await stage.backend.explain(ref)
        return found if found.offers else None

    found = await async_until(lambda: explained(waits.ref), DEADLINE)
    [offer] = found.offers
    assert (offer.id, offer.changes) == ("fewer-gpus", {"gpus": "3"})
    assert offer.sentence.startswith("3 GPUs fit on ")
    impossible = await async_until(lambda: explained(never.ref), DEADLINE)
    assert [item.changes for item in impossible.offers] == [{"gpus": "3"}]

    taken = parse_spec({**spec_fields(replace(waits.spec, name="")), **offer.changes})
    await stage.until(await stage.create(taken), JobState.SUCCEEDED)


async def test_how_jobs_failed_and_what_would_help_them(stage: Stage) -> None:
    shm = "echo 'RuntimeError: DataLoader worker (pid 9) is killed by signal: Bus error. It is possible that"
    shm += " dataloader workers are out of shared memory.'; exit 1"
    two = "[ $JOB_COMPLETION_INDEX = 1 ] || { trap 'exit 143' TERM; sleep 120 & wait; };"
    two += " echo 'ValueError: bad batch' >&2; exit 3"
    memory, plain, small, ranks = await asyncio.gather(
        stage.run("tail /dev/zero", memory="32Mi"),
        stage.run("echo step 1; echo \"KeyError: 'x'\"; exit 1"),
        stage.run(shm),
        stage.run(two, nodes=2),
    )
    jobs = [await stage.until(job, JobState.FAILED) for job in (memory, plain, small, ranks)]
    found = [await stage.backend.explain(job.ref) for job in jobs]
    cards = [explanation.failure for explanation in found]
    assert all(cards), (found, jobs)
    assert [card.kind for card in cards if card] == ["memory", "", "shm", ""]
    assert [card.rank for card in cards if card] == [None, None, None, 1]
    said = [card.said for card in cards if card]
    assert (said[1], said[3]) == ("KeyError: 'x'", "ValueError: bad batch")
    assert [card.exit for card in cards if card] == [
        "ran out of memory (limit 32Mi, OOMKilled)",
        "exit 1",
        "exit 1",
        "exit 3",
    ]
    changes = [[offer.changes for offer in explanation.offers] for explanation in found]
    assert changes == [[{"memory": "2Gi"}], [], [{"shm_size": "8Gi"}], []]


async def test_a_quota_that_is_full(stage: Stage) -> None:
    hard = {f"requests.{stage.gpu}": "4"}
    stage.make(
        "v1", "resourcequotas", {"metadata": {"name": "gpus"}, "spec": {"hard": hard}}, stage.namespace
    )
    await stage.until(await stage.run(gpus=1), JobState.RUNNING)
    job = await stage.run(gpus=4)

    async def refused() -> str:
        events = await stage.backend.events(job.ref)
        return next((event.message for event in events if "exceeded quota" in event.message), "")

    raw = await async_until(refused, DEADLINE)
    [offer] = await stage.offered(job, raw)
    assert offer.changes == {"gpus": "3"}
    assert offer.sentence.startswith("3 GPUs fit within the quota gpus, and on ")


async def test_a_claim_that_is_not_there(stage: Stage) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    stage.make("v1", "persistentvolumeclaims", claim, stage.namespace)
    job = await stage.run(volumes="dat:/data")

    async def unscheduled() -> str:
        pods = stage.live.items("v1", "pods", stage.namespace)
        conditions = [item for pod in pods for item in pod["status"].get("conditions", ())]
        return next((item["message"] for item in conditions if "not found" in item.get("message", "")), "")

    raw = await async_until(unscheduled, DEADLINE)
    assert [offer.changes for offer in await stage.offered(job, raw)] == [{"volumes": "data:/data"}]


@pytest.fixture
def queues(stage: Stage) -> AsyncIterator[None]:
    """The LocalQueues `one` and `two`, with 2 and 4 GPUs of their own."""
    if stage.live.call("GET", f"/apis/{KUEUE}")[0] != 200:
        pytest.skip("needs Kueue in the cluster of TRAINDECK_TEST_KUBECONFIG")
    tag = stage.gpu.rpartition("-")[2]
    stage.make(KUEUE, "resourceflavors", {"metadata": {"name": tag}, "spec": {}})
    for name, nominal in (("one", "2"), ("two", "4")):
        resources = [{"name": stage.gpu, "nominalQuota": nominal}]
        group = {"coveredResources": [stage.gpu], "flavors": [{"name": tag, "resources": resources}]}
        spec = {"resourceGroups": [group], "namespaceSelector": {}}
        stage.make(KUEUE, "clusterqueues", {"metadata": {"name": f"{name}-{tag}"}, "spec": spec})
        local = {"metadata": {"name": name}, "spec": {"clusterQueue": f"{name}-{tag}"}}
        stage.make(KUEUE, "localqueues", local, stage.namespace)
    yield
    for name in ("one", "two"):
        stage.live.call("DELETE", path_of(KUEUE, "clusterqueues", name=f"{name}-{tag}"))
    stage.live.call("DELETE", path_of(KUEUE, "resourceflavors", name=tag))


@pytest.mark.usefixtures("queues")
async def test_queues(stage: Stage) -> None:
    async def says(job: Job, words: str) -> str:
        def look() -> str:
            made = stage.live.items(KUEUE, "workloads", stage.namespace)
            own = [w for w in made if w["metadata"]["labels"].get("kueue.x-k8s.io/job-uid") == job.ref.uid]
            said = [c["message"] for w in own for c in w.get("status", {}).get("conditions", ())]
            return next((message for message in said if words in message), "")

        return await async_until(look, DEADLINE)

    await stage.until(await stage.run(gpus=2, queue="one"), JobState.RUNNING)
    full, never, missing = await asyncio.gather(
        stage.run("true", gpus=2, queue="one"),
        stage.run("true", gpus=3, queue="one"),
        stage.run("true", gpus=1, queue="nothere"),
    )
    raw = await says(never, "maximum capacity")
    assert [offer.changes for offer in await stage.offered(never, raw)] == [{"gpus": "2"}]
    raw = await says(missing, "doesn't exist")
    found = await stage.offered(missing, raw)
    assert sorted(offer.changes["queue"] for offer in found) == ["one", "two"]
    raw = await says(full, "insufficient unused quota")
    [offer] = await stage.offered(full, raw)
    assert (offer.id, offer.changes) == ("other-queue", {"queue": "two"})
    taken = parse_spec({**spec_fields(replace(full.spec, name="")), **offer.changes})
    await stage.until(await stage.create(taken), JobState.SUCCEEDED)
