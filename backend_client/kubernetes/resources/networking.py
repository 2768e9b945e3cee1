"""networking.k8s.io/v1 Ingresses: only the addresses that they answer at."""

from backend_client.kubernetes.resources.core import KubeStruct, Object


class IngressAddress(KubeStruct, frozen=True):
    """An address that an Ingress answers at."""

    ip: str = ""
    hostname: str = ""


class LoadBalancer(KubeStruct, frozen=True):
    """The addresses of an Ingress."""

    ingress: tuple[IngressAddress, ...] = ()


class IngressStatus(KubeStruct, frozen=True):
    """The status of an Ingress."""

    load_balancer: LoadBalancer = LoadBalancer()


class Ingress(Object, frozen=True):
    """networking.k8s.io/v1 Ingress."""

    status: IngressStatus = IngressStatus()
