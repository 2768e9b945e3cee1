"""Choices for a field of a JobSpec: names in the user's own namespace, and what the settings allow."""

from collections.abc import Sequence

from backend.auth.caller import Caller
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
    async with service.database.write() as session:
        user = await session.get_one(User, caller.user_id)
        namespace = await namespace_for(session, service, cluster, user)
    async with cluster.breaker.call():
        return await cluster.backend.choices(field, namespace=namespace)
