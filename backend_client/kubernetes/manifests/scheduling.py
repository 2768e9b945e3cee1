"""Where a pod may go: node labels, tolerations and runtime class for what it asks (pure)."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, to_builtins

from backend_client.kubernetes.manifests.gpus import is_type, product_label
from backend_client.kubernetes.resources.nodes import Node, Taint
from backend_client.kubernetes.resources.quantities import parse_whole
from backend_client.kubernetes.settings import GpuType, KubernetesSettings, Toleration
from backend_client.models import JobSpec


class ClusterFacts(Struct, frozen=True, kw_only=True):
    """What could be read of a cluster and of the namespace that a job goes to."""

    namespace: str
    """Where the job goes: the spec's, else the context's own."""
    pod_security: str = ""
    """What the namespace enforces: privileged, baseline, restricted; empty where that is unknown."""
    runtime_classes: frozenset[str] = frozenset()
    nodes: tuple[Node, ...] | None = None
    """None where the user may not list nodes."""


class Placement(Struct, frozen=True):
    """What the scheduler is told."""

    terms: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    """Label -> allowed values; a node must meet one of the terms. Empty: any node."""
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: str = ""

    def manifest(self) -> dict[str, Any]:
        """The part of a pod's spec that says so."""
        part: dict[str, Any] = {}
        if self.terms:
            terms = [{"matchExpressions": [_among(*item) for item in term.items()]} for term in self.terms]
            required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            part["affinity"] = {"nodeAffinity": required}
        if self.tolerations:
            part["tolerations"] = [_toleration(toleration) for toleration in self.tolerations]
        if self.runtime_class:
            part["runtimeClassName"] = self.runtime_class
        return part


def _among(label: str, values: tuple[str, ...]) -> dict[str, Any]:
    return {"key": label, "operator": "In", "values": list(values)}


def _toleration(toleration: Toleration) -> dict[str, str]:
    stated = {name: value for name, value in to_builtins(toleration).items() if value}
    return {**stated, "operator": "Equal" if toleration.value else "Exists"}


def placement_of(spec: JobSpec, site: KubernetesSettings, seen: ClusterFacts) -> Placement:
    """Where the pods of a job may go. Raises ValueError, in words, where its GPU type cannot be found."""
    if not spec.gpus:
        return Placement()
    named = _configured(spec.gpu_type, site)
    runtime = (named.runtime_class if named else "") or ("nvidia" if "nvidia" in seen.runtime_classes else "")
    if named:
        terms = {label: (value,) for label, value in named.labels.items()}
        return Placement((terms,), named.tolerations, runtime)
    if seen.nodes is None:
        return Placement((), _unseen(spec, site), runtime)
    nodes = matching(spec, site, seen.nodes)
    terms_found = _terms(nodes) if spec.gpu_type else ()
    if spec.gpu_type and not nodes:
        raise ValueError(_no_such_type(spec.gpu_type, site, seen.nodes))
    return Placement(terms_found, tolerations(nodes), runtime)


def _configured(gpu_type: str, site: KubernetesSettings) -> GpuType | None:
    return next((found for name, found in site.gpu_types.items() if name.lower() == gpu_type.lower()), None)


def _unseen(spec: JobSpec, site: KubernetesSettings) -> tuple[Toleration, ...]:
    """Of unseen nodes only the taint that bears the resource's own name is tolerated: that is what the
    admission plugin ExtendedResourceToleration does."""
    if not spec.gpu_type:
        return (Toleration(site.gpu_resource, effect="NoSchedule"),)
    known = ", ".join(sorted(site.gpu_types))
    raise ValueError(
        "you may not list nodes here, so the GPU types are not known; "
        + (f"the settings know {known}" if known else "leave it empty, or have kubernetes.gpu_types set")
    )


def matching(spec: JobSpec, site: KubernetesSettings, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """The nodes that have GPUs of the type that a job asks for, whether they are free or not."""
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
    return tuple({label: tuple(sorted(found))} for label, found in sorted(values.items()))


def _no_such_type(wanted: str, site: KubernetesSettings, nodes: tuple[Node, ...]) -> str:
    seen = {product_label(node)[1] for node in matching(JobSpec(), site, nodes)} - {""}
    known = ", ".join(sorted(seen | set(site.gpu_types)))
    return f"no node has a {wanted}; there is: {known}" if known else "no node says which GPU it has"


_PASSING = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "node-role.kubernetes.io/")
_AUTOSCALER = ("ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler")


def tolerations(nodes: tuple[Node, ...]) -> tuple[Toleration, ...]:
    """For the lasting taints of these nodes; a node that is sick, cordoned or about to go is left alone."""
    taints = {(t.key, t.value, t.effect) for node in nodes for t in node.spec.taints if _lasting(t)}
    return tuple(Toleration(*taint) for taint in sorted(taints))


def _lasting(taint: Taint) -> bool:
    passing = taint.key.startswith(_PASSING) or taint.key in _AUTOSCALER
    return not passing and taint.effect in ("NoSchedule", "NoExecute")
