"""What a site says about its clusters: the table `kubernetes` of the settings."""

from collections.abc import Mapping

from msgspec import Struct


class Toleration(Struct, frozen=True, forbid_unknown_fields=True):
    """A taint that pods may ignore; without a value every value of the key."""

    key: str
    value: str = ""
    effect: str = ""


class GpuType(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where pods that ask for a GPU type go, for clusters whose nodes users may not list."""

    labels: Mapping[str, str]
    """Labels that the node must have, all of them."""
    tolerations: tuple[Toleration, ...] = ()
    runtime_class: str = ""


class IngressSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a job's ports become a URL."""

    default: bool = True
    """What `ingress: auto` means: a URL for every job with ports, or none."""
    host: str = ""
    """Template: {name}.{namespace}.gpu.example.org. Empty: no host, path /{namespace}/{name}."""
    class_name: str = ""
    tls: bool = False
    tls_secret: str = ""
    """Name of the Secret with the certificate; empty is the controller's own."""
    annotations: Mapping[str, str] = {}


class Site(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One site's answers."""

    gpu_resource: str = "nvidia.com/gpu"
    gpu_types: Mapping[str, GpuType] = {}
    """GPU type as people write it (any case) -> where it is. Comes before what the nodes' labels say."""
    run_as_user: int = 1000
    """The user that containers run as where a namespace forbids root."""
    ingress: IngressSettings = IngressSettings()
