"""Kueue's types in the newest version that a cluster serves, and lists of its objects."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from backend_client.errors import NotFound, Unreachable
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.kueue import KUEUE, KUEUE_VISIBILITY, VERSIONS
from backend_client.kubernetes.resources.resource_types import ResourceType, T
from backend_client.kubernetes.watch.listing import served_version
from backend_client.kubernetes.watch.lists import list_all

if TYPE_CHECKING:
    from backend_client.kubernetes.resources.queue_types import QueueTypes, VisibilityTypes


async def queue_types(transport: Transport) -> "QueueTypes | None":
    """Return the types that the cluster serves; None without Kueue."""
    from backend_client.kubernetes.resources.queue_types import queue_types_of  # noqa: PLC0415  a list needs none

    version = await served_version(transport, KUEUE)
    return queue_types_of(version) if version else None


async def visibility_types(transport: Transport) -> "VisibilityTypes | None":
    """Return the types of the visibility API; None where the cluster serves none, or Kueue is down."""
    from backend_client.kubernetes.resources.queue_types import VisibilityTypes  # noqa: PLC0415  as above

    try:
        version = await served_version(transport, KUEUE_VISIBILITY)
    except Unreachable:  # it is Kueue that answers there, not the API server
        return None
    return VisibilityTypes(version) if version else None


class KueueLists:
    """Lists Kueue's objects of one cluster in one request each, once it has found out their version."""

    def __init__(self) -> None:
        """Know no version yet."""
        self._version = ""

    async def list(
        self,
        transport: Transport,
        type_of: "Callable[[QueueTypes], ResourceType[T]]",
        namespace: str = "",
        *,
        labels: str = "",
    ) -> tuple[T, ...]:
        """List objects of one of the types. Raises NotFound where the cluster has no Kueue."""
        from backend_client.kubernetes.resources.queue_types import queue_types_of  # noqa: PLC0415  as above

        for version in dict.fromkeys((*filter(None, (self._version,)), *VERSIONS)):
            kind = type_of(queue_types_of(version))
            try:
                found = await list_all(transport, kind, namespace, labels=labels, in_pages=False)
            except NotFound:
                continue
            self._version = version
            return found
        raise NotFound("This cluster has no Kueue.")
