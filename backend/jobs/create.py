"""A create: a row with a random key is committed first, then the cluster is asked, then the uid is written.

Whatever dies in between, row and objects find each other by the key (see reconcile.py). The same
Idempotency-Key of the same person is the same row, so a repeated request is the same create.
"""

import asyncio
import secrets as random
from collections.abc import Mapping

import msgspec
from msgspec import Struct
from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend import audit
from backend.auth.caller import Caller
from backend.clusters.cluster import Cluster
from backend.clusters.hub import Owner
from backend.db.models import Idempotency, JobRow, User
from backend.jobs import quotas
from backend.jobs.manifest_policy import ManifestPolicy
from backend.jobs.namespaces import home
from backend.jobs.rows import MAKING, job_of, now
from backend.jobs.service import JobService
from backend_client.errors import BackendError, Invalid, LoginNeeded, Unreachable
from backend_client.models import Job, JobSpec
from backend_client.models.fields import DEFAULTS, cross_field_errors
from backend_client.models.secret import Secret
from backend_client.multi_user import HALF_CREATED_HINT, MultiUserBackend, Ownership
from backend_client.protocol import Diagnostic, Plan

LIMIT_SECONDS = 40.0
"""For all requests of one create; one that takes longer is found again by the reconciler."""


class Order(Struct, frozen=True, kw_only=True):
    """One create, as it was asked for."""

    who: Caller
    spec: JobSpec
    secrets: Mapping[str, Secret]
    key: str = ""
    """Idempotency-Key; "" where none was sent."""
    body: bytes = b""


async def create(desk: JobService, order: Order) -> Job:
    """Make it, or find it made. Goes on when the client is gone. Raises a BackendError."""
    cluster = _cluster(desk, order.spec)
    row, fresh = await _book(desk, cluster, order)
    if not (fresh or row.uid or row.key in desk.making or desk.settled.is_set()):
        await desk.settled.wait()  # an earlier process has left this very create half done
        row, _ = await _book(desk, cluster, order)
    if row.uid:
        known = desk.hub.get(row.cluster, row.uid)
        return known.job if known else job_of(row, order.who.name)
    if row.key not in desk.making:
        task = asyncio.create_task(_make(desk, cluster, row, order))
        desk.making[row.key] = task
        task.add_done_callback(lambda _: desk.making.pop(row.key, None))
    return await asyncio.shield(desk.making[row.key])


async def plan(desk: JobService, who: Caller, spec: JobSpec) -> Plan:
    """What `create` would do; fields that it would refuse stand in `errors`. Raises a BackendError."""
    cluster = desk.clusters.resolve(spec.cluster)
    spec = msgspec.structs.replace(spec, cluster="")
    refused = cluster.refusals(spec)
    spec = msgspec.structs.replace(spec, **{name: getattr(DEFAULTS, name) for name in refused})
    _check_across(spec)
    async with desk.database.write() as session:
        user = await session.get_one(User, who.user_id)
        namespace = await namespace_for(session, desk, cluster, user)
    backend = stamped(desk, cluster, who.name, spec, namespace)
    async with cluster.gate.call():
        await _prepare(desk, cluster, who.name, namespace)
        found = await backend.plan(_placed(spec, namespace))
    notices = tuple(Diagnostic(name, why) for name, why in refused.items())
    return msgspec.structs.replace(found, errors=notices + found.errors)


def stamped(
    desk: JobService, cluster: Cluster, owner: str, spec: JobSpec, namespace: str
) -> MultiUserBackend:
    """The cluster for one person's one job."""
    rules = ManifestPolicy(desk.settings, desk.clusters.site, namespace, shared=bool(cluster.namespace))
    return cluster.backend.for_user(Ownership(desk.server_id, owner), rules.of(spec))


def _cluster(desk: JobService, spec: JobSpec) -> Cluster:
    """Where it goes. Raises Invalid, Refused."""
    cluster = desk.clusters.resolve(spec.cluster)
    cluster.check(msgspec.structs.replace(spec, cluster=""))
    _check_across(spec)
    return cluster


def _check_across(spec: JobSpec) -> None:
    """After what the cluster refuses anyway: that is the better answer. Raises Invalid."""
    if wrong := cross_field_errors(spec):
        raise Invalid(wrong)


