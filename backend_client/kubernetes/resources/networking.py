"""Services, and networking.k8s.io/v1 Ingresses."""

from msgspec import field

from backend_client.kubernetes.resources.core import KubeStruct, Object


class ServicePort(KubeStruct, frozen=True):
    """A port of a Service."""

    port: int = 0
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str = 0
    node_port: int = 0


class ServiceSpec(KubeStruct, frozen=True):
    """What a Service asks for."""

    type: str = "ClusterIP"
    cluster_ip: str = field(default="", name="clusterIP")
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] = field(default_factory=dict)


class Service(Object, frozen=True):
    """v1 Service."""

    spec: ServiceSpec = ServiceSpec()


class BackendPort(KubeStruct, frozen=True):
    """A port of a Service, by number or by name."""

    number: int = 0
    name: str = ""


class ServiceBackend(KubeStruct, frozen=True):
    """The Service behind a path."""

    name: str = ""
    port: BackendPort = BackendPort()


class PathBackend(KubeStruct, frozen=True):
    """What is behind a path; None where it is no Service."""

    service: ServiceBackend | None = None


class IngressPath(KubeStruct, frozen=True):
    """One path of a rule."""

    path: str = ""
    path_type: str = ""
    backend: PathBackend = PathBackend()


class IngressHttp(KubeStruct, frozen=True):
    """The paths of a rule."""

    paths: tuple[IngressPath, ...] = ()


class IngressRule(KubeStruct, frozen=True):
    """The paths of one host; host "" is every host."""

    host: str = ""
    http: IngressHttp = IngressHttp()


class IngressTls(KubeStruct, frozen=True):
    """The hosts that one certificate is for."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(KubeStruct, frozen=True):
    """What an Ingress asks for."""

    ingress_class_name: str = ""
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTls, ...] = ()


class IngressAddress(KubeStruct, frozen=True):
    """Where an Ingress answers."""

    ip: str = ""
    hostname: str = ""


class LoadBalancer(KubeStruct, frozen=True):
    """The addresses of an Ingress."""

    ingress: tuple[IngressAddress, ...] = ()


class IngressStatus(KubeStruct, frozen=True):
    """How an Ingress stands."""

    load_balancer: LoadBalancer = LoadBalancer()


class Ingress(Object, frozen=True):
    """networking.k8s.io/v1 Ingress."""

    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()
