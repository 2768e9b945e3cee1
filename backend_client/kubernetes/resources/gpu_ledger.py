"""The GPUs of a cluster and who holds them, kept up to date change by change (pure).

Of a pod only what it holds is kept, and of one that holds no GPU nothing; a change recounts its node alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from backend_client.gpu_nodes import GpuNode, Holder, Whose
from backend_client.kubernetes import labels
from backend_client.kubernetes.resources.gpu_pods import DevicePod, JobOwner, PodOwner, device_names
from backend_client.kubernetes.resources.node_gpus import (
    NodeGpus,
    gpu_resources,
    gpus_of,
    product_of,
    takes_pods,
    trouble_of,
    untolerated_taints,
)
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.quantities import parse_whole


class _Line(Struct, frozen=True, gc=False):
    """The GPUs of one name on a node."""

    resource: str
    product: str
    total: int
    broken: int


class _NodeFacts(Struct, frozen=True, gc=False):
    """A node, without what changes with every heartbeat."""

    uid: str
    lines: tuple[_Line, ...]
    takes_pods: bool
    trouble: str
    cordoned: bool
    taints: tuple[str, ...]


class _Holding(Struct, frozen=True, gc=False):
    """What a pod holds, and for whom."""

    node: str
    gpus: tuple[tuple[str, int], ...]
    """Resource -> how many."""
    root: str
    """Uid of the object that owns it; of a Deployment NAMESPACE/NAME, as its pods name a ReplicaSet."""
    namespace: str
    name: str
    until: datetime | None


class _Root(Struct, frozen=True, gc=False):
    """A Job or a Deployment, as far as it says more than its pods do."""

    uid: str
    name: str
    key: str
    """As in `_Holding.root`."""
    owned_by: tuple[str, str]
    """Uid and name of the object that owns it in turn (a JobSet); ("", "") without one."""
    person: str
    until: datetime | None


class GpuLedger:
    """Nodes, pods that hold GPUs, and the roots of those pods."""

    def __init__(self, resource: str, namespace: str) -> None:
        """Start empty. `resource`: what jobs here ask for; `namespace`: the one whose jobs are one's own."""
        self._resource, self._namespace = resource, namespace
        self._nodes: dict[str, _NodeFacts] = {}
        self._node_names: dict[str, str] = {}
        """Uid -> name."""
        self._holdings: dict[str, _Holding] = {}
        self._on: defaultdict[str, dict[str, _Holding]] = defaultdict(dict)
        """Node -> pod's uid -> what it holds there."""
        self._roots: dict[str, _Root] = {}
        self._root_keys: dict[str, str] = {}
        """Uid -> key in `_roots`."""
        self._lines: dict[str, tuple[GpuNode, ...]] = {}
        self._table: dict[str, NodeGpus] = {}
        self._uncounted: set[str] = set()
        """Nodes whose `_table` is out of date; `_undrawn`: those whose `_lines` are."""
        self._undrawn: set[str] = set()
        self._sorted_table: tuple[NodeGpus, ...] = ()

    def put(self, item: Node | DevicePod | PodOwner) -> None:
        """Take an object as it is now."""
        match item:
            case Node():
                self._put_node(item)
            case DevicePod():
                self._put_pod(item)
            case PodOwner():
                self._put_root(item)

    def remove(self, uid: str) -> None:
        """Forget a node, a pod or an owner by its uid."""
        self._drop_holding(uid)
        if (key := self._root_keys.pop(uid, None)) and (root := self._roots.get(key)) and root.uid == uid:
            del self._roots[key]
            self._undrawn |= self._lines.keys()
        if (name := self._node_names.pop(uid, None)) and self._nodes[name].uid == uid:
            del self._nodes[name]
            self._touch(name)

    def table(self) -> tuple[NodeGpus, ...]:
        """Return every node with the GPUs that jobs here ask for, by name; also nodes that have none."""
        if self._uncounted:
            for name in self._uncounted:
                if name in self._nodes:
                    self._table[name] = self._count(name)
                else:
                    self._table.pop(name, None)
            self._uncounted.clear()
            self._sorted_table = tuple(self._table[name] for name in sorted(self._table))
        return self._sorted_table

    def nodes(self) -> tuple[GpuNode, ...]:
        """Return the nodes with GPUs by name, and who holds them; a node has a line for each resource."""
        for name in self._undrawn:
            if name in self._nodes:
                self._lines[name] = self._draw(name)
            else:
                self._lines.pop(name, None)
        self._undrawn.clear()
        return tuple(line for name in sorted(self._lines) for line in self._lines[name])

    # What comes in

    def _put_node(self, node: Node) -> None:
        facts = _facts(node, self._resource)
        if (before := self._nodes.get(node.name)) != facts:
            if before:
                self._node_names.pop(before.uid, None)
            self._nodes[node.name] = facts
            self._node_names[node.uid] = node.name
            self._touch(node.name)

    def _put_pod(self, pod: DevicePod) -> None:
        holding = _holding(pod, self._resource)
        if self._holdings.get(pod.uid) == holding:
            return
        self._drop_holding(pod.uid)
        if holding:
            self._holdings[pod.uid] = self._on[holding.node][pod.uid] = holding
            self._touch(holding.node)

    def _drop_holding(self, uid: str) -> None:
        if before := self._holdings.pop(uid, None):
            del self._on[before.node][uid]
            if not self._on[before.node]:
                del self._on[before.node]
            self._touch(before.node)

    def _put_root(self, item: PodOwner) -> None:
        root = _root(item)
        self._root_keys[item.uid] = root.key
        if self._roots.get(root.key) != root:
            self._roots[root.key] = root
            self._undrawn |= self._lines.keys()

    def _touch(self, node: str) -> None:
        self._uncounted.add(node)
        self._undrawn.add(node)

    # What goes out

    def _count(self, name: str) -> NodeGpus:
        node = self._nodes[name]
        line = next((line for line in node.lines if line.resource == self._resource), None)
        if line is None:
            return NodeGpus(name, "", 0, 0, node.trouble)
        return NodeGpus(name, line.product, line.total, self._free(name, line), node.trouble)

    def _free(self, name: str, line: _Line) -> int:
        if not self._nodes[name].takes_pods:
            return 0
        return max(0, line.total - sum(_amount(held, line.resource) for held in self._held_on(name)))

    def _held_on(self, name: str) -> Iterable[_Holding]:
        return self._on[name].values() if name in self._on else ()

    def _draw(self, name: str) -> tuple[GpuNode, ...]:
        node = self._nodes[name]
        return tuple(
            GpuNode(
                name=name,
                product=line.product,
                resource=line.resource,
                usable=line.resource == self._resource,
                total=line.total,
                free=self._free(name, line),
                broken=line.broken,
                trouble=node.trouble,
                cordoned=node.cordoned,
                taints=node.taints,
                holders=self._holders(name, line.resource),
            )
            for line in node.lines
        )

    def _holders(self, name: str, resource: str) -> tuple[Holder, ...]:
        groups: defaultdict[str, list[_Holding]] = defaultdict(list)
        for held in self._held_on(name):
            if _amount(held, resource):
                groups[held.root].append(held)
        holders = [self._holder(group, resource) for group in groups.values()]
        return tuple(sorted(holders, key=lambda holder: (-holder.gpus, holder.namespace, holder.name)))

    def _holder(self, group: Sequence[_Holding], resource: str) -> Holder:
        first = group[0]
        root = self._roots.get(first.root)
        uid, name = _identity(first, root)
        person = root.person if root else ""
        ends = [held.until for held in group if held.until]
        limits = [max(ends)] if len(ends) == len(group) else []
        if root and root.until:
            limits.append(root.until)
        return Holder(
            gpus=sum(_amount(held, resource) for held in group),
            whose=self._whose(first.namespace, person),
            uid=uid,
            name=name,
            namespace=first.namespace,
            owner=person,
            until=min(limits, default=None),
        )

    def _whose(self, namespace: str, person: str) -> Whose:
        """Say whose a job is, to the user of a kubeconfig, whom no object names.

        In the context's own namespace, one that a server has made for a person is of the team that shares the
        namespace; any other is one's own.
        """
        if namespace != self._namespace:
            return Whose.OTHER
        return Whose.TEAM if person else Whose.MINE


