"""Which nodes a pod fits on, now and ever: the check that the scheduler would make (pure).

Node selector and affinity, taints and cordons, readiness, every resource, the count of pods, host ports, and
the anti-affinity of pods that run (pkg/scheduler/framework/plugins). What depends on more than that (pod
affinity and topology spread of the pod itself, DRA, volumes) is not checked: see `is_checkable`.
"""

import sys
from collections.abc import Iterable, Sequence
from functools import cached_property

from msgspec import Struct

from backend_client.kubernetes.resources.node_selection import is_ready, selects, untolerated
from backend_client.kubernetes.resources.pod_requests import Amounts, requests_of
from backend_client.kubernetes.resources.scheduling import AskingPod, AskingSpec, PodAffinityTerm
from backend_client.kubernetes.resources.selectors import selects_labels
from backend_client.kubernetes.status.machines import HostPort, Machine, host_ports

_PASSING = "node.kubernetes.io/"
"""Prefix of the taints that Kubernetes itself sets for the condition of a node: they come and go."""
_HOSTNAME = "kubernetes.io/hostname"


def is_checkable(spec: AskingSpec) -> bool:
    """Check whether all that a pod asks of its node is what `fit` knows of."""
    beside = spec.affinity and (spec.affinity.pod_affinity or spec.affinity.pod_anti_affinity)
    return not (beside or spec.topology_spread_constraints or spec.resource_claims)


class Candidates(Struct, frozen=True):
    """The nodes that a pod may run on by all that is no amount, whatever it requests."""

    now: tuple[Machine, ...]
    ever: tuple[Machine, ...]
    """Those too that are cordoned or sick, or on which another pod keeps it off."""
    single: bool = False
    """It takes ports of its node, so no two of its kind share one."""


def candidates(pod: AskingPod, cluster: Sequence[Machine]) -> Candidates:
    """Return the nodes that a pod may run on: those now, and those that may come back."""
    ports, shut = tuple(host_ports(pod.spec)), _guarded(pod, cluster)
    now, ever = [], []
    for machine in cluster:
        if not selects(pod.spec, machine.node):
            continue
        taint = untolerated(pod.spec, machine.node)
        if taint is None or taint.key.startswith(_PASSING):
            ever.append(machine)
        clashes = any(_clash(port, taken) for port in ports for taken in machine.ports)
        if taint is None and is_ready(machine.node) and machine.name not in shut and not clashes:
            now.append(machine)
    return Candidates(tuple(now), tuple(ever), single=bool(ports))


class Fit:
    """Where pods fit that request so much, each figure counted when it is first asked for."""

    def __init__(self, nodes: Candidates, requests: Amounts) -> None:
        """`nodes`: those that they may run on."""
        self._nodes = nodes
        asked = {**requests, "pods": 1}.items()
        self._asked = sorted(asked, key=lambda item: "/" not in item[0])  # devices, which are scarce, first

    @cached_property
    def now(self) -> tuple[tuple[str, int], ...]:
        """Node -> how many of them fit there now, the nodes with the most first."""
        return self._fullest((machine.name, machine.free) for machine in self._nodes.now)

    @cached_property
    def ever(self) -> tuple[tuple[str, int], ...]:
        """The same of nodes that are empty, ready and not cordoned."""
        return self._fullest((machine.name, machine.total) for machine in self._nodes.ever)

    @property
    def room(self) -> int:
        """How many of them fit now."""
        return sum(count for _, count in self.now)

    @property
    def room_ever(self) -> int:
        """How many of them would fit on empty nodes; 0: not even one can ever run."""
        return sum(count for _, count in self.ever)

    def places(self, count: int) -> tuple[str, ...]:
        """Return a node for each of `count` pods now, as few nodes as may be; () where not all fit."""
        nodes = [node for node, room in self.now for _ in range(room)]
        return tuple(nodes[:count]) if len(nodes) >= count else ()

    def _fullest(self, rooms: Iterable[tuple[str, Amounts]]) -> tuple[tuple[str, int], ...]:
        fitting = [(name, count) for name, room in rooms if (count := self._copies(room))]
        return tuple(sorted(fitting, key=lambda item: (-item[1], item[0])))

    def _copies(self, room: Amounts) -> int:
        """Count how many pods go into a room; one at most where they take ports of the node."""
        most = 1 if self._nodes.single else sys.maxsize
        for name, amount in self._asked:
            most = min(most, room.get(name, 0) // amount)
            if most <= 0:
                return 0
        return most


def fit(pod: AskingPod, cluster: Sequence[Machine]) -> Fit:
    """Return where pods like this one fit."""
    return Fit(candidates(pod, cluster), requests_of(pod.spec))


def _clash(port: HostPort, taken: HostPort) -> bool:
    """Check whether two ports are the same one; one of all addresses is that of each."""
    return port[:2] == taken[:2] and (port[2] == taken[2] or not port[2] or not taken[2])


def _guarded(pod: AskingPod, cluster: Sequence[Machine]) -> set[str]:
    """Return the nodes that pods which run keep this one off, by their anti-affinity."""
    shut: set[str] = set()
    for machine in cluster:
        for namespace, term in machine.guards:
            if not _is_meant(term, namespace, pod):
                continue
            place = machine.node.metadata.labels.get(term.topology_key)
            shut.add(machine.name)
            if term.topology_key != _HOSTNAME and place is not None:
                labels = ((other.name, other.node.metadata.labels) for other in cluster)
                shut.update(name for name, has in labels if has.get(term.topology_key) == place)
    return shut


def _is_meant(term: PodAffinityTerm, namespace: str, pod: AskingPod) -> bool:
    """Check whether a term means a pod. Of namespaces by their labels, which are not read: as if it did."""
    named = pod.namespace in (term.namespaces or (namespace,)) or term.namespace_selector is not None
    return named and selects_labels(term.label_selector, pod.labels)
