"""Choices for a form field: names of objects in the cluster, out of their metadata, never their values."""

from collections.abc import Sequence

from backend_client.errors import NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources import core as o
from backend_client.kubernetes.resources.resource_types import CLAIMS, PRIORITY_CLASSES, SECRETS, ResourceType
from backend_client.kubernetes.watch.listing import list_all, served_workload_types
from backend_client.protocol import Choice

NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_SYSTEM = "system-"
"""Prefix of the priority classes of the cluster's own pods."""


async def choices(transport: Transport, field: str, namespace: str) -> Sequence[Choice]:
    """Return the choices for a field, by name; none for other fields. Raises a BackendError."""
    match field:
        case "queue":
            queue_types = [
                ResourceType(kind.api, "LocalQueue", "localqueues", o.Object)
                for kind in await served_workload_types(transport)
            ]
            return [Choice(name) for kind in queue_types for name in await _names(transport, kind, namespace)]
        case "priority":
            classes = await _names(transport, PRIORITY_CLASSES)
            return [Choice(name) for name in classes if not name.startswith(_SYSTEM)]
        case "volumes":
            claims = await _names(transport, CLAIMS, namespace)
            return [Choice(f"{name}:/{name}", f"the claim {name}") for name in claims]
        case "image_pull_secrets":
            registry_logins = "type=kubernetes.io/dockerconfigjson"
            return [
                Choice(name) for name in await _names(transport, SECRETS, namespace, fields=registry_logins)
            ]
    return ()


async def _names(
    transport: Transport, resource_type: ResourceType[o.Object], namespace: str = "", *, fields: str = ""
) -> Sequence[str]:
    try:
        objects = await list_all(transport, resource_type, namespace, fields=fields, accept=NAMES_ONLY)
    except NotFound:  # the cluster has no such kind
        return ()
    return sorted(item.name for item in objects)
