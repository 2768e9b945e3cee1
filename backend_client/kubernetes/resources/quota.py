"""v1 ResourceQuotas and their scopes."""

from collections.abc import Iterable
from typing import Any

from msgspec import field

from backend_client.kubernetes.resources.core import KubeStruct, Object
from backend_client.kubernetes.resources.quantities import parse_whole
from backend_client.protocol import GpuQuota


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


def gpu_quota(quotas: Iterable[ResourceQuota], resource: str) -> GpuQuota | None:
    """Return the quota that leaves the fewest GPUs, of those of all pods; None where none counts GPUs."""
    key = f"requests.{resource}"
    found = []
    for quota in quotas:
        hard = quota.status.hard.get(key) or quota.spec.hard.get(key, "")
        if hard and not quota.spec.scopes and not quota.spec.scope_selector:
            found.append(GpuQuota(parse_whole(quota.status.used.get(key, "0")), parse_whole(hard)))
    return min(found, key=lambda quota: quota.hard - quota.used, default=None)
