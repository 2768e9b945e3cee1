"""What a person can write into a field: names of their own namespace, and what this server lets through."""

from collections.abc import Sequence

from backend.auth.caller import Caller
from backend.db.models import User
from backend.jobs.create import namespace_for
from backend.jobs.service import JobService
from backend_client.protocol import Choice, Use


async def chosen(desk: JobService, who: Caller, field: str, cluster_name: str) -> Sequence[Choice]:
    """As `JobBackend.choices` of the cluster that a job of theirs goes to. Raises a BackendError."""
    if field == "cluster":
        return [Choice(cluster.name) for cluster in desk.clusters]
    cluster = desk.clusters.resolve(cluster_name)
    if field not in cluster.fields or cluster.fields[field].use is Use.REFUSED:
        return ()
    if field == "priority":
        return [Choice(name) for name in desk.settings.priorities]
    async with desk.database.write() as session:
        user = await session.get_one(User, who.user_id)
        namespace = await namespace_for(session, desk, cluster, user)
    async with cluster.gate.call():
        return await cluster.backend.choices(field, namespace=namespace)
