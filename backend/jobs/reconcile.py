"""Reconcile rows and objects, at the start and every 30 s.

The cluster knows what runs, the row whose it is. They are joined by uid; before a row has one, by its random
key, which the objects carry beside the server's id.

| row | objects | what is done |
|---|---|---|
| being made, and nobody is at work on it | whole | adopted: the row gets the uid |
| the same | held: parts may be missing, nothing runs | the row gets the uid, and both are deleted |
| the same | none | the row ends as Failed: it never came to be |
| ended without a uid | any (a request was still on its way) | the row gets the uid, and both are deleted |
| with a uid, being deleted | any | the deletion goes on |
| with a uid | none with this uid | removed behind the server's back: the row says so |
| none | with this server's id | never touched; counted for /readyz |

So only objects whose uid stands in a row are ever deleted. A cluster that does not answer is left for the
next round. Rows younger than `patience` may be at work in another process of this server, and are let alone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import delete, select, update

from backend.clusters.circuit_breaker import SERVER
from backend.clusters.cluster import Cluster
from backend.clusters.hub import Owner
from backend.db.models import Idempotency, JobRow, User
from backend.jobs.lifecycle import deleted_values, start_deletion
from backend.jobs.rows import CREATING, REMOVED, WAITING, job_of, now, ref_of
from backend.jobs.service import JobService, log
from backend_client.errors import BackendError, NotFound, fragment
from backend_client.models import JobState
from backend_client.multi_user import CreatedJob

EVERY_SECONDS = 30.0
PATIENCE = timedelta(seconds=90)
"""Longer than any create takes."""
_LATE_OBJECTS = timedelta(days=2)
"""How long after its end a row without a uid is still looked for."""
_IDEMPOTENCY_LIFE = timedelta(hours=24)

Rows = Sequence[tuple[JobRow, str]]


async def run_forever(service: JobService) -> None:
    """Reconcile for ever. One process alone (SQLite) knows at its start that nobody else is at work."""
    patience = timedelta() if service.database.sqlite else PATIENCE
    while True:
        try:
            await reconcile_once(service, patience)
        except BackendError as error:
            log.warning("not reconciled: %s", fragment(error.title))
        service.reconciled.set()
        patience = PATIENCE
        await asyncio.sleep(EVERY_SECONDS)


async def reconcile_once(service: JobService, patience: timedelta = PATIENCE) -> None:
    """Reconcile all clusters once, at the same time. Raises Unreachable where the database is away."""
    async with service.database.write() as session:
        await session.execute(delete(Idempotency).where(Idempotency.created < now() - _IDEMPOTENCY_LIFE))
    await asyncio.gather(*(_reconcile_cluster(service, cluster, patience) for cluster in service.clusters))


async def _reconcile_cluster(service: JobService, cluster: Cluster, patience: timedelta) -> None:
    rows = await _unsettled_rows(service, cluster.name)  # before the objects: what they then lack is gone
    for row, _ in rows:
        if row.uid and row.deleting:
            start_deletion(service, row.id, ref_of(row))
    try:
        async with cluster.breaker.call(SERVER):
            created = await cluster.backend.list_created(service.server_id)
    except BackendError as error:
        log.warning("%s is not reconciled: %s", cluster.name, fragment(error.title))
        return
    listed = {job.ref.uid for job in created.values()}
    for row, owner in rows:
        if row.uid is None:
            await _reconcile_unfinished(service, row, owner, created.get(row.key), patience)
        elif not row.deleting and row.uid not in listed:
            await _confirm_removed(service, cluster, row)
    service.orphans[cluster.name] = await _count_orphans(service, created)


async def _unsettled_rows(service: JobService, cluster: str) -> Rows:
    """Return rows that may have objects: live, or without a uid and not long over; the hub gets them all."""
    unsettled = JobRow.deleted.is_(None) | (JobRow.uid.is_(None) & (JobRow.deleted > now() - _LATE_OBJECTS))
    query = select(JobRow, User.name).join(User, User.id == JobRow.user_id)
    async with service.database.read() as session:
        rows = (await session.execute(query.where(JobRow.cluster == cluster, unsettled))).all()
    for row, owner in rows:
        if row.uid and not service.hub.is_claimed(cluster, row.uid):
            service.hub.claim(Owner(row.user_id, owner), job_of(row, owner))  # created by another process
    return rows


async def _reconcile_unfinished(
    service: JobService, row: JobRow, owner: str, created: CreatedJob | None, patience: timedelta
) -> None:
    """Reconcile a row without a uid: adopt its objects, delete them, or let the row fail (see the table)."""
    if row.key in service.creates:
        return
    making = row.state == CREATING
    if created and making and not created.held:
        await _adopt(service, row, owner, created, keep=True)
    elif making and row.created > now() - patience:
        return
    elif created:
        await _adopt(service, row, owner, created, keep=False)
    elif making:
        await _write(
            service, row, {"state": JobState.FAILED, "reason": "it never came to be", **deleted_values()}
        )


async def _adopt(service: JobService, row: JobRow, owner: str, created: CreatedJob, *, keep: bool) -> None:
    """Write the objects' uid to their row, in one commit with whether they are kept or deleted."""
    ref = created.ref
    identity = {"uid": ref.uid, "name": ref.name, "namespace": ref.namespace, "kind": ref.kind}
    adopted: dict[str, object] = {"state": JobState.PENDING}
    removed: dict[str, object] = {
        "state": JobState.FAILED,
        "reason": "the server stopped before it was whole",
        "deleting": now(),
        "deleted": None,
    }
    await _write(service, row, identity | (adopted if keep else removed))
    if keep:
        service.hub.claim(Owner(row.user_id, owner), msgspec.structs.replace(job_of(row, owner), ref=ref))
    else:
        start_deletion(service, row.id, ref)


async def _confirm_removed(service: JobService, cluster: Cluster, row: JobRow) -> None:
    """Ask for a job that the list did not have by itself, and mark its row deleted if it is not found."""
    ref = ref_of(row)
    try:
        async with cluster.breaker.call(SERVER):
            await cluster.backend.get(ref)
    except NotFound:
        reason = "" if row.state in WAITING else row.reason
        await _write(service, row, {"reason": reason or REMOVED, **deleted_values()})
        service.hub.release(ref.context, ref.uid)
    except BackendError:
        return


async def _write(service: JobService, row: JobRow, values: Mapping[str, object]) -> None:
    """Write values to a row, unless its uid has changed. A row that fails frees its Idempotency-Key."""
    same = JobRow.uid.is_(None) if row.uid is None else JobRow.uid == row.uid
    async with service.database.write() as session:
        if values.get("state") == JobState.FAILED:
            await session.execute(delete(Idempotency).where(Idempotency.job_id == row.id))
        await session.execute(update(JobRow).where(JobRow.id == row.id, same).values(**values))


async def _count_orphans(service: JobService, created: Mapping[str, CreatedJob]) -> int:
    """Count the objects that no row has; queried after the objects were listed, since rows come first."""
    async with service.database.read() as session:
        known = set(await session.scalars(select(JobRow.key).where(JobRow.key.in_(created))))
    return len(created.keys() - known)
