"""Label selectors (metav1.LabelSelector), and how a query of the API spells them."""

from collections.abc import Mapping

from msgspec import field

from backend_client.kubernetes.resources.core import KubeStruct, no_entries

_MATCHES_NOTHING = "none,!none"
"""A label that must be there and must not: the query syntax has no shorter way, as "" selects everything."""


class LabelSelectorRequirement(KubeStruct, frozen=True):
    """One term of `matchExpressions`."""

    key: str = ""
    operator: str = ""
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()


class LabelSelector(KubeStruct, frozen=True):
    """A selector by labels: all of its labels and expressions must hold."""

    match_labels: dict[str, str] = field(default_factory=no_entries)
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


def label_selector(selector: LabelSelector) -> str:
    """Return a selector as the query parameter `labelSelector` of a list or watch.

    An empty one matches nothing. Syntax: "Set-based requirement" in
    kubernetes.io/docs/concepts/overview/working-with-objects/labels.
    """
    terms = [f"{key}={value}" for key, value in selector.match_labels.items()]
    terms += map(_term, selector.match_expressions)
    return ",".join(terms) or _MATCHES_NOTHING


def _term(requirement: LabelSelectorRequirement) -> str:
    key, values = requirement.key, ",".join(requirement.values)
    match requirement.operator:
        case "In":
            return f"{key} in ({values})"
        case "NotIn":
            return f"{key} notin ({values})"
        case "Exists":
            return key
        case _:
            return f"!{key}"


def selects_labels(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    """Check whether a selector selects an object with these labels; None selects none, an empty one all."""
    if selector is None:
        return False
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def _holds(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    has = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return has is not None and has in requirement.values
        case "NotIn":
            return has is None or has not in requirement.values
        case "Exists":
            return has is not None
        case _:
            return has is None
