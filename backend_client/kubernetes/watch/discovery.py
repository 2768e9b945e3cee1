"""Discovery: which versions of which API groups a cluster serves.

Source: kubernetes.io/docs/concepts/overview/kubernetes-api, "Discovery API"; the form that every API
server has.
"""

import msgspec

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.core import KubeStruct
from backend_client.kubernetes.resources.resource_types import decode


class _GroupVersion(KubeStruct, frozen=True):
    group_version: str = ""


class _Group(KubeStruct, frozen=True):
    versions: tuple[_GroupVersion, ...] = ()


class _Groups(KubeStruct, frozen=True):
    groups: tuple[_Group, ...] = ()


_GROUPS = msgspec.json.Decoder(_Groups)


async def served_versions(transport: Transport) -> frozenset[str]:
    """Return all that is served, as GROUP/VERSION; nothing where that may not be asked.

    Raises a BackendError where the cluster does not answer.
    """
    answer = await transport.request("GET", "/apis", allow=range(400, 500))
    groups = decode(_GROUPS, answer.body).groups if answer.status < 400 else ()
    return frozenset(version.group_version for group in groups for version in group.versions)
