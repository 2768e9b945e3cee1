"""Nodes with what their pods have left of them, kept up to date change by change (pure).

Of a pod only what it takes is kept, about a quarter of a KiB: its node, its requests (one object for all pods
that ask for the same), its ports, its anti-affinity. A change recounts its node alone.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from backend_client.kubernetes.resources.core import Condition, ObjectMeta
from backend_client.kubernetes.resources.nodes import Node, NodeStatus
from backend_client.kubernetes.resources.pod_requests import Amounts, amounts, requests_of
from backend_client.kubernetes.resources.scheduling import PlacedPod, PlacedSpec, PodAffinityTerm

HostPort = tuple[str, int, str]
"""Protocol, number and address ("" for all) of a port of a node."""
Guard = tuple[str, PodAffinityTerm]
"""The namespace of a pod that runs, and a term of its anti-affinity."""


class Machine(Struct, frozen=True):
    """A node with what its pods have left of it."""

    node: Node
    total: Amounts
    free: Amounts
    ports: frozenset[HostPort] = frozenset()
    """The ports that its pods have taken."""
    guards: tuple[Guard, ...] = ()

    @property
    def name(self) -> str:
        return self.node.name


class _Share(Struct, frozen=True, gc=False):
    """What a pod takes of its node."""

    node: str
    requests: tuple[tuple[str, int], ...]
    ports: tuple[HostPort, ...]
    guards: tuple[Guard, ...]


class MachineLedger:
    """Nodes, and what pods take of them."""

    def __init__(self) -> None:
        """Start empty."""
        self._nodes: dict[str, Node] = {}
        self._node_names: dict[str, str] = {}
        """Uid -> name."""
        self._shares: dict[str, _Share] = {}
        """Pod's uid -> what it takes."""
        self._on: defaultdict[str, set[str]] = defaultdict(set)
        """Node -> uids of the pods that take a share of it."""
        self._alike: dict[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]] = {}
        self._machines: dict[str, Machine] = {}
        self._uncounted: set[str] = set()
        """Nodes whose `_machines` is out of date."""

    def put(self, item: Node | PlacedPod) -> None:
        """Take a node or a pod as it is now."""
        if isinstance(item, Node):
            self._put_node(_in_short(item))
        else:
            self._put_pod(item)

    def remove(self, uid: str) -> None:
        """Forget a node or a pod by its uid."""
        self._drop_share(uid)
        if (name := self._node_names.pop(uid, None)) and self._nodes[name].uid == uid:
            del self._nodes[name]
            self._uncounted.add(name)

    def machines(self, without: frozenset[str] = frozenset()) -> tuple[Machine, ...]:
        """Return the nodes with what is free of each. `without`: uids of pods whose share counts as free."""
        for name in self._uncounted:
            if node := self._nodes.get(name):
                self._machines[name] = self._count(node)
            else:
                self._machines.pop(name, None)
        self._uncounted.clear()
        left = {share.node for uid in without if (share := self._shares.get(uid))}
        return tuple(
            self._count(node, without) if name in left else self._machines[name]
            for name, node in self._nodes.items()
        )

    def _put_node(self, node: Node) -> None:
        before = self._nodes.get(node.name)
        if before != node:
            if before:
                self._node_names.pop(before.uid, None)
            self._nodes[node.name] = node
            self._node_names[node.uid] = node.name
            self._uncounted.add(node.name)

    def _put_pod(self, pod: PlacedPod) -> None:
        share = self._share(pod)
        if self._shares.get(pod.uid) == share:
            return
        self._drop_share(pod.uid)
        if share:
            self._shares[pod.uid] = share
            self._on[share.node].add(pod.uid)
            self._uncounted.add(share.node)

    def _share(self, pod: PlacedPod) -> _Share | None:
        """Return what a pod takes; None where that is nothing (any more)."""
        if not (node := pod.node):
            return None
        requests = tuple(requests_of(pod.spec).items())
        requests = self._alike.setdefault(requests, requests)
        return _Share(sys.intern(node), requests, tuple(host_ports(pod.spec)), tuple(_guards(pod)))

    def _drop_share(self, uid: str) -> None:
        if before := self._shares.pop(uid, None):
            self._on[before.node].discard(uid)
            if not self._on[before.node]:
                del self._on[before.node]
            self._uncounted.add(before.node)

    def _count(self, node: Node, without: frozenset[str] = frozenset()) -> Machine:
        total = amounts(node.status.allocatable)
        free = dict(total)
        ports: set[HostPort] = set()
        guards: list[Guard] = []
        for uid in self._on.get(node.name, set()) - without:
            share = self._shares[uid]
            for resource, amount in (*share.requests, ("pods", 1)):
                if resource in free:
                    free[resource] -= amount
            ports.update(share.ports)
            guards += share.guards
        return Machine(node, total, free, frozenset(ports), tuple(guards))


def machines(
    nodes: Iterable[Node], pods: Iterable[PlacedPod], without: frozenset[str] = frozenset()
) -> tuple[Machine, ...]:
    """Return nodes with what pods have left of them. `without`: as `MachineLedger.machines` has it."""
    ledger = MachineLedger()
    for node in nodes:
        ledger.put(node)
    for pod in pods:
        ledger.put(pod)
    return ledger.machines(without)


def _in_short(node: Node) -> Node:
    """Return a node without what changes with every heartbeat, and without its annotations."""
    metadata = node.metadata
    ready = tuple(
        Condition(item.type, item.status) for item in node.status.conditions if item.type == "Ready"
    )
    return Node(
        metadata=ObjectMeta(name=metadata.name, uid=metadata.uid, labels=metadata.labels),
        spec=node.spec,
        status=NodeStatus(allocatable=node.status.allocatable, conditions=ready),
    )


def _guards(pod: PlacedPod) -> Iterator[Guard]:
    rules = pod.spec.affinity.pod_anti_affinity if pod.spec.affinity else None
    for term in rules.required if rules else ():
        yield pod.namespace, term


def host_ports(spec: PlacedSpec) -> Iterator[HostPort]:
    """Yield the ports of its node that a pod takes."""
    for container in (*spec.containers, *spec.init_containers):
        for port in container.ports:
            if port.host_port:
                yield port.protocol, port.host_port, "" if port.host_ip == "0.0.0.0" else port.host_ip  # noqa: S104
