"""The ledger of GPUs: tables of what a node, a pod, an owner say; and that no order of changes miscounts."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.gpu_nodes import GpuNode, Holder, Whose
from backend_client.kubernetes.resources.gpu_ledger import GpuLedger
from backend_client.kubernetes.resources.gpu_pods import DeploymentOwner, DevicePod, JobOwner
from backend_client.kubernetes.resources.nodes import Node
from tests.backend_client.kubernetes.support.recount import gpus_by_node

GPU = "nvidia.com/gpu"
A100 = "NVIDIA-A100-SXM4-40GB"
READY = ({"type": "Ready", "status": "True"},)


def node(name: str = "n1", uid: str = "", **more: Any) -> Node:
    """A node with 8 A100, unless `more` says otherwise."""
    status = {"allocatable": more.pop("has", {GPU: "8"}), "conditions": more.pop("conditions", READY)}
    status["capacity"] = more.pop("capacity", status["allocatable"])
    labels = more.pop("labels", {"nvidia.com/gpu.product": A100})
    meta = {"name": name, "uid": uid or f"uid-{name}", "labels": labels}
    return msgspec.convert({"metadata": meta, "spec": more, "status": status}, Node)


def pod(uid: str, gpus: Any = 1, on: str = "n1", phase: str = "Running", **more: Any) -> DevicePod:
    """A pod in "mine" that holds GPUs; `owner`: (kind, name, uid)."""
    limits = gpus if isinstance(gpus, dict) else {GPU: str(gpus)}
    meta: dict[str, Any] = {"name": f"pod-{uid}", "namespace": more.pop("namespace", "mine"), "uid": uid}
    meta["labels"] = more.pop("labels", {})
    if owner := more.pop("owner", None):
        meta["ownerReferences"] = [dict(zip(("kind", "name", "uid"), owner, strict=True), controller=True)]
    status = {"phase": phase, "startTime": "2026-11-30T10:00:00Z"}
    spec = {"nodeName": on, "containers": [{"resources": {"limits": limits}}], **more}
    return msgspec.convert({"metadata": meta, "spec": spec, "status": status}, DevicePod)


def owner(type_: Any, name: str, uid: str, *, limit: int = 0, **meta: Any) -> Any:
    """A Job or a Deployment in "mine"."""
    made = {
        "metadata": {"name": name, "uid": uid, "namespace": "mine"} | meta,
        "spec": {"activeDeadlineSeconds": limit},
        "status": {"startTime": "2026-11-30T10:00:00Z"},
    }
    return msgspec.convert(made, type_)


def ledger(*items: Any) -> GpuLedger:
    made = GpuLedger(GPU, "mine")
    for item in items:
        made.put(item)
    return made


def only(*items: Any) -> GpuNode:
    (line,) = ledger(*items).nodes()
    return line


def taint(key: str, value: str = "", effect: str = "NoSchedule") -> dict[str, str]:
    return {"key": key, "value": value, "effect": effect}


# Nodes


NODES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"total": 8, "free": 8, "broken": 0, "taints": (), "trouble": "", "cordoned": False}),
    ({"unschedulable": True, "taints": [taint("node.kubernetes.io/unschedulable")]},
     {"free": 0, "cordoned": True, "taints": ()}),
    ({"taints": [taint(GPU, "present")]}, {"free": 8, "taints": ()}),
    ({"taints": [taint("dedicated", "ml", "NoExecute")]}, {"free": 8, "taints": ()}),
    ({"taints": [taint("node-role.kubernetes.io/control-plane")]},
     {"free": 0, "taints": ("node-role.kubernetes.io/control-plane:NoSchedule",)}),
    ({"taints": [taint("node.kubernetes.io/disk-pressure"), taint("x", "y")]},
     {"free": 0, "taints": ("node.kubernetes.io/disk-pressure:NoSchedule",)}),
    ({"taints": [taint("ToBeDeletedByClusterAutoscaler", "17")]},
     {"free": 0, "taints": ("ToBeDeletedByClusterAutoscaler=17:NoSchedule",)}),
    ({"taints": [taint("node-role.kubernetes.io/infra", "", "PreferNoSchedule")]}, {"free": 8, "taints": ()}),
    ({"conditions": [{"type": "Ready", "status": "False", "message": "runtime down"}]},
     {"free": 0, "trouble": "is not ready: runtime down"}),
    ({"conditions": [{"type": "Ready", "status": "Unknown"}],
      "taints": [taint("node.kubernetes.io/unreachable")]},
     {"free": 0, "trouble": "does not answer", "taints": ()}),
    ({"conditions": []}, {"free": 0}),
    ({"has": {GPU: "6"}, "capacity": {GPU: "8"}}, {"total": 6, "free": 6, "broken": 2}),
    ({"has": {GPU: "0"}, "capacity": {GPU: "8"}}, {"total": 0, "free": 0, "broken": 8}),
    ({"labels": {}}, {"product": ""}),
    ({"labels": {"nvidia.com/gpu.product": "", "cloud.google.com/gke-accelerator": "nvidia-l4"}},
     {"product": "nvidia-l4"}),
    ({"labels": {"node.kubernetes.io/instance-type": "gpu-h100-sxm"}}, {"product": "gpu-h100-sxm"}),
    ({"labels": {"nvidia.com/gpu.product": f"{A100}-MIG-1g.5gb"}}, {"product": f"{A100}-MIG-1g.5gb"}),
]  # fmt: skip


@pytest.mark.parametrize(("more", "said"), NODES)
def test_a_node_says_what_is_free_and_what_is_in_the_way(more: dict[str, Any], said: dict[str, Any]) -> None:
    line = only(node(**more))
    assert {name: getattr(line, name) for name in said} == said


LINES: list[tuple[dict[str, str], dict[str, str], list[tuple[str, str, int, bool]]]] = [
    ({"nvidia.com/mig-1g.5gb": "7", GPU: "4"}, {},
     [(GPU, A100, 4, True), ("nvidia.com/mig-1g.5gb", f"{A100}-MIG-1g.5gb", 7, False)]),
    ({"nvidia.com/mig-3g.20gb": "2"}, {"nvidia.com/mig-3g.20gb.product": "A100-slice"},
     [("nvidia.com/mig-3g.20gb", "A100-slice", 2, False)]),
    ({"nvidia.com/gpu.shared": "16"}, {}, [("nvidia.com/gpu.shared", f"{A100}-SHARED", 16, False)]),
    ({"amd.com/gpu": "8"}, {"nvidia.com/gpu.product": "", "amd.com/gpu.product-name": "MI300X"},
     [("amd.com/gpu", "MI300X", 8, False)]),
    ({"gpu.intel.com/i915": "2", "gpu.intel.com/i915_monitoring": "1", "gpu.intel.com/millicores": "2000"},
     {}, [("gpu.intel.com/i915", A100, 2, False)]),
    ({"cpu": "96", "nvidia.com/mig-1g.5gb": "0"}, {}, []),
    ({GPU: "nonsense"}, {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("has", "labels", "lines"), LINES)
def test_every_resource_of_a_node_is_a_line_the_sites_own_first(has: Any, labels: Any, lines: Any) -> None:
    found = ledger(node(has=has, labels={"nvidia.com/gpu.product": A100} | labels)).nodes()
    assert [(line.resource, line.product, line.total, line.usable) for line in found] == lines


def test_a_site_may_call_its_gpus_otherwise() -> None:
    made = GpuLedger("example.com/npu", "mine")
    made.put(node(has={"example.com/npu": "4", GPU: "8"}))
    assert [(line.resource, line.usable) for line in made.nodes()] == [
        ("example.com/npu", True),
        (GPU, False),
    ]
    assert [(line.total, line.free) for line in made.table()] == [(4, 4)]


# Pods and who they belong to


def test_pods_hold_by_resource_and_those_that_have_ended_hold_nothing() -> None:
    made = ledger(
        node(has={GPU: "8", "nvidia.com/mig-1g.5gb": "7"}),
        pod("a", 3),
        pod("b", {"nvidia.com/mig-1g.5gb": "2"}),
        pod("c", 1, phase="Succeeded"),
        pod("d", 1, on=""),
        pod("e", {"cpu": "4"}),
        pod("f", 2, on="elsewhere"),
    )
    assert [(line.free, [holder.name for holder in line.holders]) for line in made.nodes()] == [
        (5, ["pod-a"]),
        (5, ["pod-b"]),
    ]
    made.put(pod("a", 3, phase="Failed"))
    made.remove("b")
    assert [(line.free, line.holders) for line in made.nodes()] == [(8, ()), (7, ())]


def test_the_pods_of_a_job_are_one_holder_until_its_limit() -> None:
    of_job = ("Job", "bert", "job-1")
    parts = node(), pod("a", 2, owner=of_job), pod("b", 4, owner=of_job)
    (unread,) = only(*parts).holders
    assert unread == Holder(gpus=6, whose=Whose.MINE, uid="job-1", name="bert", namespace="mine")
    (read,) = only(*parts, owner(JobOwner, "bert", "job-1", limit=7200)).holders
    assert (read.gpus, read.until.isoformat()) == (6, "2026-11-30T12:00:00+00:00")


def test_the_root_is_found_by_the_chain_of_owners() -> None:
    of_set = {"ownerReferences": [{"kind": "JobSet", "name": "big", "uid": "set-1", "controller": True}]}
    (holder,) = only(
        node(), pod("a", owner=("Job", "big-0", "j")), owner(JobOwner, "big-0", "j", **of_set)
    ).holders
    assert (holder.uid, holder.name) == ("set-1", "big")
    replica = pod("r", owner=("ReplicaSet", "web-5f7", "rs"), labels={"pod-template-hash": "5f7"})
    (holder,) = only(node(), replica).holders
    assert (holder.uid, holder.name) == ("", "web")
    (holder,) = only(node(), replica, owner(DeploymentOwner, "web", "d-1")).holders
    assert (holder.uid, holder.name) == ("d-1", "web")
    (holder,) = only(node(), pod("r", owner=("RayCluster", "ray", "ray-1"))).holders
    assert (holder.uid, holder.name) == ("ray-1", "ray")


def test_whose_it_is_follows_the_namespace_and_the_owner_that_a_server_wrote() -> None:
    ada = {"annotations": {"traindeck.dev/owner": "ada"}}
    made = ledger(
        node(),
        pod("a", 1, owner=("Job", "plain", "j1")),
        pod("b", 1, owner=("Job", "served", "j2")),
        pod("c", 1, namespace="theirs"),
        owner(JobOwner, "served", "j2", **ada),
    )
    (line,) = made.nodes()
    assert {(h.name, h.whose, h.owner) for h in line.holders} == {
        ("plain", Whose.MINE, ""),
        ("served", Whose.TEAM, "ada"),
        ("pod-c", Whose.OTHER, ""),
    }


def test_limits_of_pods_count_too_and_absurd_ones_are_none() -> None:
    (holder,) = only(node(), pod("a", activeDeadlineSeconds=60)).holders
    assert holder.until.isoformat() == "2026-11-30T10:01:00+00:00"
    of_job = ("Job", "j", "j")
    (holder,) = only(node(), pod("a", owner=of_job), owner(JobOwner, "j", "j", limit=10**15)).holders
    assert holder.until is None


def test_what_goes_leaves_nothing_behind() -> None:
    made = ledger(node(), pod("a", owner=("Job", "j", "j1")), owner(JobOwner, "j", "j1", limit=60))
    assert made.nodes()[0].holders[0].until
    made.remove("j1")
    assert made.nodes()[0].holders[0].until is None
    made.remove("uid-n1")
    assert (made.nodes(), made.table()) == ((), ())
    made.put(node(uid="again"))
    made.remove("uid-n1")
    assert made.nodes()[0].free == 7


# Any changes in any order


NAMES = st.sampled_from(["n1", "n2", "n3"])
CHANGES = st.lists(
    st.one_of(
        st.tuples(
            st.just("node"),
            NAMES,
            st.sampled_from(["1", "2"]),
            st.sampled_from([{}, {GPU: "8"}, {GPU: "4"}, {"amd.com/gpu": "8"}]),
            st.booleans(),
        ),
        st.tuples(
            st.just("pod"),
            st.sampled_from("abcdef"),
            NAMES,
            st.integers(0, 9),
            st.sampled_from(["Pending", "Running", "Failed"]),
        ),
        st.tuples(st.just("remove"), st.sampled_from([*"abcdef", "n1-1", "n1-2", "n2-1", "n3-2"])),
        st.tuples(st.just("look")),
    ),
    max_size=40,
)


@given(CHANGES)
def test_after_any_changes_it_is_what_a_recount_says(changes: list[Any]) -> None:
    made, nodes, pods = ledger(), dict[str, Node](), dict[str, DevicePod]()
    for change in changes:
        match change:
            case "node", name, generation, has, cordoned:
                if (before := nodes.get(name)) and before.uid != f"{name}-{generation}":
                    made.remove(before.uid)
                nodes[name] = node(name, f"{name}-{generation}", has=has, unschedulable=cordoned)
                made.put(nodes[name])
            case "pod", uid, name, gpus, phase:
                pods[uid] = pod(uid, gpus, on=name, phase=phase)
                made.put(pods[uid])
            case "remove", uid:
                pods.pop(uid, None)
                nodes = {name: item for name, item in nodes.items() if item.uid != uid}
                made.remove(uid)
            case _:
                made.table(), made.nodes()
    expected = gpus_by_node((nodes[name] for name in sorted(nodes)), pods.values(), GPU)
    found = made.table()
    assert [(n.node, n.total, n.free) for n in found] == [(n.node, n.total, n.free) for n in expected]
    anew = ledger(*nodes.values(), *pods.values())
    assert made.nodes() == anew.nodes()
