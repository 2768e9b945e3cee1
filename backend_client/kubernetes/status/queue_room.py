"""What the queues of Kueue could admit right now (pure): quota that is idle, and nobody who waits for it.

Only what is certain: a queue's own nominal quota, as far as its cohort has not lent it to others; nothing is
borrowed, nobody preempted. Flavors are chosen as Kueue does (pkg/scheduler/flavorassigner): by the labels of
the group's flavors, and their taints.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from backend_client.kubernetes.resources.core import ObjectMeta
from backend_client.kubernetes.resources.node_selection import admits as admits_node
from backend_client.kubernetes.resources.node_selection import selects, untolerated
from backend_client.kubernetes.resources.nodes import Node, NodeSpec
from backend_client.kubernetes.resources.pod_requests import Amounts, amount_of
from backend_client.kubernetes.resources.queues import ClusterQueue, FlavorUsage, LocalQueue, ResourceFlavor
from backend_client.kubernetes.resources.scheduling import (
    AskingSpec,
    NodeAffinity,
    NodeSelector,
    NodeSelectorTerm,
)

_Key = tuple[str, str]
"""Flavor and resource."""


class FlavorRoom(Struct, frozen=True):
    """A flavor in one queue: which nodes it is, and what the queue has idle of it."""

    flavor: ResourceFlavor
    free: Amounts


class QueueRoom(Struct, frozen=True):
    """A LocalQueue, and what its ClusterQueue has idle."""

    name: str
    cluster_queue: str
    waiting: int
    """How many jobs wait in the ClusterQueue."""
    groups: tuple[tuple[FlavorRoom, ...], ...]
    """Resource groups: of each one flavor is chosen, the first that fits."""


def queue_rooms(
    local: Iterable[LocalQueue], cluster: Sequence[ClusterQueue], flavors: Iterable[ResourceFlavor]
) -> tuple[QueueRoom, ...]:
    """Return the LocalQueues that let jobs in, with what is idle there."""
    by_name = {queue.name: queue for queue in cluster}
    known = {flavor.name: flavor for flavor in flavors}
    idle = _idle_of_cohorts(cluster)
    rooms = []
    for queue in local:
        backing = by_name.get(queue.spec.cluster_queue)
        if backing and queue.has_condition("Active") and backing.has_condition("Active"):
            groups = tuple(_groups(backing, known, idle))
            rooms.append(QueueRoom(queue.name, backing.name, backing.status.pending_workloads, groups))
    return tuple(rooms)


def may_admit(local: Iterable[LocalQueue], cluster: Sequence[ClusterQueue], own_queue: str) -> bool:
    """Return whether any of the queues has something idle that nobody waits for but a job of `own_queue`."""
    names = {
        flavor.name for queue in cluster for group in queue.spec.resource_groups for flavor in group.flavors
    }
    flavors = [ResourceFlavor(metadata=ObjectMeta(name=name)) for name in names]
    return any(
        room.waiting <= (room.name == own_queue)
        and any(amount > 0 for group in room.groups for flavor in group for amount in flavor.free.values())
        for room in queue_rooms(local, cluster, flavors)
    )


def _groups(
    queue: ClusterQueue, known: Mapping[str, ResourceFlavor], idle: Mapping[str, Mapping[_Key, int]]
) -> Iterator[tuple[FlavorRoom, ...]]:
    used, of_cohort = _usage(queue.status.flavors_reservation), idle[queue.cohort]
    for group in queue.spec.resource_groups:
        rooms = []
        for quotas in group.flavors:
            free = {}
            for quota in quotas.resources:
                key = quotas.name, quota.name
                own = amount_of(quota.name, str(quota.nominal_quota)) - used.get(key, 0)
                free[quota.name] = min(own, of_cohort[key]) if queue.cohort else own
            if flavor := known.get(quotas.name):
                rooms.append(FlavorRoom(flavor, free))
        yield tuple(rooms)


def _usage(flavors: Iterable[FlavorUsage]) -> dict[_Key, int]:
    return {
        (flavor.name, usage.name): amount_of(usage.name, str(usage.total))
        for flavor in flavors
        for usage in flavor.resources
    }


def _idle_of_cohorts(queues: Iterable[ClusterQueue]) -> defaultdict[str, defaultdict[_Key, int]]:
    """Return what each cohort has idle: the quotas of its queues, less what they use."""
    idle: defaultdict[str, defaultdict[_Key, int]] = defaultdict(lambda: defaultdict(int))
    for queue in queues:
        cohort = idle[queue.cohort]
        for group in queue.spec.resource_groups:
            for quotas in group.flavors:
                for quota in quotas.resources:
                    cohort[quotas.name, quota.name] += amount_of(quota.name, str(quota.nominal_quota))
        for key, used in _usage(queue.status.flavors_reservation).items():
            cohort[key] -= used
    return idle


def admits(room: QueueRoom, spec: AskingSpec, total: Amounts) -> str:
    """Return the flavors that a queue would give to pods like this one, which request `total` together.

    As "a100, default-flavor"; "" where it would not admit them now.
    """
    chosen, left = [], dict(total)
    for group in room.groups:
        covered = {name for flavor in group for name in flavor.free}
        asked = {name: left.pop(name) for name in covered & left.keys()}
        if not asked:
            continue
        keys = {key for flavor in group for key in flavor.flavor.spec.node_labels}
        fitting = (flavor for flavor in group if _fits(flavor, asked, spec, keys))
        found = next(fitting, None)
        if found is None or not _agrees(found, spec, keys):
            return ""
        chosen.append(found.flavor.name)
    left.pop("pods", None)  # counted only where a queue limits them
    return "" if left else ", ".join(chosen)


def _fits(room: FlavorRoom, asked: Amounts, spec: AskingSpec, keys: set[str]) -> bool:
    """Check whether a flavor has room for pods and its nodes are such as they ask for."""
    has_room = all(room.free.get(name, 0) >= amount for name, amount in asked.items())
    return has_room and can_use(spec, room.flavor, keys)


def can_use(spec: AskingSpec, flavor: ResourceFlavor, keys: set[str]) -> bool:
    """Check whether pods may get a flavor, as Kueue decides it: by its taints, and by these labels of nodes.

    `keys`: the labels that any flavor of its resource group has.
    """
    labels, taints = flavor.spec.node_labels, flavor.spec.node_taints
    node = Node(metadata=ObjectMeta(labels=labels), spec=NodeSpec(taints=taints))
    asks = replace(_about(spec, keys), tolerations=(*spec.tolerations, *flavor.spec.tolerations))
    return selects(asks, node) and untolerated(asks, node) is None


def _agrees(room: FlavorRoom, spec: AskingSpec, keys: set[str]) -> bool:
    """Check whether pods can run on the nodes of the flavor that they get.

    Kueue gives any flavor to pods of which one term names no label of a flavor; what their other terms say of
    these labels counts all the same once they look for a node.
    """
    terms = [term for term in (_narrowed(term, keys) for term in _terms(spec)) if term.match_expressions]
    node = Node(metadata=ObjectMeta(labels=room.flavor.spec.node_labels))
    return not terms or admits_node(NodeSelector(node_selector_terms=tuple(terms)), node)


def _terms(spec: AskingSpec) -> tuple[NodeSelectorTerm, ...]:
    affinity = spec.affinity.node_affinity if spec.affinity else None
    return affinity.required.node_selector_terms if affinity and affinity.required else ()


def _narrowed(term: NodeSelectorTerm, keys: set[str]) -> NodeSelectorTerm:
    """Return a term with what it says of these labels alone."""
    about = tuple(item for item in term.match_expressions if item.key in keys)
    return NodeSelectorTerm(match_expressions=about)


def _about(spec: AskingSpec, keys: set[str]) -> AskingSpec:
    """Return what pods ask about the labels by which flavors differ; Kueue looks at no others."""
    selector = {key: value for key, value in spec.node_selector.items() if key in keys}
    affinity = spec.affinity
    terms = tuple(_narrowed(term, keys) for term in _terms(spec))
    if affinity is None or not all(term.match_expressions for term in terms):
        # a term that says nothing of them is met by every flavor
        return replace(spec, node_selector=selector, affinity=None)
    required = NodeSelector(node_selector_terms=terms) if terms else None
    narrowed = replace(affinity, node_affinity=NodeAffinity(required=required))
    return replace(spec, node_selector=selector, affinity=narrowed)
