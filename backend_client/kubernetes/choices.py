"""Choices for a form field: names of objects in the cluster, out of their metadata, never their values."""

from collections.abc import Callable, Sequence

from backend_client.errors import NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.queue.choices import queue_choices, queue_priority_choices
from backend_client.kubernetes.resources import core as o
from backend_client.kubernetes.resources.resource_types import (
    CLAIMS,
    NAMESPACES,
    PRIORITY_CLASSES,
    SECRETS,
    ResourceType,
)
from backend_client.kubernetes.watch.lists import NAMES_ONLY, list_all
from backend_client.protocol import Choice

_SYSTEM = "system-"
"""Prefix of the priority classes of the cluster's own pods."""


OWNED = ("volumes", "image_pull_secrets")
"""Fields whose choices are somebody's, where many people share a namespace."""


async def choices(
    transport: Transport, field: str, namespace: str, chosen: Callable[[o.Object], bool] = lambda _: True
) -> Sequence[Choice]:
    """Return the choices for a field, by name; none for other fields. Raises a BackendError.

    Of the `OWNED` ones, those that are `chosen`.
    """
    match field:
        case "queue":
            return await queue_choices(transport, namespace)
        case "queue_priority":
            return await queue_priority_choices(transport)
        case "priority":
            classes = await _names(transport, PRIORITY_CLASSES)
            return [Choice(name) for name in classes if not name.startswith(_SYSTEM)]
        case "volumes":
            claims = await _names(transport, CLAIMS, namespace, chosen=chosen)
            return [Choice(f"{name}:/{name}", f"the claim {name}") for name in claims]
        case "image_pull_secrets":
            registry_logins = "type=kubernetes.io/dockerconfigjson"
            names = await _names(transport, SECRETS, namespace, fields=registry_logins, chosen=chosen)
            return [Choice(name) for name in names]
    return ()


async def list_namespaces(transport: Transport) -> Sequence[str]:
    """List the namespaces by name. Raises a BackendError: Forbidden where the caller may not."""
    return await _names(transport, NAMESPACES)


async def _names(
    transport: Transport,
    resource_type: ResourceType[o.Object],
    namespace: str = "",
    *,
    fields: str = "",
    chosen: Callable[[o.Object], bool] = lambda _: True,
) -> Sequence[str]:
    try:
        objects = await list_all(transport, resource_type, namespace, fields=fields, accept=NAMES_ONLY)
    except NotFound:  # the cluster has no such kind
        return ()
    return sorted(item.name for item in objects if chosen(item))
