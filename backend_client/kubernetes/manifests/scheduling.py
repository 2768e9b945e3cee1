"""Pod scheduling: node affinity, tolerations and runtime class for the GPUs that a job requests (pure)."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from backend_client.gpu_nodes import is_type
from backend_client.kubernetes.resources.node_gpus import SOURCES, product_label, products_called
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.quantities import parse_whole
from backend_client.kubernetes.settings import GpuType, KubernetesSettings
from backend_client.models import JobSpec, Toleration
from backend_client.models.code import Code


class ClusterFacts(Struct, frozen=True, kw_only=True):
    """What could be read of a cluster and of the namespace of a job."""

    namespace: str
    """The job's: the one in its spec, else the context's own."""
    pod_security: str = ""
    """The PodSecurity level that the namespace enforces: privileged, baseline, restricted; "": unknown."""
    runtime_classes: frozenset[str] = frozenset()
    nodes: tuple[Node, ...] | None = None
    """None where the caller may not list nodes."""
    code: Code | None = None
    """The packed code that the spec names; None where it names none, or it is not there."""


class Placement(Struct, frozen=True):
    """What a pod's spec says to the scheduler."""

    terms: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    """Label -> allowed values; a node must meet one of the terms. Empty: any node."""
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: str = ""
    node_selector: Mapping[str, str] = {}
    node_names: tuple[str, ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Render the fields of a pod's spec."""
        fields: dict[str, Any] = {}
        if self.node_selector:
            fields["nodeSelector"] = dict(self.node_selector)
        if terms := self._node_terms():
            required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            fields["affinity"] = {"nodeAffinity": required}
        if self.tolerations:
            fields["tolerations"] = [_toleration(toleration) for toleration in self.tolerations]
        if self.runtime_class:
            fields["runtimeClassName"] = self.runtime_class
        return fields

    def _node_terms(self) -> list[dict[str, Any]]:
        """Return the terms, of which a node meets one: each of those of the labels, for each node named.

        Nodes are named by metadata.name, as every list of nodes shows it: the label kubernetes.io/hostname
        is another name on some clouds, and an admin can change it. A match of that field takes one name
        (ValidateNodeFieldSelectorRequirement of core/validation), so each has a term.
        """
        by_labels: list[dict[str, Any]] = [
            {"matchExpressions": [_expression(*item) for item in term.items()]} for term in self.terms
        ]
        if not self.node_names:
            return by_labels
        fields = [{"matchFields": [_expression("metadata.name", (name,))]} for name in self.node_names]
        return [term | field for term in by_labels or [{}] for field in fields]


def _expression(label: str, values: tuple[str, ...]) -> dict[str, Any]:
    return {"key": label, "operator": "In", "values": list(values)}


def _toleration(toleration: Toleration) -> dict[str, str]:
    fields = {name: value for name, value in to_builtins(toleration).items() if value}
    return {**fields, "operator": "Equal" if toleration.value else "Exists"}


def placement_of(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> Placement:
    """Choose where a job's pods may run. Raises ValueError, a sentence, where its GPU type is not known."""
    by_gpus = _gpu_placement(spec, site, facts)
    return replace(
        by_gpus,
        tolerations=tuple(dict.fromkeys((*by_gpus.tolerations, *spec.tolerations))),
        node_selector=spec.node_selector,
        node_names=spec.node_names,
    )


def chosen_nodes(spec: JobSpec, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Select the nodes that a job's node_selector and node_names admit."""
    return tuple(
        node
        for node in nodes
        if spec.node_selector.items() <= node.metadata.labels.items()
        and (not spec.node_names or node.name in spec.node_names)
    )


def _gpu_placement(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> Placement:
    if not spec.gpus:
        return Placement()
    configured = _configured(spec.gpu_type, site)
    # Where a RuntimeClass nvidia exists it may not be the nodes' default (k3s, RKE2): a pod must name it.
    fallback = "nvidia" if "nvidia" in facts.runtime_classes else ""
    runtime = (configured.runtime_class if configured else "") or fallback
    if configured:
        term = {label: (value,) for label, value in configured.labels.items()}
        return Placement((term,), configured.tolerations, runtime)
    if facts.nodes is None:
        return Placement(_terms_of_unseen(spec), _tolerations_of_unseen(site), runtime)
    nodes = matching_nodes(spec, site, facts.nodes)
    terms = _terms(nodes) if spec.gpu_type else ()
    if spec.gpu_type and not nodes:
        raise ValueError(_no_such_type(spec.gpu_type, site, facts.nodes))
    return Placement(terms, tolerations_of(nodes), runtime)


def _configured(gpu_type: str, site: KubernetesSettings) -> GpuType | None:
    return next((value for name, value in site.gpu_types.items() if name.lower() == gpu_type.lower()), None)


def is_unchecked(spec: JobSpec, site: KubernetesSettings, facts: ClusterFacts) -> bool:
    """Return whether nobody can tell if there is a GPU of the type asked for: no node may be read."""
    return bool(spec.gpus and spec.gpu_type) and facts.nodes is None and not _configured(spec.gpu_type, site)


def _terms_of_unseen(spec: JobSpec) -> tuple[dict[str, tuple[str, ...]], ...]:
    """Ask for a GPU type by every label that can name it, of nodes that may not be listed."""
    if not spec.gpu_type:
        return ()
    products = products_called(spec.gpu_type)
    return tuple({label: products} for label in SOURCES)


def _tolerations_of_unseen(site: KubernetesSettings) -> tuple[Toleration, ...]:
    """Tolerate, of nodes that may not be listed, the taint that has the name of the GPU resource.

    The admission plugin ExtendedResourceToleration does the same.
    """
    return (Toleration(site.gpu_resource, effect="NoSchedule"),)


def matching_nodes(spec: JobSpec, site: KubernetesSettings, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Select the nodes with GPUs of the type that a job requests, free or not."""
    return tuple(
        node
        for node in nodes
        if parse_whole(node.status.allocatable.get(site.gpu_resource, "0"))
        and (not spec.gpu_type or is_type(product_label(node)[1], spec.gpu_type))
    )


def _terms(nodes: tuple[Node, ...]) -> tuple[dict[str, tuple[str, ...]], ...]:
    values: dict[str, set[str]] = defaultdict(set)
    for label, value in map(product_label, nodes):
        values[label].add(value)
    return tuple({label: tuple(sorted(products))} for label, products in sorted(values.items()))


def _no_such_type(gpu_type: str, site: KubernetesSettings, nodes: tuple[Node, ...]) -> str:
    products = {product_label(node)[1] for node in matching_nodes(JobSpec(), site, nodes)} - {""}
    known = ", ".join(sorted(products | set(site.gpu_types)))
    return f"no node has a {gpu_type}; there is: {known}" if known else "no node says which GPU it has"


def tolerations_of(nodes: tuple[Node, ...]) -> tuple[Toleration, ...]:
    """Tolerate the lasting taints of nodes; not those of a node that is sick, cordoned or about to go."""
    taints = {
        (t.key, t.value, t.effect) for node in nodes for t in node.spec.taints if t.repels and t.is_lasting
    }
    return tuple(Toleration(*taint) for taint in sorted(taints))
