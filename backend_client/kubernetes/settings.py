"""Settings of Kubernetes clusters: the table `kubernetes`."""

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from backend_client.models.spec import Toleration


class GpuType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where pods that ask for a GPU type go, for clusters whose nodes users may not list."""

    labels: Mapping[str, str]
    """Labels that the node must have, all of them."""
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: str = ""


class IngressSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a job's ports become a URL."""

    default: Annotated[bool, Meta(description="A URL for every job with ports (`ingress: auto`).")] = True
    host: Annotated[
        str,
        Meta(description="Host of a URL: {name}.{namespace}.gpu.example.org; empty is a path on every host."),
    ] = ""
    class_name: Annotated[str, Meta(description="Ingress class; empty is the cluster's default.")] = ""
    tls: Annotated[bool, Meta(description="Serve https.")] = False
    tls_secret: Annotated[
        str, Meta(description="Secret with the certificate; empty is the controller's own.")
    ] = ""
    annotations: Annotated[Mapping[str, str], Meta(description="Annotations of every Ingress.")] = {}


class PrometheusSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Prometheus that scrapes a cluster."""

    service: Annotated[
        str,
        Meta(
            description="NAMESPACE/NAME:PORT of its Service, asked through the API server's proxy;"
            " https: before NAME where it serves TLS."
        ),
    ] = ""
    url: Annotated[str, Meta(description="Its URL, instead of a Service: of one cluster.")] = ""
    token_file: Annotated[str, Meta(description="File with the token for the URL.")] = ""
    ca_file: Annotated[str, Meta(description="CA of the URL, instead of the system's.")] = ""


class KubernetesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Jobs in Kubernetes clusters."""

    gpu_resource: Annotated[str, Meta(description="What a GPU is called in limits.")] = "nvidia.com/gpu"
    gpu_types: Annotated[
        Mapping[str, GpuType],
        Meta(description="GPU type (any case) -> labels, tolerations and runtime_class of its nodes."),
    ] = {}
    """Comes before what the nodes' labels say."""
    pod_template: Annotated[
        Mapping[str, Any],
        Meta(
            description="A patch of every job's pod template, before the job's own `pod`: {\"spec\": {...}}."
        ),
    ] = {}
    run_as_user: Annotated[
        int, Meta(ge=0, description="User of the containers where a namespace forbids root.")
    ] = 1000
    code_limit: Annotated[
        int,
        Meta(
            ge=1,
            le=20,
            description="MiB, packed, of the code that goes with a job (`code`). It lies in the cluster's"
            " own database as long as the job.",
        ),
    ] = 5
    nvidia_smi: Annotated[
        bool,
        Meta(
            description="Where no Prometheus tells of GPUs, run `nvidia-smi` in the pods of the job that is"
            " looked at; takes get and create on pods/exec. A server never does."
        ),
    ] = False
    prometheus_of: Annotated[
        Mapping[str, PrometheusSettings],
        Meta(description="Context (of a server: cluster) -> its Prometheus, instead of `prometheus`."),
    ] = {}
    ingress: IngressSettings = IngressSettings()
    prometheus: PrometheusSettings = PrometheusSettings()
