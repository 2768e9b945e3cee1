"""The namespace of one person's jobs, which a traindeck server creates in a cluster."""

from collections.abc import Mapping
from typing import Any

import msgspec

from backend_client.errors import BackendError, Conflict, Forbidden, Invalid, Refused, fragment
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


NODE_FOLDERS = {
    "pod-security.kubernetes.io/enforce": "privileged",
    "pod-security.kubernetes.io/warn": "privileged",
}
"""Of a person who mounts a node's folder, which `baseline` refuses; the server checks each pod by itself."""


async def ensure_namespace(
    transport: Transport, namespace: str, ownership: Ownership, *, node_folders: bool
) -> None:
    """Create a namespace where it is missing, labelled as this server's; `node_folders`: for pods with some.

    Raises Refused where it is somebody else's, or the server may not create it.
    """
    security = SECURITY | NODE_FOLDERS if node_folders else SECURITY
    metadata = {
        "name": namespace,
        "labels": security | {labels.SERVER: ownership.server},
        "annotations": {labels.OWNER: ownership.owner},
    }
    found = await _labels(transport, namespace)
    if found.get(labels.SERVER) != ownership.server:
        await _create(transport, metadata, ownership)
        found = await _labels(transport, namespace) or security
    if node_folders and any(found.get(name) != level for name, level in NODE_FOLDERS.items()):
        await _allow_node_folders(transport, namespace)


async def _create(transport: Transport, metadata: Mapping[str, Any], ownership: Ownership) -> None:
    namespace = metadata["name"]
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    try:
        await transport.request("POST", NAMESPACES.path(), body=msgspec.json.encode(body))
    except Conflict:
        if (await _labels(transport, namespace)).get(labels.SERVER) != ownership.server:
            raise Refused(f"The namespace {namespace} is there, and not this server's.") from None
    except (Forbidden, Invalid, Refused) as error:
        hint = "An admin of the server can give it one namespace for all: TRAINDECK_SERVER_NAMESPACE"
        if metadata["labels"].items() >= NODE_FOLDERS.items():
            raise _no_node_folders(error) from None
        raise Refused(f"The server may not make namespaces: {fragment(error.title)}.", hint) from None


async def _allow_node_folders(transport: Transport, namespace: str) -> None:
    """Relabel a person's namespace, the first time that a job of theirs mounts a node's folder."""
    body = msgspec.json.encode({"metadata": {"labels": NODE_FOLDERS}})
    path = NAMESPACES.path(name=namespace)
    try:
        await transport.request("PATCH", path, body=body, content_type="application/merge-patch+json")
    except (Forbidden, Invalid, Refused) as error:
        raise _no_node_folders(error) from None


def _no_node_folders(error: BackendError) -> Refused:
    words = "this cluster does not let the server's account mount folders of its nodes"
    hint = "An admin of the cluster can: deploy/kubernetes/account.yaml says how."
    return Refused(f"volumes: {words} ({fragment(error.title)})", hint, fields={"volumes": words})


async def _labels(transport: Transport, namespace: str) -> Mapping[str, str]:
    """Read the labels of a namespace: none where it is not there, or may not be read."""
    answer = await transport.request("GET", NAMESPACES.path(name=namespace), allow=(403, 404))
    return NAMESPACES.decode_object(answer.body).metadata.labels if answer.status == 200 else {}
