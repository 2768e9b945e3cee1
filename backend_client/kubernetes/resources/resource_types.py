"""The resource types that are read: their paths in the API and the decoders of their JSON."""

from functools import cached_property
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from backend_client.kubernetes.resources import core as o
from backend_client.kubernetes.resources.events import KubeEvent
from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.resources.networking import Ingress
from backend_client.kubernetes.resources.nodes import Node
from backend_client.kubernetes.resources.quota import ResourceQuota
from backend_client.kubernetes.resources.status import Status
from backend_client.kubernetes.resources.workloads import Deployment, KubeJob

T = TypeVar("T", bound=o.Object)
D = TypeVar("D")


class ListMeta(o.KubeStruct, frozen=True):
    """metav1.ListMeta; `continue_token` asks for the next page."""

    resource_version: str = ""
    continue_token: str = msgspec.field(default="", name="continue")


class ObjectList(o.KubeStruct, Generic[T], frozen=True):
    """One page of a list."""

    metadata: ListMeta = ListMeta()
    items: tuple[T, ...] = ()


class RawWatchEvent(Struct, frozen=True, gc=False):
    """One event of a watch, its object not decoded yet."""

    type: str
    """ADDED, MODIFIED, DELETED, BOOKMARK or ERROR."""
    object: msgspec.Raw


class ResourceType(Generic[T]):
    """A type of object: its kind and resource in the API, and its decoders."""

    def __init__(self, api: str, kind: str, plural: str, type_: type[T], *, namespaced: bool = True) -> None:
        self.api = api
        """"/api/v1", or "/apis/GROUP/VERSION"."""
        self.kind = kind
        """As manifests and owner references write it: Pod, Job."""
        self.plural = plural
        self.type = type_
        self.namespaced = namespaced

    def __repr__(self) -> str:
        return f"ResourceType({self.resource})"

    # Made when first used: a list reads few of the types that a start names.
    @cached_property
    def _object_decoder(self) -> "msgspec.json.Decoder[T]":
        return msgspec.json.Decoder(self.type)

    @cached_property
    def _page_decoder(self) -> "msgspec.json.Decoder[ObjectList[T]]":
        return msgspec.json.Decoder(ObjectList[self.type])  # type: ignore[name-defined]

    @property
    def group(self) -> str:
        """The API group; "" is the core group."""
        return self.api.split("/")[2] if self.api.startswith("/apis/") else ""

    @property
    def resource(self) -> str:
        """The resource as people and RBAC write it: pods, jobs.batch."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of an object, of a namespace's collection, or (namespace "") of all namespaces."""
        scope = f"/namespaces/{quote(namespace, '')}" if namespace and self.namespaced else ""
        return "/".join(
            part for part in (f"{self.api}{scope}/{self.plural}", quote(name, ""), subresource) if part
        )

    def decode_object(self, body: bytes | msgspec.Raw) -> T:
        """Decode one object. Raises msgspec.DecodeError, which says what was wrong with it."""
        return decode(self._object_decoder, body)

    def decode_page(self, body: bytes) -> ObjectList[T]:
        """Decode one page of a list. Raises msgspec.DecodeError."""
        return decode(self._page_decoder, body)


def decode(decoder: "msgspec.json.Decoder[D]", body: bytes | msgspec.Raw) -> D:
    """Decode typed JSON; a null counts as an absent field, as in Go's decoder.

    Raises msgspec.DecodeError (malformed), or its child ValidationError (a field of another type).
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        return msgspec.convert(without_nulls(msgspec.json.decode(body)), decoder.type)


def without_nulls(value: Any) -> Any:
    """Return JSON without its nulls."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value if item is not None]
    return value


decode_watch_event = msgspec.json.Decoder(RawWatchEvent)
decode_bookmark = msgspec.json.Decoder(o.Object)
decode_status = msgspec.json.Decoder(Status)

PODS = ResourceType("/api/v1", "Pod", "pods", o.Pod)
EVENTS = ResourceType("/api/v1", "Event", "events", KubeEvent)
NODES = ResourceType("/api/v1", "Node", "nodes", Node, namespaced=False)
NAMESPACES = ResourceType("/api/v1", "Namespace", "namespaces", o.Object, namespaced=False)
SERVICES = ResourceType("/api/v1", "Service", "services", o.Object)
SECRETS = ResourceType("/api/v1", "Secret", "secrets", o.Object)
QUOTAS = ResourceType("/api/v1", "ResourceQuota", "resourcequotas", ResourceQuota)
CLAIMS = ResourceType("/api/v1", "PersistentVolumeClaim", "persistentvolumeclaims", o.Object)
JOBS = ResourceType("/apis/batch/v1", "Job", "jobs", KubeJob)
DEPLOYMENTS = ResourceType("/apis/apps/v1", "Deployment", "deployments", Deployment)
INGRESSES = ResourceType("/apis/networking.k8s.io/v1", "Ingress", "ingresses", Ingress)
RUNTIME_CLASSES = ResourceType(
    "/apis/node.k8s.io/v1", "RuntimeClass", "runtimeclasses", o.Object, namespaced=False
)
PRIORITY_CLASSES = ResourceType(
    "/apis/scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", o.Object, namespaced=False
)

ROOT_TYPES: dict[str, ResourceType[Any]] = {"job": JOBS, "deployment": DEPLOYMENTS, "pod": PODS}
"""`JobRef.kind` -> the type of the root object that such a job is."""
CREATED_KINDS = ("job", "deployment")
"""The kinds of job that traindeck creates; a bare pod is always somebody else's."""


def kueue_workloads(version: str) -> ResourceType[Workload]:
    """Return the type of Kueue's Workloads in a version: v1beta1 or v1beta2."""
    return ResourceType(f"/apis/kueue.x-k8s.io/{version}", "Workload", "workloads", Workload)
