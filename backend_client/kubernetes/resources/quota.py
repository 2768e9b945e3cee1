"""v1 ResourceQuotas and their scopes."""

from typing import Any

from msgspec import field

from backend_client.kubernetes.resources.core import KubeStruct, Object


class ScopeSelector(KubeStruct, frozen=True):
    """The scope selector of a quota, by which it counts only some pods."""

    match_expressions: tuple[dict[str, Any], ...] = ()


class QuotaSpec(KubeStruct, frozen=True):
    """The spec of a quota: its limits, and for which pods; without a scope, for all."""

    hard: dict[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    scope_selector: ScopeSelector | None = None


class QuotaStatus(KubeStruct, frozen=True):
    """The status of a quota: its limits and what is used of them."""

    hard: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)


class ResourceQuota(Object, frozen=True):
    """v1 ResourceQuota."""

    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()
