"""CPU and memory of pods as metrics-server tells them: now, of what runs, and of nothing else.

API: metrics.k8s.io/v1beta1 PodMetrics.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime

from msgspec import field

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.access import ResourceRule
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import KubeStruct, Object, no_entries
from backend_client.kubernetes.resources.quantities import parse_quantity
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.watch.lists import list_all
from backend_client.prometheus.pod_spans import PodKey
from backend_client.prometheus.usage_samples import Containers
from backend_client.usage import ContainerUsage

NAME = "metrics.k8s.io"
MOST_NAMESPACES = 5
"""Of more namespaces all pods are listed at once, where that is allowed."""


class ContainerMetrics(KubeStruct, frozen=True):
    """What one container uses."""

    name: str = ""
    usage: dict[str, str] = field(default_factory=no_entries)


class PodMetrics(Object, frozen=True):
    """metrics.k8s.io PodMetrics."""

    timestamp: datetime | None = None
    containers: tuple[ContainerMetrics, ...] = ()


POD_METRICS = ResourceType("/apis/metrics.k8s.io/v1beta1", "PodMetrics", "pods", PodMetrics)


async def read_pod_metrics(transport: Transport, namespaces: Iterable[str]) -> dict[PodKey, Containers]:
    """Return CPU and memory by pod, in one request a namespace.

    Raises Forbidden, which names the right; NotFound, where the cluster measures none; a BackendError.
    """
    distinct = sorted(set(namespaces))
    if len(distinct) > MOST_NAMESPACES:
        try:
            return await _read(transport, "")
        except Forbidden:
            pass
    pages = await asyncio.gather(*(_read(transport, namespace) for namespace in distinct))
    return {key: found for page in pages for key, found in page.items()}


async def _read(transport: Transport, namespace: str) -> dict[PodKey, Containers]:
    try:
        items = await list_all(transport, POD_METRICS, namespace, in_pages=False)
    except Forbidden as error:
        rule = ResourceRule("list", POD_METRICS.group, POD_METRICS.plural, namespace)
        raise Forbidden(f"You may not {rule}.", error.hint) from None
    except NotFound:
        raise NotFound(
            "The cluster does not serve metrics.k8s.io.", "An admin can install metrics-server."
        ) from None
    return {(item.namespace, item.name): containers_of(item) for item in items}


def containers_of(item: PodMetrics) -> Containers:
    """Return what a pod uses, and each of its containers where it has more than one."""
    used = tuple(
        ContainerUsage(
            name=container.name,
            cpu=_amount(container.usage.get("cpu")),
            memory=None if (amount := _amount(container.usage.get("memory"))) is None else round(amount),
        )
        for container in item.containers
    )
    cpus, memories = [one.cpu for one in used], [one.memory for one in used]
    return Containers(
        sum(cpu for cpu in cpus if cpu is not None) if cpus and None not in cpus else None,
        sum(memory for memory in memories if memory is not None)
        if memories and None not in memories
        else None,
        used if len(used) > 1 else (),
        item.timestamp.timestamp() if item.timestamp else None,
    )


def _amount(quantity: str | None) -> float | None:
    """Return a quantity ("14852965n", "8216Ki") in its base unit."""
    return float(parse_quantity(quantity)) if quantity else None
