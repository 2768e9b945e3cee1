"""Choices for a field of a JobSpec: names in the user's own namespace, and what the settings allow."""

from collections.abc import Sequence

from backend.auth.caller import Caller
from backend.clusters.cluster import Cluster
from backend.db.models import User
from backend.jobs.create import namespace_for
from backend.jobs.service import JobService
from backend_client.protocol import Choice, Use


async def choices_for(service: JobService, caller: Caller, field: str, cluster_name: str) -> Sequence[Choice]:
    """Return the choices for a field of a caller's job in its cluster. Raises a BackendError."""
    if field == "cluster":
        return [Choice(cluster.name) for cluster in service.clusters]
    cluster = service.clusters.resolve(cluster_name)
    if field not in cluster.fields or cluster.fields[field].use is Use.REFUSED:
        return ()
    if field == "priority":
        return [Choice(name) for name in service.settings.priorities]
    if field == "queue_priority":
        return await _queue_priorities(service, caller, cluster)
    async with service.database.write() as session:
        user = await session.get_one(User, caller.user_id)
        namespace = await namespace_for(session, service, cluster, user)
    async with cluster.breaker.call(caller.user_id):
        if cluster.namespace:
            return await cluster.backend.choices_of(field, namespace, caller.name)
        return await cluster.backend.choices(field, namespace=namespace)


async def _queue_priorities(service: JobService, caller: Caller, cluster: Cluster) -> Sequence[Choice]:
    """Return the priorities in a queue that the settings allow, as the cluster describes them."""
    async with cluster.breaker.call(caller.user_id):
        described = {choice.value: choice for choice in await cluster.backend.choices("queue_priority")}
    return [described.get(name, Choice(name)) for name in service.settings.queue_priorities]
