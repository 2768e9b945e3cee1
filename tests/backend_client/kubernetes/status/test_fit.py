"""Which nodes a pod fits on: the scheduler's own rules, one row each."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.kubernetes.resources.pod_requests import requests_of
from backend_client.kubernetes.resources.scheduling import AskingPod, AskingSpec
from backend_client.kubernetes.status.fit import (
    Candidates,
    Fit,
    fit,
    is_checkable,
)
from backend_client.kubernetes.status.machines import machines
from tests.backend_client.kubernetes.support.machines import GPU, container, node, placed


def asking(labels: Any = None, limits: Any = None, **spec: Any) -> AskingPod:
    fields = {"containers": [container(**(limits or {}))], **spec}
    return AskingPod("ns", labels or {}, msgspec.convert(fields, AskingSpec))


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": required}}


def needs(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def named(operator: str, name: str) -> dict[str, Any]:
    return {"matchFields": [{"key": "metadata.name", "operator": operator, "values": [name]}]}


ADMITS = [
    ({}, {}, True),
    ({"nodeSelector": {"zone": "a"}}, {"zone": "a"}, True),
    ({"nodeSelector": {"zone": "a"}}, {"zone": "b"}, False),
    ({"nodeSelector": {"zone": "a"}}, {}, False),
    (affinity(needs("zone", "In", "a", "b")), {"zone": "b"}, True),
    (affinity(needs("zone", "In", "a")), {}, False),
    (affinity(needs("zone", "NotIn", "a")), {"zone": "a"}, False),
    (affinity(needs("zone", "NotIn", "a")), {}, True),
    (affinity(needs("zone", "Exists")), {"zone": ""}, True),
    (affinity(needs("zone", "Exists")), {}, False),
    (affinity(needs("zone", "DoesNotExist")), {}, True),
    (affinity(needs("zone", "DoesNotExist")), {"zone": "a"}, False),
    (affinity(needs("gen", "Gt", "3")), {"gen": "4"}, True),
    (affinity(needs("gen", "Gt", "3")), {"gen": "3"}, False),
    (affinity(needs("gen", "Lt", "3")), {"gen": "2"}, True),
    (affinity(needs("gen", "Lt", "3")), {"gen": "new"}, False),
    (affinity(needs("gen", "Gt", "3")), {}, False),
    (affinity(needs("zone", "Somewhere", "a")), {"zone": "a"}, False),
    (affinity(needs("zone", "In", "x"), needs("zone", "In", "a")), {"zone": "a"}, True),
    (affinity({**needs("zone", "In", "a"), **named("In", "n")}), {"zone": "a"}, True),
    (affinity({**needs("zone", "In", "a"), **named("In", "m")}), {"zone": "a"}, False),
    (affinity(named("NotIn", "n")), {}, False),
    (affinity({}), {}, False),
    (affinity(), {}, False),
]


@pytest.mark.parametrize(("spec", "labels", "fits"), ADMITS)
def test_selectors_and_affinity(spec: dict[str, Any], labels: dict[str, str], fits: bool) -> None:
    found = fit(asking(**spec), machines([node(labels=labels)], []))
    assert bool(found.now) == bool(found.ever) == fits


TAINT = ("team", "vision", "NoSchedule")
TOLERATIONS = [
    ([], False),
    ([{"key": "team", "operator": "Equal", "value": "vision", "effect": "NoSchedule"}], True),
    ([{"key": "team", "value": "vision"}], True),
    ([{"key": "team", "value": "speech"}], False),
    ([{"key": "team", "operator": "Exists"}], True),
    ([{"operator": "Exists"}], True),
    ([{"key": "other", "operator": "Exists"}], False),
    ([{"key": "team", "operator": "Exists", "effect": "NoExecute"}], False),
    ([{"key": "team", "operator": "Sometimes"}], False),
]


@pytest.mark.parametrize(("tolerations", "fits"), TOLERATIONS)
def test_tolerations(tolerations: list[dict[str, str]], fits: bool) -> None:
    found = fit(asking(tolerations=tolerations), machines([node(taints=[TAINT])], []))
    assert bool(found.now) == bool(found.ever) == fits


@pytest.mark.parametrize(
    ("operator", "bound", "fits"),
    [("Gt", "3", True), ("Gt", "5", False), ("Lt", "9", True), ("Lt", "x", False)],
)
def test_a_toleration_of_numbers(operator: str, bound: str, fits: bool) -> None:
    tolerations = [{"key": "sla", "operator": operator, "value": bound}]
    cluster = machines([node(taints=[("sla", "5", "NoExecute")])], [])
    assert bool(fit(asking(tolerations=tolerations), cluster).now) == fits


STATES = [
    ({}, True, True),
    ({"ready": False}, False, True),
    ({"cordoned": True}, False, True),
    ({"taints": [("node.kubernetes.io/not-ready", "", "NoSchedule")]}, False, True),
    ({"taints": [("team", "vision", "NoExecute")]}, False, False),
    ({"taints": [("team", "vision", "PreferNoSchedule")]}, True, True),
]


@pytest.mark.parametrize(("state", "now", "ever"), STATES)
def test_the_state_of_a_node(state: dict[str, Any], now: bool, ever: bool) -> None:
    found = fit(asking(), machines([node(**state)], []))
    assert (bool(found.now), bool(found.ever)) == (now, ever)


ROOM = [
    ({"gpu": "8"}, {}, 1, 1),
    ({"gpu": "9"}, {}, 0, 0),
    ({"gpu": "4"}, {"gpu": "5"}, 0, 2),
    ({"gpu": "4"}, {"gpu": "4"}, 1, 2),
    ({"cpu": "32"}, {"cpu": "33500m"}, 1, 3),
    ({"cpu": "32"}, {"cpu": "0.5"}, 2, 3),
    ({"memory": "600Gi"}, {"memory": "500Gi"}, 0, 1),
    ({"memory": "600Gi"}, {"memory": "424Gi"}, 1, 1),
    ({"example.com/fpga": "1"}, {}, 0, 0),
    ({}, {}, 109, 110),
]


@pytest.mark.parametrize(("asked", "used", "now", "ever"), ROOM)
def test_room(asked: dict[str, str], used: dict[str, str], now: int, ever: int) -> None:
    """Beside one pod that holds `used`; the last row is the count of pods alone."""
    pods = [placed("a", "n", limits=used)] if used or not asked else []
    found = fit(asking(limits=asked), machines([node()], pods))
    assert (found.room, found.room_ever) == (now, ever)


def test_who_holds_a_node() -> None:
    whole = {"gpu": "8"}
    one = asking(limits={"gpu": "1"})
    assert not fit(one, machines([node()], [placed("a", "n", limits=whole)])).now
    assert not fit(one, machines([node()], [placed("a", "", "Pending", limits=whole, nominated="n")])).now
    assert fit(one, machines([node()], [placed("a", "n", "Succeeded", limits=whole)])).now
    assert fit(one, machines([node()], [placed("a", "n", limits=whole)], frozenset({"a"}))).room == 8


def test_init_containers_sidecars_and_overhead() -> None:
    spec: dict[str, Any] = {
        "containers": [container(cpu="2")],
        "initContainers": [
            {**container(cpu="1"), "restartPolicy": "Always"},
            container(cpu="6", memory="1Gi"),
        ],
        "overhead": {"cpu": "250m"},
    }
    assert requests_of(msgspec.convert(spec, AskingSpec)) == {"cpu": 7250, "memory": 2**30}
    pod_level = {"containers": [container(cpu="2", gpu="1")], "resources": {"requests": {"cpu": "3"}}}
    assert requests_of(msgspec.convert(pod_level, AskingSpec)) == {"cpu": 3000, GPU: 1}


def test_host_ports() -> None:
    port = [{"containerPort": 80, "hostPort": 80}]
    spec: dict[str, Any] = {"containers": [container(port, gpu="1")]}
    two = [node("n"), node("m")]
    assert fit(asking(**spec), machines(two, [])).room == 2
    assert fit(asking(**spec), machines(two, [placed("a", "n", ports=port)])).places(1) == ("m",)
    other = [{"containerPort": 80, "hostPort": 80, "protocol": "UDP"}]
    assert fit(asking(**spec), machines(two, [placed("a", "n", ports=other)])).room == 2
    bound = [{"containerPort": 80, "hostPort": 80, "hostIP": "10.0.0.1"}]
    assert fit(asking(**spec), machines(two, [placed("a", "n", ports=bound)])).room == 1


@pytest.mark.parametrize(("key", "free"), [("kubernetes.io/hostname", ["b", "c"]), ("zone", ["c"])])
def test_anti_affinity_of_a_pod_that_runs(key: str, free: list[str]) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "bert"}}, "topologyKey": key}
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    nodes = [node("a", {"zone": "1"}), node("b", {"zone": "1"}), node("c", {"zone": "2"})]
    cluster = machines(nodes, [placed("guard", "a", affinity=rule)])
    assert sorted(name for name, _ in fit(asking({"app": "bert"}), cluster).now) == free
    assert len(fit(asking({"app": "other"}), cluster).now) == 3


def test_what_it_does_not_check() -> None:
    assert is_checkable(asking().spec)
    assert not is_checkable(asking(topologySpreadConstraints=[{"maxSkew": 1}]).spec)
    assert not is_checkable(asking(resourceClaims=[{"name": "gpu"}]).spec)
    assert not is_checkable(asking(affinity={"podAffinity": {}}).spec)


def test_places_for_all_ranks_or_none() -> None:
    nodes = [node(name) for name in "abc"]
    cluster = machines(nodes, [placed("x", "b", limits={"gpu": "5"})])
    found = fit(asking(limits={"gpu": "4"}), cluster)
    assert found.places(4) == ("a", "a", "c", "c")
    assert found.places(5) == ()
    assert Fit(Candidates((), ()), {}).places(1) == ()


@given(st.lists(st.integers(0, 8), min_size=1, max_size=5), st.integers(1, 8), st.integers(1, 8))
def test_places_never_hold_more_than_is_free(used: list[int], gpus: int, count: int) -> None:
    nodes = [node(str(number)) for number in range(len(used))]
    pods = [placed(f"p{i}", str(i), limits={"gpu": str(taken)}) for i, taken in enumerate(used)]
    places = fit(asking(limits={"gpu": str(gpus)}), machines(nodes, pods)).places(count)
    assert len(places) in (0, count)
    assert all(places.count(str(i)) * gpus <= 8 - taken for i, taken in enumerate(used))
    assert bool(places) == (sum((8 - taken) // gpus for taken in used) >= count)
