"""Which job a bridge leads into, after it was asked whether this caller may."""

from msgspec import Struct

from backend.auth.caller import Caller
from backend.authorization import Action
from backend.clusters.cluster import Cluster
from backend.jobs.lifecycle import authorized_row
from backend.jobs.rows import JobSelector, ref_of
from backend.jobs.service import JobService
from backend_client.errors import Refused, sentence
from backend_client.models import JobRef
from backend_client.protocol import Feature

OPENING_SECONDS = 30.0
"""Seconds that a cluster has to open a bridge's other end."""
_REFUSED = {
    Feature.EXEC: "No command can be run in the job {}.",
    Feature.PORTS: "The ports of the job {} cannot be reached.",
}


class Target(Struct, frozen=True):
    """A rank of a job in its cluster."""

    cluster: Cluster
    ref: JobRef
    rank: int
    pod: str
    """The newest one of the rank, as far as it is known."""

    def __str__(self) -> str:
        return f"{self.ref.name} rank {self.rank}{f' ({self.pod})' if self.pod else ''}"


async def find_target(  # noqa: PLR0917  what the route was asked, in its order
    service: JobService, caller: Caller, name: str, selector: JobSelector, rank: int, feature: Feature
) -> Target:
    """Return the job that a caller may get into. Raises NotFound, Forbidden, Conflict; Refused without it."""
    row, cluster = await authorized_row(service, caller, Action.EXEC, name, selector)
    if why := cluster.lacks.get(feature):
        raise Refused(_REFUSED[feature].format(name), sentence(why))
    ref = ref_of(row)
    cached = service.hub.get(row.cluster, ref.uid)
    attempts = cached.job.attempts if cached else ()
    pods = [attempt.pod for attempt in attempts if attempt.rank == rank and not attempt.finished]
    return Target(cluster, ref, rank, pods[-1] if pods else "")
