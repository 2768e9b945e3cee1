"""Which nodes a pod may run on by its own words: selector, required affinity, tolerations (pure).

The rules are those of k8s.io/component-helpers (scheduling/corev1 and its nodeaffinity).
"""

from collections.abc import Mapping, Sequence

from backend_client.kubernetes.resources.nodes import Node, Taint
from backend_client.kubernetes.resources.scheduling import (
    AskingSpec,
    NodeRequirement,
    NodeSelector,
    NodeSelectorTerm,
    PodToleration,
)

CORDONED = Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
"""What a cordon counts as (pkg/scheduler/framework/plugins/nodeunschedulable)."""


def selects(spec: AskingSpec, node: Node) -> bool:
    """Check whether a pod's nodeSelector and required node affinity admit a node."""
    labels = node.metadata.labels
    if any(labels.get(key) != value for key, value in spec.node_selector.items()):
        return False
    affinity = spec.affinity.node_affinity if spec.affinity else None
    return affinity is None or admits(affinity.required, node)


def admits(selector: NodeSelector | None, node: Node) -> bool:
    """Check whether a node selector admits a node; None admits all."""
    return selector is None or any(_holds(term, node) for term in selector.node_selector_terms)


def _holds(term: NodeSelectorTerm, node: Node) -> bool:
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": node.name}
    return all(_meets(item, node.metadata.labels) for item in term.match_expressions) and all(
        _meets(item, fields) for item in term.match_fields
    )


def _meets(requirement: NodeRequirement, labels: Mapping[str, str]) -> bool:
    has, values = labels.get(requirement.key), requirement.values
    match requirement.operator:
        case "In":
            return has is not None and has in values
        case "NotIn":
            return has is None or has not in values
        case "Exists":
            return has is not None
        case "DoesNotExist":
            return has is None
        case "Gt" | "Lt":
            return has is not None and len(values) == 1 and _compares(has, requirement.operator, values[0])
        case _:
            return False


def _compares(have: str, operator: str, bound: str) -> bool:
    try:
        return int(have) > int(bound) if operator == "Gt" else int(have) < int(bound)
    except ValueError:
        return False


def is_ready(node: Node) -> bool:
    """Check whether a node says that it is ready."""
    return any(condition.type == "Ready" and condition.true for condition in node.status.conditions)


def untolerated(spec: AskingSpec, node: Node) -> Taint | None:
    """Return a taint that keeps a pod off a node, its cordon included; None where none does."""
    taints = (*node.spec.taints, *((CORDONED,) if node.spec.unschedulable else ()))
    keeping_off = (taint for taint in taints if taint.effect in ("NoSchedule", "NoExecute"))
    return next((taint for taint in keeping_off if not _is_tolerated(taint, spec.tolerations)), None)


def _is_tolerated(taint: Taint, tolerations: Sequence[PodToleration]) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: PodToleration, taint: Taint) -> bool:
    if toleration.effect not in ("", taint.effect):
        return False
    if toleration.key not in ("", taint.key):
        return False
    match toleration.operator or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.key) and toleration.value == taint.value
        case "Gt" | "Lt":
            return _compares(taint.value, toleration.operator, toleration.value)
        case _:
            return False
