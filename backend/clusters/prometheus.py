"""Which Prometheus a cluster's backend asks: of the setting `prometheus`, as the backend takes it (pure)."""

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from backend.prometheus_setting import PrometheusTarget
from backend_client.kubernetes.settings import KubernetesSettings, PrometheusSettings
from backend_client.models.secret import Secret

OTHERS = ""
"""The name under which stands what all clusters have that are not named."""


def prometheus_of(
    targets: Mapping[str, PrometheusTarget], cluster: str, settings: KubernetesSettings
) -> tuple[KubernetesSettings, Secret | None]:
    """Return the settings of a cluster's backend with its Prometheus, and the token for that.

    Where the setting names none for it, the settings stay as they are.
    """
    found = targets.get(cluster, targets.get(OTHERS))
    if found is None:
        return settings, None
    prometheus = PrometheusSettings(
        service=found.service, url=found.url, token_file=found.token_file, ca_file=found.ca_file
    )
    token = found.token.get_secret_value()
    return replace(settings, prometheus=prometheus, prometheus_of={}), Secret(token) if token else None


def unknown_names(targets: Mapping[str, PrometheusTarget], clusters: Collection[str]) -> list[str]:
    """Return the names of the setting that are of no cluster."""
    return sorted(set(targets) - {OTHERS, *clusters})