async def _book(desk: JobService, cluster: Cluster, order: Order) -> tuple[JobRow, bool]:
    """The row, and whether it is new or that of the same Idempotency-Key. Raises Invalid, Refused."""
    async with desk.database.write() as session:
        user = await session.get_one(User, order.who.user_id, with_for_update=True)
        earlier = await _earlier(session, desk, order)
        if earlier:
            return earlier, False
        gpus = quotas.gpus_of(order.spec)
        await quotas.check(session, user, gpus, desk.settings)
        row = JobRow(
            key=random.token_hex(16),
            user_id=user.id,
            cluster=cluster.name,
            namespace=await namespace_for(session, desk, cluster, user),
            name=order.spec.name,
            kind=order.spec.kind,
            spec=msgspec.json.encode(order.spec).decode(),
            state=MAKING,
            gpus=gpus,
            created=now(),
        )
        session.add(row)
        await session.flush()
        if order.key:
            seen = desk.clusters.vault.digest(order.body)
            await session.merge(
                Idempotency(user_id=user.id, key=order.key, body_hash=seen, job_id=row.id, created=now())
            )
        return row, True


async def _earlier(session: AsyncSession, desk: JobService, order: Order) -> JobRow | None:
    seen = await session.get(Idempotency, (order.who.user_id, order.key)) if order.key else None
    if seen is None:
        return None
    if seen.body_hash != desk.clusters.vault.digest(order.body):
        raise Invalid({"Idempotency-Key": "was used for another request; take a new one"})
    row = await session.get(JobRow, seen.job_id) if seen.job_id else None
    return row if row and (row.uid or row.state == MAKING) else None


async def namespace_for(session: AsyncSession, desk: JobService, cluster: Cluster, user: User) -> str:
    """The one that a person's jobs go to; "" on a machine."""
    if not cluster.namespaces:
        return ""
    return cluster.namespace or await home(session, desk.server_id, user)


async def _make(desk: JobService, cluster: Cluster, row: JobRow, order: Order) -> Job:
    backend = stamped(desk, cluster, order.who.name, order.spec, row.namespace)
    try:
        async with cluster.gate.call(LIMIT_SECONDS):
            await _prepare(desk, cluster, order.who.name, row.namespace)
            job = await backend.create(_placed(order.spec, row.namespace), key=row.key, secrets=order.secrets)
    except (Unreachable, LoginNeeded):
        raise  # done or not: the same key, or the reconciler, finds out
    except BackendError as error:
        if error.hint != HALF_CREATED_HINT:
            await _forget(desk, row, order, error)
        raise
    async with desk.database.write() as session:
        await write_made(session, row.id, job)
        await audit.record(session, order.who, "create", job.name, cluster=cluster.name)
    desk.hub.claim(Owner(row.user_id, order.who.name), job)
    known = desk.hub.get(cluster.name, job.ref.uid)
    return known.job if known else job


async def write_made(session: AsyncSession, row_id: int, job: Job) -> None:
    """The job that a row stands for is there."""
    ref = job.ref
    made = {name: getattr(ref, name) for name in ("uid", "name", "namespace", "kind")}
    made |= {"state": job.state, "reason": job.reason, "finished": job.finished, "deleted": None}
    await session.execute(update(JobRow).where(JobRow.id == row_id, JobRow.uid.is_(None)).values(**made))


async def _forget(desk: JobService, row: JobRow, order: Order, error: BackendError) -> None:
    """It was refused, and nothing was made: as if it had never been asked for, but for the audit."""
    async with desk.database.write() as session:
        await session.execute(delete(Idempotency).where(Idempotency.job_id == row.id))
        await session.execute(delete(JobRow).where(JobRow.id == row.id, JobRow.uid.is_(None)))
        words = f"refused: {error.title}"
        await audit.record(session, order.who, "create", order.spec.name, cluster=row.cluster, result=words)


def _placed(spec: JobSpec, namespace: str) -> JobSpec:
    """As the cluster takes it."""
    return msgspec.structs.replace(spec, namespace=namespace, cluster="")


async def _prepare(desk: JobService, cluster: Cluster, owner: str, namespace: str) -> None:
    """See to it that the person's own namespace is there; once is enough."""
    if namespace and not cluster.namespace and namespace not in cluster.prepared:
        await cluster.backend.ensure_namespace(namespace, Ownership(desk.server_id, owner))
        cluster.prepared.add(namespace)
