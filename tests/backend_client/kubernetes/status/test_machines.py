"""What nodes have left, change by change: no order of changes miscounts, and what is kept is little."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.scheduling import PlacedPod
from backend_client.kubernetes.status.machines import MachineLedger, machines
from tests.backend_client.kubernetes.support.machines import GPU, node, placed

NODES = [replace(node(name), metadata=replace(node(name).metadata, uid=f"uid-{name}")) for name in "nm"]
PODS = [
    placed("a", "n", limits={"gpu": "3", "cpu": "4"}),
    placed("a", "m", limits={"gpu": "1"}),
    placed("a", "n", "Succeeded", limits={"gpu": "3"}),
    placed("b", "", "Pending", limits={"gpu": "2"}),
    placed("b", "", "Pending", limits={"gpu": "2"}, nominated="m"),
    placed("c", "m", ports=[{"hostPort": 80}]),
    placed("c", "gone", limits={"gpu": "8"}),
]
CHANGES = st.lists(st.sampled_from([*NODES, *PODS, "uid-n", "uid-m", "a", "b", "c"]), max_size=20)


@given(CHANGES, st.sampled_from([frozenset[str](), frozenset({"a"}), frozenset({"a", "b"})]))
def test_no_order_of_changes_miscounts(
    changes: list[Node | PlacedPod | str], without: frozenset[str]
) -> None:
    ledger, now = MachineLedger(), dict[str, Node | PlacedPod]()
    for number, change in enumerate(changes):
        if isinstance(change, str):
            ledger.remove(change)
            now.pop(change, None)
        else:
            ledger.put(change)
            now[change.uid] = change
        if number % 3 == 0:
            ledger.machines()
    nodes = [item for item in now.values() if isinstance(item, Node)]
    pods = [item for item in now.values() if isinstance(item, PlacedPod)]
    found = sorted(ledger.machines(without), key=lambda machine: machine.name)
    assert found == sorted(machines(nodes, pods, without), key=lambda machine: machine.name)


def test_a_heartbeat_and_the_annotations_of_a_node_are_not_kept() -> None:
    ready = {"type": "Ready", "status": "True", "message": "kubelet is posting ready status"}
    raw = {
        "metadata": {"name": "n", "uid": "u", "annotations": {"a": "b"}},
        "status": {"conditions": [ready]},
    }
    ledger = MachineLedger()
    ledger.put(msgspec.convert(raw, Node))
    (machine,) = ledger.machines()
    assert (machine.node.metadata.annotations, machine.node.conditions[0].message) == ({}, "")
    assert machine.node.has_condition("Ready")


def test_a_node_that_came_again_under_its_name() -> None:
    ledger = MachineLedger()
    first, again = NODES[0], replace(NODES[0], metadata=replace(NODES[0].metadata, uid="again"))
    for item in (first, PODS[0], again):
        ledger.put(item)
    ledger.remove(first.uid)
    (machine,) = ledger.machines()
    assert machine.free[GPU] == 5
