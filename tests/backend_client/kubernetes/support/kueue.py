"""Queues of a test's own in a real Kueue: a cohort of two teams, each with a namespace and a person."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import Struct

from tests.backend_client.kubernetes.support.live import Live, Manifest, path_of

API = "kueue.x-k8s.io/v1beta2"
GPU = "example.com/gpu"
"""A resource that no node has: Kueue admits what asks for it, and nothing runs."""
_RBAC_GROUP = "rbac.authorization.k8s.io"
_RBAC = f"{_RBAC_GROUP}/v1"
_PREEMPTION = {"withinClusterQueue": "LowerPriority", "reclaimWithinCohort": "Any"}


class Team(Struct, frozen=True):
    """A namespace with the LocalQueues q and q2, both of the ClusterQueue of the namespace's name."""

    namespace: str
    person: str


class Cohort(Struct, frozen=True):
    """Two teams with 2 GPUs each, which borrow from each other, and two priorities."""

    name: str
    teams: tuple[Team, Team]
    high: str
    low: str


class Line(Struct, frozen=True):
    """A namespace of two people with the LocalQueue q: 2 GPUs of nodes that pretend."""

    namespace: str
    """The name of its ClusterQueue and flavor too."""
    urgent: str
    """A WorkloadPriorityClass; q lets a job of it have the place of any other."""


RUNS = {"test.traindeck.dev/outcome": "run"}
"""Annotations of a pod that runs on, on a node that pretends."""


def has_kueue(live: Live) -> bool:
    """Return whether the cluster has Kueue."""
    return bool(live.call("GET", path_of(API, "clusterqueues"))[0] == 200)


def need_kueue(live: Live) -> None:
    """Skip where the cluster has no Kueue."""
    if not has_kueue(live):
        pytest.skip("needs a cluster that has Kueue")


@contextmanager
def cohort(live: Live) -> Iterator[Cohort]:
    """Make a cohort for alice and bob, and take it away again; its end is not waited for."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    teams = Team(f"{name}-a", "alice"), Team(f"{name}-b", "bob")
    made = Cohort(name, teams, f"{name}-high", f"{name}-low")
    _make(live, "resourceflavors", "ResourceFlavor", name)
    for priority, value in ((made.high, 1000), (made.low, -10)):
        _make(live, "workloadpriorityclasses", "WorkloadPriorityClass", priority, value=value)
    for team in teams:
        live.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team.namespace}})
        for role in ("edit", "kueue-batch-user-role"):
            bind(live, team.namespace, role, {"kind": "User", "name": team.person})
        _make(live, "clusterqueues", "ClusterQueue", team.namespace, spec=_cluster_queue(name, cohort=name))
        for queue in ("q", "q2"):
            local_queue(live, team.namespace, queue, team.namespace)
    yield made
    for team in teams:
        live.call("DELETE", path_of("v1", "namespaces", name=team.namespace))
        live.call("DELETE", path_of(API, "clusterqueues", name=team.namespace))
    for priority in (made.high, made.low):
        live.call("DELETE", path_of(API, "workloadpriorityclasses", name=priority))
    live.call("DELETE", path_of(API, "resourceflavors", name=name))


@contextmanager
def line(live: Live, labels: dict[str, str] | None = None) -> Iterator[Line]:
    """Make a line for alice and bob, and take it away again; its end is not waited for.

    `labels`: of the namespace.
    """
    name = f"line-{uuid.uuid4().hex[:8]}"
    made = Line(name, f"{name}-urgent")
    metadata = {"name": name, "labels": labels or {}}
    live.make({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    for person in ("alice", "bob"):
        for role in ("edit", "kueue-batch-user-role"):
            bind(live, name, role, {"kind": "User", "name": person})
    _make(live, "resourceflavors", "ResourceFlavor", name, spec={"nodeLabels": {"type": "kwok"}})
    priority(live, made.urgent, 1000)
    spec = _cluster_queue(name, resource="nvidia.com/gpu")
    _make(live, "clusterqueues", "ClusterQueue", name, spec=spec | {"preemption": _PREEMPTION})
    local_queue(live, name, "q", name)
    yield made
    live.call("DELETE", path_of("v1", "namespaces", name=name))
    live.call("DELETE", path_of(API, "clusterqueues", name=name))
    live.call("DELETE", path_of(API, "workloadpriorityclasses", name=made.urgent))
    live.call("DELETE", path_of(API, "resourceflavors", name=name))


def single_queue(live: Live, namespace: str, resource: str) -> None:
    """Make the LocalQueue q of a namespace, which has one of a resource."""
    _make(live, "resourceflavors", "ResourceFlavor", namespace)
    spec = _cluster_queue(namespace, resource=resource, nominal=1)
    _make(live, "clusterqueues", "ClusterQueue", namespace, spec=spec)
    local_queue(live, namespace, "q", namespace)


def remove_single_queue(live: Live, namespace: str) -> None:
    """Take away what `single_queue` made beside the namespace."""
    for plural in ("clusterqueues", "resourceflavors"):
        live.call("DELETE", path_of(API, plural, name=namespace))


def priority(live: Live, name: str, value: int) -> None:
    """Make a WorkloadPriorityClass, unless it is there."""
    body = {"apiVersion": API, "kind": "WorkloadPriorityClass", "metadata": {"name": name}, "value": value}
    status, answer = live.call("POST", path_of(API, "workloadpriorityclasses"), body)
    assert status in (201, 409), answer


def local_queue(live: Live, namespace: str, name: str, cluster_queue: str) -> None:
    """Make a LocalQueue."""
    _make(live, "localqueues", "LocalQueue", name, namespace, spec={"clusterQueue": cluster_queue})


def bind(live: Live, namespace: str, role: str, subject: Manifest) -> None:
    """Give somebody a ClusterRole in one namespace."""
    subjects = [subject | ({"apiGroup": _RBAC_GROUP} if subject["kind"] == "User" else {})]
    body = {
        "apiVersion": _RBAC,
        "kind": "RoleBinding",
        "metadata": {"name": f"{subject['name']}-{role}", "namespace": namespace},
        "roleRef": {"apiGroup": _RBAC_GROUP, "kind": "ClusterRole", "name": role},
        "subjects": subjects,
    }
    status, answer = live.call("POST", path_of(_RBAC, "rolebindings", namespace), body)
    assert status == 201, answer


def _cluster_queue(flavor: str, *, cohort: str = "", resource: str = GPU, nominal: int = 2) -> Manifest:
    quota = {"name": flavor, "resources": [{"name": resource, "nominalQuota": str(nominal)}]}
    groups = [{"coveredResources": [resource], "flavors": [quota]}]
    lent = {"cohortName": cohort, "preemption": _PREEMPTION} if cohort else {}
    return {"namespaceSelector": {}, "resourceGroups": groups, **lent}


def _make(live: Live, plural: str, kind: str, name: str, namespace: str = "", **more: Any) -> None:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    body = {"apiVersion": API, "kind": kind, "metadata": metadata, **more}
    status, answer = live.call("POST", path_of(API, plural, namespace), body)
    assert status == 201, answer
