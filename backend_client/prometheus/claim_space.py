"""What claims hold free, as the kubelets tell Prometheus of volumes that are mounted now (pure).

Not every volume has figures: a folder of a node has none, nor has many a CSI driver (docs/FACTS.md, "Use").
"""

from collections.abc import Iterable

from backend_client.prometheus.client import Series
from backend_client.prometheus.promql import equals

_METRIC = "kubelet_volume_stats_available_bytes"
"""pkg/kubelet/metrics/collectors/volume_stats.go."""
_CLAIM, _NAMESPACE, _EXPORTED = "persistentvolumeclaim", "namespace", "exported_namespace"
"""Where the scrape keeps its own labels (honor_labels: false), the claim's namespace is the exported one."""


def claims_query(namespace: str) -> str:
    """Return the query for the bytes that the claims of a namespace hold free; of several nodes the least."""
    labels = f"{_CLAIM},{_NAMESPACE},{_EXPORTED}"
    either = " or ".join(f"{_METRIC}{{{equals(label, namespace)}}}" for label in (_NAMESPACE, _EXPORTED))
    return f"min by ({labels}) ({either})"


def claims_free(answer: Iterable[Series], namespace: str) -> dict[str, int]:
    """Return claim -> bytes free, of the claims that somebody told of."""
    free: dict[str, int] = {}
    for series in answer:
        found = series.metric.get(_EXPORTED) or series.metric.get(_NAMESPACE)
        name, number = series.metric.get(_CLAIM, ""), series.number
        if name and number is not None and number >= 0 and found == namespace:
            free[name] = min(int(number), free.get(name, int(number)))
    return free
