"""Choices for a form field: names of objects in the cluster, never the values of a Secret."""

from collections.abc import Callable, Mapping, Sequence

from backend_client.errors import NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.queue.choices import queue_choices, queue_priority_choices
from backend_client.kubernetes.resources import core as o
from backend_client.kubernetes.resources.resource_types import (
    NAMESPACES,
    PRIORITY_CLASSES,
    SECRETS,
    ResourceType,
)
from backend_client.kubernetes.resources.volumes import VOLUME_CLAIMS, Claim
from backend_client.kubernetes.watch.lists import NAMES_ONLY, list_all
from backend_client.models.datasets import Datasets
from backend_client.protocol import Choice
from backend_client.text.figures import bytes_text

_SYSTEM = "system-"
"""Prefix of the priority classes of the cluster's own pods."""
_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
"""Access mode -> as kubectl abbreviates it."""

OF_CLAIMS = ("volumes", "outputs")
"""Fields whose choices are claims."""
OWNED = (*OF_CLAIMS, "image_pull_secrets")
"""Fields whose choices are somebody's, where many people share a namespace."""


async def choices(
    transport: Transport, field: str, namespace: str, chosen: Callable[[o.Object], bool] = lambda _: True
) -> Sequence[Choice]:
    """Return the choices for a field, by name; none for other fields. Raises a BackendError.

    Of the `OWNED` ones, those that are `chosen`. Those that are claims: `claim_choices`.
    """
    match field:
        case "queue":
            return await queue_choices(transport, namespace)
        case "queue_priority":
            return await queue_priority_choices(transport)
        case "priority":
            classes = await _names(transport, PRIORITY_CLASSES)
            return [Choice(name) for name in classes if not name.startswith(_SYSTEM)]
        case "image_pull_secrets":
            registry_logins = "type=kubernetes.io/dockerconfigjson"
            names = await _names(transport, SECRETS, namespace, fields=registry_logins, chosen=chosen)
            return [Choice(name) for name in names]
    return ()


async def claims(
    transport: Transport, namespace: str, chosen: Callable[[o.Object], bool] = lambda _: True
) -> Sequence[Claim]:
    """List the claims of a namespace by name, those that are `chosen`. Raises a BackendError."""
    found = await list_all(transport, VOLUME_CLAIMS, namespace)
    return sorted(filter(chosen, found), key=lambda claim: claim.name)


def claim_choices(
    field: str, found: Sequence[Claim], free: Mapping[str, int], datasets: Datasets
) -> Sequence[Choice]:
    """Return the choices for a field `OF_CLAIMS`: datasets first. `free`: claim -> bytes, where known."""
    if field == "outputs":
        writable = (claim for claim in found if claim.is_writable)
        return [Choice(claim.name, _about_claim(claim, free.get(claim.name))) for claim in writable]
    sets = [
        Choice(f"~{name}", f"dataset, read-only at {dataset.path}")
        for name, dataset in sorted(datasets.items())
    ]
    return [
        *sets,
        *(Choice(f"{each.name}:/{each.name}", _about_claim(each, free.get(each.name))) for each in found),
    ]


def _about_claim(claim: Claim, free: int | None) -> str:
    """Describe a claim: "100Gi RWX, 42 GiB free"; what nobody tells is unknown, and not 0."""
    modes = " ".join(_MODES.get(mode, mode) for mode in claim.spec.access_modes)
    what = f"{claim.size or 'unknown size'} {modes}".strip()
    if claim.metadata.deletion_timestamp:
        return f"{what}, is being deleted"
    if claim.status.phase != "Bound":
        return f"{what}, not bound to a volume ({claim.status.phase or 'unknown'})"
    return f"{what}, {f'{bytes_text(free)} free' if free is not None else 'free space unknown'}"


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
