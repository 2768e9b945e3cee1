"""What is read for the offers to a job: no more than its block needs, and what may not be read is said."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from backend_client.errors import Forbidden, Unreachable
from backend_client.kubernetes import what_helps
from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.counted import CountedTransport
from backend_client.kubernetes.api.credentials import Fixed, Login
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import Object, ObjectMeta, Pod
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.resources.volumes import Claim, PersistentVolume
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.machines import MachineLedger
from backend_client.kubernetes.watch.kueue_lists import KueueLists
from backend_client.kubernetes.what_helps import question_of, with_offers
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState
from backend_client.models.fields import parse_spec
from backend_client.why import Cause, Explanation, Failure
from tests.backend_client.kubernetes.support.machines import gpu_node, placed

A100 = "NVIDIA-A100-SXM4-80GB"
QUOTA = 'pods "bert" is forbidden: exceeded quota: gpus, requested: x, used: x, limited: x'


TARGET = Target("c", Address("127.0.0.1", 1, ""), Fixed(Login()), encrypted=False)
OWN = msgspec.convert({"metadata": {"name": "bert-0", "namespace": "ns", "uid": "own"}}, Pod)


class Cluster:
    """Answers lists by the plural of their kind; an exception is raised."""

    def __init__(self, **kinds: Any) -> None:
        self.kinds = kinds
        self.asked: list[str] = []

    async def list_all(self, _: object, kind: ResourceType[Any], namespace: str = "", **__: str) -> Any:
        self.asked.append(kind.plural)
        answer = self.kinds.get(kind.plural, ())
        if isinstance(answer, Exception):
            raise answer
        return answer


def waiting(spec: JobSpec, **more: Any) -> Job:
    fields = {"state": JobState.PENDING, "attempts": (Attempt(number=1, pod="bert-0"),), **more}
    ref = JobRef("c", "ns", "job", "bert", "u")
    return Job(ref=ref, spec=spec, created=datetime.now(UTC), reason="it waits", **fields)


def spec(**fields: Any) -> JobSpec:
    return parse_spec({"name": "bert", "image": "a", "gpus": 8, **fields})


async def helped(
    monkeypatch: pytest.MonkeyPatch,
    cluster: Cluster,
    job: Job,
    raw: str = "",
    *,
    pods: tuple[Pod, ...] = (OWN,),
    asking: dict[str, Any] | None = None,
    **more: Any,
) -> Explanation:
    monkeypatch.setattr(what_helps, "list_all", cluster.list_all)
    explanation = Explanation(chain=(Cause(id="", sentence="it waits", object="x", raw=raw),), **more)
    transport = CountedTransport(Transport(TARGET), 6)
    question = question_of(
        explanation,
        job,
        pods,
        transport=transport,
        site=KubernetesSettings(),
        kueue=KueueLists(),
        **(asking or {}),
    )
    return await with_offers(explanation, question) if question else explanation


NODES = (gpu_node("gpu-1", A100),)
PODS = (placed("a", "gpu-1", limits={"gpu": "5"}),)
DENIED = Forbidden("You may not list nodes.")


async def test_nodes_and_pods_are_listed_where_no_watch_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(nodes=NODES, pods=PODS)
    found = await helped(monkeypatch, cluster, waiting(spec()))
    assert [offer.changes for offer in found.offers] == [{"gpus": "3"}]
    assert sorted(cluster.asked) == ["nodes", "pods"], "no quota matters to what asks for less"


async def test_nothing_is_asked_for_where_a_watch_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = MachineLedger()
    for item in (*NODES, *PODS, placed("own", "gpu-1", limits={"gpu": "1"})):
        ledger.put(item)
    cluster = Cluster()
    found = await helped(monkeypatch, cluster, waiting(spec()), asking={"machines": ledger})
    assert [offer.changes for offer in found.offers] == [{"gpus": "3"}], "its own share counts as free"
    assert cluster.asked == []


async def test_quotas_are_read_where_pods_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(nodes=NODES, pods=PODS)
    await helped(monkeypatch, cluster, waiting(spec(nodes=2)))
    assert sorted(cluster.asked) == ["nodes", "pods", "resourcequotas"]


@pytest.mark.parametrize("kind", ["nodes", "pods"])
async def test_what_may_not_be_listed(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    cluster = Cluster(**{"nodes": NODES, "pods": PODS, kind: DENIED})
    found = await helped(monkeypatch, cluster, waiting(spec()))
    assert (found.offers, found.unknown) == (
        (),
        ("you may not list nodes, so what would fit is not known",),
    )


async def test_a_cluster_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(nodes=Unreachable("The cluster does not answer."))
    found = await helped(monkeypatch, cluster, waiting(spec()))
    assert found.unknown == ("the cluster does not answer, so what would help is not known",)


async def test_a_quota_needs_no_nodes_but_must_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(nodes=DENIED, resourcequotas=Forbidden("You may not list quotas."))
    found = await helped(monkeypatch, cluster, waiting(spec(), attempts=()), QUOTA, pods=())
    assert found.unknown == ("you may not list quotas, so what is within them is not known",)


async def test_what_nothing_would_help_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(nodes=NODES)
    for job in (
        waiting(spec(), state=JobState.RUNNING),
        waiting(spec(), read_only="not made by traindeck"),
        waiting(spec(), made_by="JobSet"),
        waiting(spec(), attempts=(Attempt(number=1, pod="bert-0", node="gpu-1"),)),
    ):
        assert (await helped(monkeypatch, cluster, job)).offers == ()
    assert cluster.asked == []


async def test_a_job_that_ran_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(nodes=NODES)
    failure = Failure(exit="ran out of memory", kind="memory")
    job = waiting(spec(memory="64Gi"), state=JobState.FAILED, attempts=())
    found = await helped(monkeypatch, cluster, job, pods=(), failure=failure)
    assert [offer.changes for offer in found.offers] == [{"memory": "128Gi"}]
    assert sorted(cluster.asked) == ["nodes", "resourcequotas"]


NOT_SURE = "not every node may be able to mount the volume of data"
VOLUMES = [
    ({}, [], NOT_SURE),
    ({"volumeName": "v"}, [{"metadata": {"name": "v"}}], NOT_SURE),
    ({"volumeName": "v", "accessModes": ["ReadWriteMany"]}, [{"metadata": {"name": "v"}}], ""),
]


@pytest.mark.parametrize(("claim", "volumes", "why_not"), VOLUMES)
async def test_volumes(
    monkeypatch: pytest.MonkeyPatch, claim: dict[str, Any], volumes: list[dict[str, Any]], why_not: str
) -> None:
    claims = (msgspec.convert({"metadata": {"name": "data"}, "spec": claim}, Claim),)
    cluster = Cluster(
        nodes=NODES,
        pods=PODS,
        persistentvolumeclaims=claims,
        persistentvolumes=tuple(msgspec.convert(volume, PersistentVolume) for volume in volumes),
    )
    found = await helped(monkeypatch, cluster, waiting(spec(volumes="data:/data")))
    assert bool(found.offers) == (not why_not)
    assert all(text.startswith(why_not) for text in found.unknown)


async def test_a_volume_that_other_nodes_cannot_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = {"metadata": {"name": "data"}, "spec": {"volumeName": "v", "accessModes": ["ReadOnlyMany"]}}
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}
    affinity = {"required": {"nodeSelectorTerms": [term]}}
    volume = {"metadata": {"name": "v"}, "spec": {"nodeAffinity": affinity}}
    cluster = Cluster(
        nodes=NODES,
        pods=PODS,
        persistentvolumeclaims=(msgspec.convert(claim, Claim),),
        persistentvolumes=(msgspec.convert(volume, PersistentVolume),),
    )
    assert (await helped(monkeypatch, cluster, waiting(spec(volumes="data:/data")))).offers == ()


async def test_claims_of_others_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = Object(ObjectMeta(name="theirs", annotations={"traindeck.dev/owner": "bob"}))
    mine = Object(ObjectMeta(name="mine", annotations={"traindeck.dev/owner": "ann"}))
    cluster = Cluster(persistentvolumeclaims=(theirs, mine))
    raw = 'persistentvolumeclaim "data" not found'
    job = waiting(spec(volumes="data:/data"))
    found = await helped(monkeypatch, cluster, job, raw, asking={"owner": "ann"})
    assert [offer.changes for offer in found.offers] == [{"volumes": "mine:/data"}]
