"""Who the caller is, and what the cluster lets them do: asked of the cluster, never guessed."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from backend_client.errors import BackendError, Forbidden, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import KubeStruct
from backend_client.kubernetes.resources.resource_types import (
    CREATED_KINDS,
    PODS,
    ROOT_TYPES,
    ResourceType,
    decode,
)
from backend_client.protocol import AccessDecision, AccessReview, Verb

_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_VERBS = {Verb.STOP: "patch", Verb.RESUME: "patch", Verb.DELETE: "delete"}


class ResourceRule(Struct, frozen=True):
    """One thing that RBAC allows or not; namespace "" is all of them, or a cluster-scoped kind."""

    verb: str
    group: str
    plural: str
    namespace: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        name = f"{self.plural}.{self.group}" if self.group else self.plural
        scope = f" in {self.namespace}" if self.namespace else " in all namespaces"
        return f"{self.verb} {name}{f'/{self.subresource}' if self.subresource else ''}{scope}"


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
    """The right to do this to objects of that kind."""
    return ResourceRule(verb, resource_type.group, resource_type.plural, namespace, subresource)


async def is_allowed(transport: Transport, rule: ResourceRule) -> bool:
    """What the cluster says. Raises a BackendError where it does not say."""
    attributes = {"verb": rule.verb, "group": rule.group, "resource": rule.plural}
    optional = {"namespace": rule.namespace, "subresource": rule.subresource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes | {key: value for key, value in optional.items() if value}},
    }
    answer = await transport.request("POST", _ACCESS, body=msgspec.json.encode(review))
    return decode(_REVIEW, answer.body).status.allowed


async def check_access(
    transport: Transport, reviews: Sequence[AccessReview], default_namespace: str
) -> Sequence[AccessDecision]:
    """A verdict for each; every right is asked for once. `home`: the namespace of asks that name none."""
    needed = [_rules_of(ask, default_namespace) for ask in reviews]
    rules = list(dict.fromkeys(one for rights in needed for one in rights))
    decisions = dict(zip(rules, await asyncio.gather(*(_decide(transport, r) for r in rules)), strict=True))
    return [_best(decisions[one] for one in rights) for rights in needed]


def _rules_of(review: AccessReview, default_namespace: str) -> list[ResourceRule]:
    """Any of these is enough: what is created may be of either kind."""
    namespace = (review.ref.namespace if review.ref else review.namespace) or default_namespace
    if review.verb is Verb.LOGS:
        return [ResourceRule("get", "", PODS.plural, namespace, "log")]
    if review.verb is Verb.CREATE or review.ref is None:
        return [resource_rule("create", ROOT_TYPES[kind], namespace) for kind in CREATED_KINDS]
    return [resource_rule(_VERBS[review.verb], ROOT_TYPES[review.ref.kind], namespace)]


async def _decide(transport: Transport, rule: ResourceRule) -> AccessDecision:
    try:
        allowed = await is_allowed(transport, rule)
    except BackendError as error:
        return AccessDecision(None, error.title)
    return AccessDecision(True) if allowed else AccessDecision(False, f"you may not {rule}")


def _best(decisions: Iterable[AccessDecision]) -> AccessDecision:
    """The best of them: yes, then unknown, then no."""
    return min(decisions, key=lambda verdict: (True, None, False).index(verdict.allowed))


async def current_user(transport: Transport) -> str:
    """The caller's name as the cluster knows it; "" where it does not tell (before 1.28, or forbidden)."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = await transport.request("POST", _SELF, body=msgspec.json.encode(review))
    except (Forbidden, NotFound):
        return ""
    return decode(_SELF_REVIEW, answer.body).status.user_info.username
