"""The namespace of one person's jobs, which a traindeck server creates in a cluster."""

import msgspec

from backend_client.errors import Conflict, Forbidden, Refused, fragment
from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import NAMESPACES
from backend_client.multi_user import Ownership

SECURITY = {
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/enforce-version": "v1.31",
    "pod-security.kubernetes.io/warn": "baseline",
}
"""GPU images often need root, so not `restricted`; pinned, so that the cluster's upgrade changes nothing."""


async def ensure_namespace(transport: Transport, namespace: str, ownership: Ownership) -> None:
    """Create a namespace where it is missing, labelled as this server's.

    Raises Refused where it is somebody else's, or the server may not create it.
    """
    metadata = {
        "name": namespace,
        "labels": SECURITY | {labels.SERVER: ownership.server},
        "annotations": {labels.OWNER: ownership.owner},
    }
    if await _owner(transport, namespace) == ownership.server:
        return
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    try:
        await transport.request("POST", NAMESPACES.path(), body=msgspec.json.encode(body))
    except Conflict:
        if await _owner(transport, namespace) != ownership.server:
            raise Refused(f"The namespace {namespace} is there, and not this server's.") from None
    except Forbidden as error:
        hint = "An admin of the server can give it one namespace for all: TRAINDECK_SERVER_NAMESPACE"
        raise Refused(f"The server may not make namespaces: {fragment(error.title)}.", hint) from None


async def _owner(transport: Transport, namespace: str) -> str:
    """Read which server created a namespace: its id; "" where none did, or there is no such namespace."""
    answer = await transport.request("GET", NAMESPACES.path(name=namespace), allow=(403, 404))
    return (
        NAMESPACES.decode_object(answer.body).metadata.labels.get(labels.SERVER, "")
        if answer.status == 200
        else ""
    )