def _identity(held: _Holding, root: _Root | None) -> tuple[str, str]:
    """Return the uid and the name of the job that holds something; uid "" for an unread Deployment."""
    if root is None:
        return ("" if "/" in held.root else held.root), held.name
    return root.owned_by if root.owned_by[0] else (root.uid, root.name)


def _amount(held: _Holding, resource: str) -> int:
    for name, count in held.gpus:
        if name == resource:
            return count
    return 0


def _facts(node: Node, site_resource: str) -> _NodeFacts:
    status = node.status
    return _NodeFacts(
        uid=node.uid,
        lines=tuple(
            _Line(
                name,
                product_of(node, name),
                total,
                max(0, parse_whole(status.capacity.get(name, "0")) - total),
            )
            for name in gpu_resources(
                frozenset(status.capacity) | frozenset(status.allocatable), site_resource
            )
            for total in (parse_whole(status.allocatable.get(name, "0")),)
            if total or parse_whole(status.capacity.get(name, "0"))
        ),
        takes_pods=takes_pods(node),
        trouble=trouble_of(node),
        cordoned=node.spec.unschedulable,
        taints=tuple(map(str, untolerated_taints(node))),
    )


def _holding(pod: DevicePod, site_resource: str) -> _Holding | None:
    """Return what a pod holds; None where that is nothing (any more)."""
    if not pod.spec.node_name or pod.status.phase in ("Succeeded", "Failed"):
        return None
    names = gpu_resources(device_names(pod.spec), site_resource)
    gpus = tuple((name, count) for name in names if (count := gpus_of(pod.spec, name)))
    if not gpus:
        return None
    root, name = _root_of(pod)
    until = _end(pod.status.start_time, pod.spec.active_deadline_seconds)
    return _Holding(pod.spec.node_name, gpus, root, pod.namespace, name, until)


def _root_of(pod: DevicePod) -> tuple[str, str]:
    """Return the key and the name of what owns a pod; its own where nothing does.

    A ReplicaSet is named after its Deployment and the pod-template-hash that its pods have as a label.
    """
    if pod.owner is None:
        return pod.uid, pod.name
    suffix = f"-{pod.metadata.labels.get(labels.TEMPLATE_HASH, '')}"
    if pod.owner.kind == "ReplicaSet" and len(suffix) > 1 and pod.owner.name.endswith(suffix):
        name = pod.owner.name.removesuffix(suffix)
        return f"{pod.namespace}/{name}", name
    return pod.owner.uid, pod.owner.name


def _root(item: PodOwner) -> _Root:
    owner = item.owner
    return _Root(
        uid=item.uid,
        name=item.name,
        key=item.uid if isinstance(item, JobOwner) else f"{item.namespace}/{item.name}",
        owned_by=(owner.uid, owner.name) if owner else ("", ""),
        person=item.metadata.annotations.get(labels.OWNER, ""),
        until=_end(item.status.start_time, item.spec.active_deadline_seconds),
    )


def _end(started: datetime | None, seconds: int) -> datetime | None:
    try:
        return started + timedelta(seconds=seconds) if started and seconds > 0 else None
    except OverflowError:  # a limit beyond the calendar is none
        return None
