"""Services, and networking.k8s.io/v1 Ingresses."""

from backend_client.kubernetes.resources.core import KubeStruct, Object


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

    status: IngressStatus = IngressStatus()
