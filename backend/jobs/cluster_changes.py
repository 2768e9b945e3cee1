"""Clusters that an admin registers and forgets, with their line in the audit log."""

from backend.audit import record
from backend.auth.caller import Caller
from backend.clusters.registration import ClusterRegistration, check_registration
from backend.db.models import Cluster as ClusterRow
from backend.jobs.service import JobService


async def add_cluster(service: JobService, admin: Caller, registration: ClusterRegistration) -> ClusterRow:
    """Register a cluster, which must answer; of one that is registered already, a new login.

    Raises Invalid, Refused, Conflict, Unreachable.
    """
    check_registration(registration)
    await service.clusters.probe(registration)
    async with service.database.write() as session:
        row = await service.clusters.register(session, registration)
        await record(session, admin, "add cluster", registration.server, cluster=registration.name)
    await service.clusters.connect(row)
    return row


async def remove_cluster(service: JobService, admin: Caller, name: str) -> None:
    """Forget a cluster in which no jobs are. Raises NotFound, Refused, Conflict."""
    async with service.database.write() as session:
        await service.clusters.unregister(session, name)
        await record(session, admin, "remove cluster", name, cluster=name)
    await service.clusters.disconnect(name)
