"""JobSpec -> Services and Ingress, and the URL at which a job answers (pure)."""

from typing import Any

from backend_client.kubernetes.labels import INDEX
from backend_client.kubernetes.manifests.pod_template import MASTER_PORT, drop_empty, job_labels, ranks_name
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models import JobSpec, Port


def port_name(port: Port) -> str:
    """Return the name of a port, else one made of its number: a Service with several ports must name them."""
    return port.name or f"{port.protocol.lower()}-{port.number}"


def service(spec: JobSpec) -> dict[str, Any]:
    """Render the Service of a job's ports: in front of all replicas, or of rank 0."""
    rank = {INDEX: "0"} if spec.nodes > 1 else {}
    ports = [_port(port_name(port), port.number, port.target, port.protocol) for port in spec.ports]
    return _service(spec.name, {"selector": job_labels(spec) | rank, "ports": ports})


def ranks_service(spec: JobSpec) -> dict[str, Any]:
    """Render the headless Service by which the ranks find each other: DNS gives JOB-RANK.SERVICE its pod.

    The others must find rank 0 before it is ready, and DNS leaves out such pods unless the Service says
    `publishNotReadyAddresses` (core/v1 ServiceSpec); JobSet says so too.
    """
    headless = {"clusterIP": "None", "publishNotReadyAddresses": True}
    ports = [_port("master", MASTER_PORT)]
    return _service(ranks_name(spec), {**headless, "selector": job_labels(spec), "ports": ports})


def _service(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _port(name: str, number: int, target: int = 0, protocol: str = "TCP") -> dict[str, Any]:
    return {"name": name, "port": number, "targetPort": target or number, "protocol": protocol}


def web_port(spec: JobSpec) -> Port | None:
    """Return the port that the Ingress leads to: the first TCP port; None where there is none."""
    return next((port for port in spec.ports if port.protocol == "TCP"), None)


def has_ingress(spec: JobSpec, site: KubernetesSettings) -> bool:
    """Check whether a job gets an Ingress, and so a URL."""
    enabled = site.ingress.default if spec.ingress == "auto" else spec.ingress != "off"
    return enabled and web_port(spec) is not None


def host(spec: JobSpec, namespace: str, site: KubernetesSettings) -> str:
    """Return the host name of a job's URL; "" where the path alone tells jobs apart."""
    if spec.ingress not in ("auto", "off"):
        return spec.ingress
    return site.ingress.host.replace("{name}", spec.name).replace("{namespace}", namespace)


def job_url(spec: JobSpec, namespace: str, site: KubernetesSettings) -> str:
    """Return the URL of a job; only its path where it has no host name, "" without an Ingress."""
    if not has_ingress(spec, site):
        return ""
    name = host(spec, namespace, site)
    scheme = "https" if site.ingress.tls else "http"
    return f"{scheme}://{name}/" if name else _path(spec, namespace)


def _path(spec: JobSpec, namespace: str) -> str:
    return f"/{namespace}/{spec.name}"


def ingress(spec: JobSpec, namespace: str, site: KubernetesSettings) -> dict[str, Any]:
    """Render the Ingress of a job that has one."""
    name, port, settings = host(spec, namespace, site), web_port(spec), site.ingress
    backend = {"service": {"name": spec.name, "port": {"number": port.number if port else 0}}}
    path = {"path": "/" if name else _path(spec, namespace), "pathType": "Prefix", "backend": backend}
    tls = drop_empty({"hosts": [name] if name else [], "secretName": settings.tls_secret})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": drop_empty({"name": spec.name, "annotations": dict(settings.annotations)}),
        "spec": drop_empty(
            {
                "ingressClassName": settings.class_name,
                "tls": [tls] if settings.tls and tls else [],
                "rules": [drop_empty({"host": name}) | {"http": {"paths": [path]}}],
            }
        ),
    }
