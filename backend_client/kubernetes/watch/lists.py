"""Lists of one type of object, in pages."""

import contextlib

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.errors import Expired
from backend_client.kubernetes.api.transport import JSON, Transport
from backend_client.kubernetes.resources.resource_types import ResourceType, T
from backend_client.kubernetes.watch.reflector import LIST_SECONDS, PAGE

NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Accepted instead of whole objects: their metadata alone."""


async def list_all(
    transport: Transport,
    resource_type: ResourceType[T],
    namespace: str = "",
    *,
    labels: str = "",
    fields: str = "",
    accept: str = JSON,
    in_pages: bool = True,
) -> tuple[T, ...]:
    """List all objects of a type, in pages; from the start in one piece where a page expired.

    `in_pages` False: in one request, whatever its size. Raises a BackendError.
    """
    items: tuple[T, ...] = ()
    limit = str(PAGE) if in_pages else ""
    parameters = {"labelSelector": labels, "fieldSelector": fields, "limit": limit, "continue": ""}
    path = resource_type.path(namespace)
    while True:
        query = {key: value for key, value in parameters.items() if value}
        try:
            response = await transport.request("GET", path, query=query, timeout=LIST_SECONDS, accept=accept)
        except Expired:
            if not parameters["continue"]:
                raise
            items = ()
            parameters |= {"limit": "", "continue": ""}
            continue
        page = resource_type.decode_page(response.body)
        items += page.items
        if not page.metadata.continue_token:
            return items
        parameters["continue"] = page.metadata.continue_token


async def list_if_allowed(
    transport: Transport,
    resource_type: ResourceType[T],
    namespace: str = "",
    *,
    labels: str = "",
    fields: str = "",
) -> tuple[T, ...]:
    """List as `list_all`; nothing where the caller may not, or the cluster has no such type."""
    with contextlib.suppress(Forbidden, NotFound):
        return await list_all(transport, resource_type, namespace, labels=labels, fields=fields)
    return ()
