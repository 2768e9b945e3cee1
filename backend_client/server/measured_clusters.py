"""The clusters of a server, with where figures of what their jobs use come from. No start needs them."""

from msgspec import Struct

from backend_client.server.bodies import ClusterInfo
from backend_client.usage import UsageSource


class MeasuredCluster(ClusterInfo, frozen=True, kw_only=True):
    """One cluster of GET /api/clusters."""

    usage: tuple[UsageSource, ...] | None = None
    """Where figures of what its jobs use come from, or why they do not; None unless that was asked for.
    Empty for a machine while no job runs there: then nobody is asked."""


class MeasuredClusters(Struct, frozen=True):
    """The answer of GET /api/clusters; who asks for no usage reads it as `bodies.Clusters`."""

    items: tuple[MeasuredCluster, ...]
