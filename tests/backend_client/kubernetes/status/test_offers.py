"""What would help a job that is blocked: a table of situations, and that each offer passes the fit check."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.queues import ClusterQueue, LocalQueue, ResourceFlavor
from backend_client.kubernetes.resources.quota import QuotaSpec, QuotaStatus, ResourceQuota
from backend_client.kubernetes.resources.scheduling import PlacedPod
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.block import Block, Blocked
from backend_client.kubernetes.status.fit import fit
from backend_client.kubernetes.status.machines import machines
from backend_client.kubernetes.status.offers import offers_for
from backend_client.kubernetes.status.prospect import Known, Prospect, pod_count
from backend_client.kubernetes.status.queue_room import queue_rooms
from backend_client.kubernetes.write.field_errors import quota_findings
from backend_client.models import JobSpec
from backend_client.models.fields import parse_spec, spec_fields
from backend_client.why import Offer
from tests.backend_client.kubernetes.support.machines import gpu_node, node, placed

SITE = KubernetesSettings()
A100, H100 = "NVIDIA-A100-SXM4-80GB", "NVIDIA-H100-80GB-HBM3"


def spec(**fields: Any) -> JobSpec:
    return parse_spec({"name": "bert", "image": "a", "command": "true", **fields})


def known(nodes: list[Node], pods: list[PlacedPod], **more: Any) -> Known:
    facts = ClusterFacts(namespace="ns", nodes=tuple(nodes))
    return Known(site=SITE, facts=facts, machines=machines(nodes, pods), **more)


def said(offers: tuple[Offer, ...]) -> list[tuple[str, dict[str, str]]]:
    return [(offer.sentence, offer.changes) for offer in offers]


FOUR_EACH = [gpu_node(f"gpu-{number}", A100) for number in range(1, 9)]
HALF_USED = [placed(f"p{number}", f"gpu-{number}", limits={"gpu": "4"}) for number in range(1, 9)]
NODES: list[tuple[str, JobSpec, list[Node], list[PlacedPod], list[tuple[str, dict[str, str]]]]] = [
    ("fits already", spec(gpus=8), [gpu_node("gpu-1", A100)], [], []),
    (
        "fewer GPUs",
        spec(gpus=8),
        [gpu_node("gpu-1", A100), gpu_node("gpu-2", A100)],
        [placed("a", "gpu-1", limits={"gpu": "5"}), placed("b", "gpu-2", limits={"gpu": "2"})],
        [("6 GPUs fit on gpu-2 now", {"gpus": "6"})],
    ),
    (
        "one GPU",
        spec(gpus=2),
        [gpu_node("gpu-1", A100)],
        [placed("a", "gpu-1", limits={"gpu": "7"})],
        [("1 GPU fits on gpu-1 now", {"gpus": "1"})],
    ),
    (
        "eight ranks need eight places",
        spec(gpus=8, nodes=8),
        FOUR_EACH,
        HALF_USED,
        [("4 GPUs for each of 8 ranks fit on 8 nodes now", {"gpus": "4"})],
    ),
    (
        "fewer nodes, or fewer GPUs on each",
        spec(gpus=8, nodes=3),
        FOUR_EACH[:3],
        HALF_USED[:1],
        [
            ("2 nodes of 3: 8 GPUs for each of 2 ranks fit on 2 nodes now", {"nodes": "2"}),
            ("4 GPUs for each of 3 ranks fit on 2 nodes now", {"gpus": "4"}),
        ],
    ),
    (
        "another type that is free",
        spec(gpus=8, gpu_type="a100"),
        [gpu_node("gpu-1", A100), gpu_node("gpu-2", H100), gpu_node("mig", f"{H100}-MIG-1g.10gb")],
        [placed("a", "gpu-1", limits={"gpu": "8"})],
        [(f"8 GPUs {H100} fit on gpu-2 now", {"gpu_type": H100})],
    ),
    (
        "no other type where any would do",
        spec(gpus=8),
        [gpu_node("gpu-1", A100)],
        [placed("a", "gpu-1", limits={"gpu": "8"})],
        [],
    ),
    (
        "a cordoned node is no offer",
        spec(gpus=8, gpu_type="a100"),
        [gpu_node("gpu-1", A100, cordoned=True), gpu_node("gpu-2", H100, cordoned=True)],
        [],
        [],
    ),
    (
        "less CPU",
        spec(gpus=4, cpu="64"),
        [gpu_node("gpu-1", A100)],
        [placed("a", "gpu-1", limits={"cpu": "50500m"})],
        [("with 45 CPUs instead of 64 it fits on gpu-1 now", {"cpu": "45"})],
    ),
    (
        "less memory, of which /dev/shm takes a part",
        spec(gpus=4, memory="1000Gi", shm_size="100Gi"),
        [gpu_node("gpu-1", A100)],
        [],
        [("with 924Gi of memory instead of 1000Gi it fits on gpu-1 now", {"memory": "924Gi"})],
    ),
    (
        "less of both",
        spec(cpu="96", memory="1Ti"),
        [node("cpu-1")],
        [placed("a", "cpu-1", limits={"cpu": "32", "memory": "512Gi"})],
        [
            (
                "with 64 CPUs instead of 96 and 512Gi of memory instead of 1Ti it fits on cpu-1 now",
                {"cpu": "64", "memory": "512Gi"},
            )
        ],
    ),
    (
        "a tenth is no help",
        spec(memory="1000Gi"),
        [node("cpu-1")],
        [placed("a", "cpu-1", limits={"memory": "924Gi"})],
        [],
    ),
    (
        "it can never fit, and could with less",
        spec(gpus=16),
        [gpu_node("gpu-1", A100)],
        [placed("a", "gpu-1", limits={"gpu": "8"})],
        [("8 GPUs fit on gpu-1 once it is free", {"gpus": "8"})],
    ),
]


@pytest.mark.parametrize(
    ("job", "nodes", "pods", "offers"), [row[1:] for row in NODES], ids=[row[0] for row in NODES]
)
def test_nodes(
    job: JobSpec, nodes: list[Node], pods: list[PlacedPod], offers: list[tuple[str, dict[str, str]]]
) -> None:
    found = said(offers_for(Blocked(Block.NODES), job, Prospect(known(nodes, pods))))
    assert found == offers


def test_what_the_job_itself_holds_counts_as_free() -> None:
    nodes = [gpu_node("gpu-1", A100), gpu_node("gpu-2", A100)]
    pods = [placed("own", "gpu-1", limits={"gpu": "8"}), placed("a", "gpu-2", limits={"gpu": "2"})]
    cluster = machines(nodes, pods, frozenset({"own"}))
    facts = ClusterFacts(namespace="ns", nodes=tuple(nodes))
    prospect = Prospect(Known(site=SITE, facts=facts, machines=cluster, holds_nodes=True))
    found = offers_for(Blocked(Block.NODES), spec(gpus=8, nodes=2), prospect)
    assert ("6 GPUs for each of 2 ranks fit on 2 nodes now, once this job is deleted", {"gpus": "6"}) in said(
        found
    )


def test_what_admission_adds_counts() -> None:
    nodes = [gpu_node("gpu-1", A100), gpu_node("gpu-2", A100)]
    pods = [placed("a", "gpu-1", limits={"gpu": "2", "cpu": "95"})]
    job = spec(gpus=8, gpu_type="a100")
    added = known(nodes, pods, added={"cpu": 2000}, selector={"kubernetes.io/hostname": "gpu-1"})
    assert offers_for(Blocked(Block.NODES), job, Prospect(added)) == ()


def quota(**figures: tuple[int, int]) -> ResourceQuota:
    names = {"gpus": "requests.nvidia.com/gpu", "memory": "limits.memory"}
    used = {names[name]: str(pair[0]) for name, pair in figures.items()}
    hard = {names[name]: str(pair[1]) for name, pair in figures.items()}
    return ResourceQuota(spec=QuotaSpec(hard=hard), status=QuotaStatus(hard=hard, used=used))


def allowing(*quotas: ResourceQuota) -> dict[str, Any]:
    def allows(job: JobSpec) -> bool:
        findings = quota_findings(job, SITE, quotas)
        return not (findings.errors or findings.warnings)

    return {"quota_allows": allows}


FULL = 'pods "bert-x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=8, used: requests.nvidia.com/gpu=12, limited: requests.nvidia.com/gpu=16'  # noqa: E501


def test_a_quota_that_is_full() -> None:
    blocked = Blocked(Block.QUOTA, FULL)
    limited = allowing(quota(gpus=(12, 16)))
    facts = ClusterFacts(namespace="ns")
    assert said(offers_for(blocked, spec(gpus=8), Prospect(Known(site=SITE, facts=facts, **limited)))) == [
        ("4 GPUs fit within the quota gpus", {"gpus": "4"})
    ]
    nodes = [gpu_node("gpu-1", A100)]
    found = offers_for(blocked, spec(gpus=8), Prospect(known(nodes, [], **limited)))
    assert said(found) == [("4 GPUs fit within the quota gpus, and on gpu-1 now", {"gpus": "4"})]
    pods = [placed("a", "gpu-1", limits={"gpu": "5"})]
    assert said(offers_for(blocked, spec(gpus=8), Prospect(known(nodes, pods, **limited)))) == [
        ("3 GPUs fit within the quota gpus, and on gpu-1 now", {"gpus": "3"})
    ]


# Queues


def local(name: str, backing: str) -> LocalQueue:
    raw = {"metadata": {"name": name}, "spec": {"clusterQueue": backing}, "status": {"conditions": [ACTIVE]}}
    return msgspec.convert(raw, LocalQueue)


ACTIVE = {"type": "Active", "status": "True"}


def backing(name: str, waiting: int = 0, cohort: str = "", **flavors: tuple[int, int]) -> ClusterQueue:
    """A ClusterQueue with GPUs by flavor as (used, nominal), and plenty of CPU."""
    groups = [
        {
            "flavors": [
                {"name": flavor, "resources": [{"name": "nvidia.com/gpu", "nominalQuota": nominal}]}
                for flavor, (_, nominal) in flavors.items()
            ]
        },
        {"flavors": [{"name": "rest", "resources": [{"name": "cpu", "nominalQuota": "100"}]}]},
    ]
    used = [
        {"name": flavor, "resources": [{"name": "nvidia.com/gpu", "total": str(total)}]}
        for flavor, (total, _) in flavors.items()
    ]
    raw = {
        "metadata": {"name": name},
        "spec": {"resourceGroups": groups, "cohortName": cohort},
        "status": {"conditions": [ACTIVE], "flavorsReservation": used, "pendingWorkloads": waiting},
    }
    return msgspec.convert(raw, ClusterQueue)


def flavor(name: str, product: str = "", **more: Any) -> ResourceFlavor:
    labels = {"nvidia.com/gpu.product": product} if product else {}
    raw = {"metadata": {"name": name}, "spec": {"nodeLabels": labels, **more}}
    return msgspec.convert(raw, ResourceFlavor)


FLAVORS = [flavor("a100", A100), flavor("h100", H100), flavor("rest")]
NAMES = [local("mine", "team-a"), local("other", "team-b")]
QUEUES: list[tuple[str, JobSpec, list[ClusterQueue], list[dict[str, str]]]] = [
    (
        "another queue has it idle",
        spec(gpus=8, gpu_type="a100"),
        [backing("team-a", 1, a100=(8, 8)), backing("team-b", a100=(0, 8))],
        [{"queue": "other"}],
    ),
    (
        "somebody waits in the other",
        spec(gpus=8, gpu_type="a100"),
        [backing("team-a", 1, a100=(8, 8)), backing("team-b", 1, a100=(0, 8))],
        [],
    ),
    (
        "the cohort has lent it",
        spec(gpus=8, gpu_type="a100"),
        [backing("team-a", 1, "research", a100=(16, 8)), backing("team-b", 0, "research", a100=(0, 8))],
        [],
    ),
    (
        "another flavor, or fewer",
        spec(gpus=8, gpu_type="a100"),
        [backing("team-a", 1, a100=(2, 8), h100=(0, 8))],
        [{"gpu_type": H100}, {"gpus": "6"}],
    ),
    (
        "others wait too",
        spec(gpus=8, gpu_type="a100"),
        [backing("team-a", 2, a100=(2, 8), h100=(0, 8))],
        [],
    ),
    (
        "two ranks of a gang count together",
        spec(gpus=8, nodes=2),
        [backing("team-a", 1, a100=(4, 16))],
        [{"nodes": "1"}, {"gpus": "6"}],
    ),
    (
        "more CPU than there is, whatever the GPUs",
        spec(gpus=8, cpu="101"),
        [backing("team-a", 1, a100=(0, 8)), backing("team-b", a100=(0, 8))],
        [],
    ),
    (
        "a resource that no group has",
        spec(gpus=8, memory="1Gi"),
        [backing("team-a", 1, a100=(4, 8)), backing("team-b", a100=(0, 8))],
        [],
    ),
]


@pytest.mark.parametrize(
    ("job", "cluster", "changes"), [row[1:] for row in QUEUES], ids=[row[0] for row in QUEUES]
)
def test_queues(job: JobSpec, cluster: list[ClusterQueue], changes: list[dict[str, str]]) -> None:
    rooms = queue_rooms(NAMES, cluster, FLAVORS)
    facts = ClusterFacts(namespace="ns")
    prospect = Prospect(Known(site=SITE, facts=facts, own_queue="mine", queues=rooms))
    found = offers_for(Blocked(Block.QUEUE), job, prospect)
    assert [offer.changes for offer in found] == changes


def test_a_flavor_with_a_taint_and_one_that_tolerates_it() -> None:
    job = replace(spec(gpus=8), queue="mine")
    taints = [{"key": "team", "value": "vision", "effect": "NoSchedule"}]
    cluster = [backing("team-a", 1, a100=(8, 8)), backing("team-b", a100=(0, 8))]
    for more, names in (
        ({"nodeTaints": taints}, []),
        ({"nodeTaints": taints, "tolerations": [{"key": "team", "operator": "Exists"}]}, ["other"]),
    ):
        rooms = queue_rooms(NAMES, cluster, [flavor("a100", A100, **more), flavor("rest")])
        prospect = Prospect(
            Known(site=SITE, facts=ClusterFacts(namespace="ns"), own_queue="mine", queues=rooms)
        )
        found = offers_for(Blocked(Block.QUEUE), job, prospect)
        assert [offer.changes.get("queue") for offer in found] == names


MAXIMA: list[tuple[str, JobSpec, list[dict[str, str]]]] = [
    (
        (
            "insufficient quota for nvidia.com/gpu in flavor a100, request > maximum capacity (24),"
            " insufficient quota for nvidia.com/gpu in flavor h100, request > maximum capacity (16)"
        ),
        spec(gpus=8, nodes=8),
        [{"nodes": "3"}, {"gpus": "3"}],
    ),
    (
        "insufficient quota for nvidia.com/gpu in flavor a100, request > maximum capacity (24)",
        spec(gpus=64),
        [{"gpus": "24"}],
    ),
    (
        "insufficient quota for nvidia.com/gpu in flavor a100, request > maximum capacity (0)",
        spec(gpus=64),
        [],
    ),
    (
        (
            "insufficient quota for cpu in flavor rest, previously considered podsets requests (0) + current"
            " podset request 200 > maximum capacity (100)"
        ),
        spec(cpu="50", nodes=4),
        [{"cpu": "25"}],
    ),
    (
        "insufficient quota for memory in flavor rest, request > maximum capacity (100Gi)",
        spec(memory="120Gi", shm_size="8Gi"),
        [{"memory": "92Gi"}],
    ),
    (
        (
            "insufficient quota for memory in flavor rest, request > maximum capacity (100Gi), insufficient"
            " quota for cpu in flavor rest, request > maximum capacity (100)"
        ),
        spec(memory="120Gi", cpu="101"),
        [],
    ),
]


@pytest.mark.parametrize(("raw", "job", "changes"), MAXIMA)
def test_below_what_a_queue_can_ever_give(raw: str, job: JobSpec, changes: list[dict[str, str]]) -> None:
    prospect = Prospect(Known(site=SITE, facts=ClusterFacts(namespace="ns")))
    found = offers_for(Blocked(Block.QUEUE_NEVER, raw), job, prospect)
    assert [offer.changes for offer in found] == changes


NAMED: list[tuple[Blocked, JobSpec, list[str], list[dict[str, str]]]] = [
    (Blocked(Block.QUEUE_MISSING), spec(queue="x"), ["a", "b"], [{"queue": "a"}, {"queue": "b"}]),
    (Blocked(Block.QUEUE_MISSING), spec(queue="x"), [], []),
    (
        Blocked(Block.CLAIM_MISSING, 'persistentvolumeclaim "dat" not found'),
        spec(volumes="dat:/data home:/home"),
        ["data"],
        [{"volumes": "data:/data home:/home"}],
    ),
    (
        Blocked(Block.CLAIM_MISSING, 'persistentvolumeclaim "dat" not found'),
        spec(volumes="dat:/data"),
        ["data", "home"],
        [],
    ),
    (
        Blocked(Block.CLAIM_MISSING, 'persistentvolumeclaim "Dat" not found'),
        spec(volumes="data:/data"),
        ["dat", "home"],
        [],
    ),
    (
        Blocked(Block.PULL_SECRET_MISSING, "Unable to retrieve some image pull secrets (regcrd); attempting"),
        spec(image_pull_secrets="regcrd"),
        ["regcred"],
        [{"image_pull_secrets": "regcred"}],
    ),
    (
        Blocked(Block.PULL_SECRET_MISSING, "Unable to retrieve some image pull secrets (a, b); attempting"),
        spec(image_pull_secrets="a b"),
        ["regcred"],
        [],
    ),
    (
        Blocked(Block.HOST_PATH),
        spec(volumes="/data:/data home:/home"),
        [],
        [{"volumes": "home:/home"}],
    ),
]


@pytest.mark.parametrize(("blocked", "job", "names", "changes"), NAMED)
def test_names(blocked: Blocked, job: JobSpec, names: list[str], changes: list[dict[str, str]]) -> None:
    prospect = Prospect(Known(site=SITE, facts=ClusterFacts(namespace="ns")))
    assert [offer.changes for offer in offers_for(blocked, job, prospect, names)] == changes


SIZES: list[tuple[Block, JobSpec, list[ResourceQuota], list[dict[str, str]]]] = [
    (Block.MEMORY, spec(memory="64Gi"), [], [{"memory": "128Gi"}]),
    (Block.MEMORY, spec(memory="600Gi"), [], [{"memory": "1024Gi"}]),
    (Block.MEMORY, spec(memory="1Ti"), [], []),
    (Block.MEMORY, spec(), [], []),
    (Block.MEMORY, spec(memory="64Gi"), [quota(memory=(0, 100 * 2**30))], [{"memory": "100Gi"}]),
    (Block.MEMORY, spec(memory="512Mi"), [], [{"memory": "2Gi"}]),
    (Block.SHM, spec(), [], [{"shm_size": "8Gi"}]),
    (Block.SHM, spec(shm_size="4Gi", memory="64Gi"), [], [{"shm_size": "8Gi"}]),
    (Block.SHM, spec(shm_size="4Gi", memory="1020Gi"), [], []),
]


@pytest.mark.parametrize(("block", "job", "quotas", "changes"), SIZES)
def test_more_of_what_ran_out(
    block: Block, job: JobSpec, quotas: list[ResourceQuota], changes: list[dict[str, str]]
) -> None:
    busy = [placed("a", "n", limits={"memory": "1Ti"})]
    prospect = Prospect(known([node("n")], busy, **allowing(*quotas)))
    assert [offer.changes for offer in offers_for(Blocked(block), job, prospect)] == changes


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 96), st.booleans()), min_size=1, max_size=5),
    st.integers(1, 16),
    st.integers(1, 4),
    st.integers(0, 128),
    st.booleans(),
)
def test_a_job_with_an_offer_fits(
    used: list[tuple[int, int, bool]], gpus: int, nodes: int, cpu: int, typed: bool
) -> None:
    """Each offer, applied as the form would, passes the fit check of a pod that is rendered anew."""
    cluster = [gpu_node(str(i), A100 if a100 else H100) for i, (*_, a100) in enumerate(used)]
    pods = [
        placed(f"p{i}", str(i), limits={"gpu": str(taken), "cpu": str(cpus)})
        for i, (taken, cpus, _) in enumerate(used)
    ]
    job = spec(gpus=gpus, nodes=nodes, cpu=str(cpu or ""), gpu_type="a100" if typed else "")
    for offer in offers_for(Blocked(Block.NODES), job, Prospect(known(cluster, pods))):
        changed = parse_spec({**spec_fields(job), **offer.changes})
        prospect = Prospect(known(cluster, pods))
        pod = prospect.pod(changed)
        assert pod is not None
        found = fit(pod, machines(cluster, pods))
        if "once" in offer.sentence:
            assert found.room_ever >= pod_count(changed)
        else:
            assert len(found.places(pod_count(changed))) == pod_count(changed)
        assert found.room == prospect.fit(changed).room
