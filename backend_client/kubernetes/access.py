"""Access reviews: who the caller is, and what RBAC lets them do. The cluster is asked; nothing is guessed.

API: authorization.k8s.io SelfSubjectAccessReview, authentication.k8s.io SelfSubjectReview (KEP-3325).
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from backend_client.errors import BackendError, Forbidden, NotFound, fragment
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import KubeStruct
from backend_client.kubernetes.resources.resource_types import (
    CREATED_KINDS,
    PODS,
    ROOT_TYPES,
    ResourceType,
    decode,
)
from backend_client.kubernetes.resources.training_kinds import TRAINING_KINDS
from backend_client.protocol import AccessDecision, AccessReview, Verb

_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
EXEC_VERBS = ("get", "create")
"""Both are needed: a WebSocket is opened by a GET, and since Kubernetes 1.35 the other is checked as well."""
_INTO_PODS = {Verb.EXEC: "exec", Verb.PORTS: "portforward"}
"""The subresources of pods that lead into them."""
_VERBS = {Verb.STOP: "patch", Verb.RESUME: "patch", Verb.DELETE: "delete"}


class ResourceRule(Struct, frozen=True):
    """One verb on one resource, as RBAC names them; namespace "": all of them, or a cluster-scoped type."""

    verb: str
    group: str
    plural: str
    namespace: str = ""
    subresource: str = ""
    name: str = ""
    """Of one object; "" is any."""

    def __str__(self) -> str:
        kind = f"{self.plural}.{self.group}" if self.group else self.plural
        scope = f" in {self.namespace}" if self.namespace else " in all namespaces"
        name = f" {self.name}" if self.name else ""
        return f"{self.verb} {kind}{f'/{self.subresource}' if self.subresource else ''}{name}{scope}"


class _Answer(KubeStruct, frozen=True):
    allowed: bool = False
    reason: str = ""


class _AccessReviewAnswer(KubeStruct, frozen=True):
    status: _Answer = _Answer()


class _User(KubeStruct, frozen=True):
    username: str = ""


class _SelfStatus(KubeStruct, frozen=True):
    user_info: _User = field(default_factory=_User)


class _SelfSubjectReview(KubeStruct, frozen=True):
    status: _SelfStatus = _SelfStatus()


_REVIEW = msgspec.json.Decoder(_AccessReviewAnswer)
_SELF_REVIEW = msgspec.json.Decoder(_SelfSubjectReview)


def resource_rule(
    verb: str, resource_type: ResourceType[Any], namespace: str = "", subresource: str = ""
) -> ResourceRule:
    """Return the rule for a verb on a resource type."""
    return ResourceRule(verb, resource_type.group, resource_type.plural, namespace, subresource)


async def is_allowed(transport: Transport, rule: ResourceRule) -> bool:
    """Return whether the cluster allows what a rule names. Raises a BackendError where it does not answer."""
    attributes = {"verb": rule.verb, "group": rule.group, "resource": rule.plural}
    optional = {"namespace": rule.namespace, "subresource": rule.subresource, "name": rule.name}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes | {key: value for key, value in optional.items() if value}},
    }
    response = await transport.request("POST", _ACCESS, body=msgspec.json.encode(review))
    return decode(_REVIEW, response.body).status.allowed


async def check_access(
    transport: Transport, reviews: Sequence[AccessReview], default_namespace: str
) -> Sequence[AccessDecision]:
    """Decide access reviews, in their order; each rule is asked for once.

    `default_namespace` stands for the namespace of reviews that name none.
    """
    rules_of_each = [_rules_of(review, default_namespace) for review in reviews]
    distinct = list(dict.fromkeys(rule for rules in rules_of_each for rule in rules))
    decided = await asyncio.gather(*(_decide(transport, rule) for rule in distinct))
    decisions = dict(zip(distinct, decided, strict=True))
    return [
        (_worst if review.verb in _INTO_PODS else _best)([decisions[rule] for rule in rules])
        for review, rules in zip(reviews, rules_of_each, strict=True)
    ]


def _rules_of(review: AccessReview, default_namespace: str) -> list[ResourceRule]:
    """Return the rules of a review. Any is enough, as a create may be of either kind; into pods takes all."""
    namespace = (review.ref.namespace if review.ref else review.namespace) or default_namespace
    if review.verb is Verb.LOGS:
        return [ResourceRule("get", "", PODS.plural, namespace, "log")]
    if subresource := _INTO_PODS.get(review.verb):
        return [ResourceRule(verb, "", PODS.plural, namespace, subresource) for verb in EXEC_VERBS]
    if review.verb is Verb.CREATE or review.ref is None:
        return [resource_rule("create", ROOT_TYPES[kind], namespace) for kind in CREATED_KINDS]
    if training := TRAINING_KINDS.get(review.ref.kind):
        return [ResourceRule(_VERBS[review.verb], training.group, training.plural, namespace)]
    return [resource_rule(_VERBS[review.verb], ROOT_TYPES[review.ref.kind], namespace)]


async def _decide(transport: Transport, rule: ResourceRule) -> AccessDecision:
    """Return the decision about one rule; unknown, with the error, where the cluster does not answer."""
    try:
        allowed = await is_allowed(transport, rule)
    except BackendError as error:
        return AccessDecision(None, fragment(error.title))
    return AccessDecision(True) if allowed else AccessDecision(False, f"you may not {rule}")


def _best(decisions: Iterable[AccessDecision]) -> AccessDecision:
    """Return the best of several decisions: yes, then unknown, then no."""
    return min(decisions, key=lambda decision: (True, None, False).index(decision.allowed))


def _worst(decisions: Iterable[AccessDecision]) -> AccessDecision:
    """Return the worst of several decisions."""
    return min(decisions, key=lambda decision: (False, None, True).index(decision.allowed))


async def current_user(transport: Transport) -> str:
    """Return the caller's name as the cluster knows it; "" before Kubernetes 1.28, or if forbidden."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        response = await transport.request("POST", _SELF, body=msgspec.json.encode(review))
    except (Forbidden, NotFound):
        return ""
    return decode(_SELF_REVIEW, response.body).status.user_info.username
