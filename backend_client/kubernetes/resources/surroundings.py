"""More Kubernetes objects: what stands around a job (events, nodes, Service, Ingress, quota, Kueue)."""

from datetime import datetime

from msgspec import Struct, field

from backend_client.kubernetes.resources.core import Condition, KubeStruct, Object, Reference


class ObjectReference(KubeStruct, frozen=True):
    """What an event is about."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class EventSource(KubeStruct, frozen=True):
    """Who told it."""

    component: str = ""
    host: str = ""


class EventSeries(KubeStruct, frozen=True):
    """An event that goes on happening."""

    count: int = 0
    last_observed_time: datetime | None = None


class KubeEvent(Object, frozen=True):
    """v1 Event; `Event` is the word for what a person sees (`models.Event`)."""

    involved_object: ObjectReference = ObjectReference()
    reason: str = ""
    message: str = ""
    type: str = "Normal"
    count: int = 0
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None
    series: EventSeries | None = None
    source: EventSource = EventSource()
    reporting_component: str = ""

    @property
    def time(self) -> datetime | None:
        """When it last happened: new and old writers fill different fields."""
        again = self.series.last_observed_time if self.series else None
        return again or self.last_timestamp or self.event_time or self.metadata.creation_timestamp

    @property
    def times(self) -> int:
        """How often it happened."""
        return max(1, self.count, self.series.count if self.series else 0)


class Taint(KubeStruct, frozen=True):
    """What a pod must tolerate to run on a node."""

    key: str = ""
    value: str = ""
    effect: str = ""


class NodeSpec(KubeStruct, frozen=True):
    """What an administrator said about a node."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(KubeStruct, frozen=True):
    """What a node offers. With DRA its allocatable may not tell the truth about GPUs."""

    allocatable: dict[str, str] = field(default_factory=dict)
    capacity: dict[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()


class Node(Object, frozen=True):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


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


class ScopeExpression(KubeStruct, frozen=True):
    """One term of a quota's scopeSelector."""

    scope_name: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class ScopeSelector(KubeStruct, frozen=True):
    """Which pods a quota counts."""

    match_expressions: tuple[ScopeExpression, ...] = ()


class QuotaSpec(KubeStruct, frozen=True):
    """What a quota allows, and for which pods; with no scope, for all."""

    hard: dict[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = ()
    scope_selector: ScopeSelector | None = None


class QuotaStatus(KubeStruct, frozen=True):
    """What a quota allows and what is used of it."""

    hard: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)


class ResourceQuota(Object, frozen=True):
    """v1 ResourceQuota."""

    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()


class RuntimeClass(Object, frozen=True):
    """node.k8s.io/v1 RuntimeClass."""

    handler: str = ""


class PodSet(KubeStruct, frozen=True):
    """Pods of one shape in a Workload."""

    name: str = ""
    count: int = 0


class WorkloadSpec(KubeStruct, frozen=True):
    """What Kueue was asked for."""

    queue_name: str = ""
    active: bool = True
    priority: int = 0
    priority_class_ref: Reference = Reference()
    pod_sets: tuple[PodSet, ...] = ()


class Requeue(KubeStruct, frozen=True):
    """When Kueue tries again."""

    count: int = 0
    requeue_at: datetime | None = None


class Admission(KubeStruct, frozen=True):
    """Where Kueue has put it."""

    cluster_queue: str = ""


class WorkloadStatus(KubeStruct, frozen=True):
    """How a Workload stands. With StrictFIFO one not looked at yet may have no condition at all."""

    conditions: tuple[Condition, ...] = ()
    requeue_state: Requeue | None = None
    admission: Admission | None = None


class Workload(Object, frozen=True):
    """kueue.x-k8s.io Workload (v1beta1 and v1beta2)."""

    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class Cause(Struct, frozen=True, gc=False):
    """One reason in a Status: for a 422 the field and what is wrong with it."""

    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(KubeStruct, frozen=True):
    """What a Status is about."""

    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""
    causes: tuple[Cause, ...] = ()
    retry_after_seconds: int = 0


class Status(KubeStruct, frozen=True):
    """metav1.Status: how the API server says no."""

    status: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails = StatusDetails()
