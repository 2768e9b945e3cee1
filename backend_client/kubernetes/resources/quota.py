"""v1 ResourceQuotas and their scopes."""

from typing import Any

from msgspec import field

from backend_client.kubernetes.resources.core import KubeStruct, Object


class ScopeSelector(KubeStruct, frozen=True):
    """Which pods a quota counts."""

    match_expressions: tuple[dict[str, Any], ...] = ()


class QuotaSpec(KubeStruct, frozen=True):
    """What a quota allows, and for which pods; with no scope, for all."""

    hard: dict[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    scope_selector: ScopeSelector | None = None


class QuotaStatus(KubeStruct, frozen=True):
    """What a quota allows and what is used of it."""

    hard: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)


class ResourceQuota(Object, frozen=True):
    """v1 ResourceQuota."""

    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()
