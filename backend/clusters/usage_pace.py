"""How often the clusters' watches read what jobs use: often while somebody looks, else for alerts alone."""

import asyncio
from collections.abc import Iterable

from backend.clusters.cluster import Cluster
from backend.clusters.hub import Hub

LOOKED_AT_SECONDS = 30.0
UNSEEN_SECONDS = 300.0
CHECK_SECONDS = 15.0
"""How often is looked whether somebody still looks."""


def usage_seconds(hub: Hub) -> float:
    """Return the seconds between two readings now."""
    return LOOKED_AT_SECONDS if hub.is_looked_at else UNSEEN_SECONDS


async def pace_forever(hub: Hub, clusters: Iterable[Cluster]) -> None:
    """Set the pace of all clusters whenever somebody begins to look or the last one has left."""
    while True:
        seconds = usage_seconds(hub)
        for cluster in clusters:
            cluster.backend.set_usage_interval(seconds)
        if hub.is_looked_at:
            await asyncio.sleep(CHECK_SECONDS)
        else:
            await hub.wait_for_look()
