"""Create a job: its row, with a random key, is committed first, then its objects, then the uid in the row.

Whatever dies in between, row and objects find each other by the key (see reconcile.py). The same
Idempotency-Key of the same user is the same row, so a repeated request is the same create.
"""

import asyncio
import contextlib
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
from backend.jobs import code, quotas
from backend.jobs.manifest_policy import ManifestPolicy, mounts_node_folders
from backend.jobs.namespaces import user_namespace
from backend.jobs.rows import CREATING, job_of, now
from backend.jobs.service import JobService
from backend_client.errors import BackendError, Conflict, Invalid, LoginNeeded, Refused, Unreachable, fragment
from backend_client.models import Job, JobSpec
from backend_client.models.fields import DEFAULTS, cross_field_errors
from backend_client.models.secret import Secret
from backend_client.multi_user import HALF_CREATED_HINT, MultiUserBackend, Ownership
from backend_client.protocol import Diagnostic, Plan

LIMIT_SECONDS = 40.0
"""For all requests of one create together; one that takes longer is found again by the reconciler."""

_NAME_TAKEN = "is taken in the namespace that all share; choose another"


class CreateRequest(Struct, frozen=True, kw_only=True):
    """The request for one create."""

    caller: Caller
    spec: JobSpec
    secrets: Mapping[str, Secret]
    idempotency_key: str = ""
    """Idempotency-Key; "" where none was sent."""
    body: bytes = b""


async def create(service: JobService, request: CreateRequest) -> Job:
    """Create a job, or find that of the same request. Continues without its client. Raises a BackendError."""
    cluster = _resolve_cluster(service, request.spec)
    row, is_new = await _insert_row(service, cluster, request)
    if not (is_new or row.uid or row.key in service.creates or service.reconciled.is_set()):
        await service.reconciled.wait()  # an earlier process has left this very create half done
        row, _ = await _insert_row(service, cluster, request)
    if row.uid:
        cached = service.hub.get(row.cluster, row.uid)
        return cached.job if cached else job_of(row, request.caller.name)
    if row.key not in service.creates:
        task = asyncio.create_task(_create(service, cluster, row, request))
        service.creates[row.key] = task
        task.add_done_callback(lambda _: service.creates.pop(row.key, None))
    return await asyncio.shield(service.creates[row.key])


async def plan(service: JobService, caller: Caller, spec: JobSpec) -> Plan:
    """Return what `create` would do; fields that it would refuse stand in `errors`. Raises a BackendError."""
    cluster = service.clusters.resolve(spec.cluster)
    spec = msgspec.structs.replace(spec, cluster="")
    refused = cluster.refused_fields(spec)
    spec = msgspec.structs.replace(spec, **{name: getattr(DEFAULTS, name) for name in refused})
    _check_cross_fields(spec)
    async with service.database.write() as session:
        user = await session.get_one(User, caller.user_id)
        namespace = await namespace_for(session, service, cluster, user)
        exceeded = await quotas.violations(session, user, spec, service.settings, cluster.unknown_fields)
    try:
        bundle, no_code = await code.facts_for(service, caller.user_id, spec), {}
    except Invalid as error:
        bundle, no_code, spec = None, error.fields, msgspec.structs.replace(spec, code="")
    backend = user_backend(service, cluster, caller.name, spec, namespace)
    async with cluster.breaker.call(caller.user_id):
        await code.hand_over(backend, bundle)
        await _ensure_namespace(service, cluster, caller.name, namespace, spec)
        shared = await _not_theirs(cluster, spec, namespace, caller.name)
        planned = await backend.plan(_for_cluster(spec, namespace))
    diagnostics = tuple(
        Diagnostic(name, fragment(why))
        for name, why in (*refused.items(), *exceeded.items(), *no_code.items(), *shared.items())
    )
    found = map(_with_neutral_name, planned.errors) if cluster.namespace else planned.errors
    return msgspec.structs.replace(planned, errors=(*diagnostics, *found))


def user_backend(
    service: JobService, cluster: Cluster, owner: str, spec: JobSpec, namespace: str
) -> MultiUserBackend:
    """Return the backend of a cluster for one job of a user: it marks the owner and checks the manifests."""
    policy = ManifestPolicy(
        service.settings, service.clusters.kubernetes, namespace, shared=bool(cluster.namespace)
    )
    return cluster.backend.for_user(Ownership(service.server_id, owner), policy.check_for(spec))


def _resolve_cluster(service: JobService, spec: JobSpec) -> Cluster:
    """Return the cluster that a spec goes to, its fields checked. Raises Invalid, Refused."""
    cluster = service.clusters.resolve(spec.cluster)
    cluster.check_fields(msgspec.structs.replace(spec, cluster=""))
    _check_cross_fields(spec)
    return cluster


def _check_cross_fields(spec: JobSpec) -> None:
    """Check the fields against each other, after those that the cluster refuses anyway. Raises Invalid."""
    if wrong := cross_field_errors(spec):
        raise Invalid(wrong)


async def _insert_row(service: JobService, cluster: Cluster, request: CreateRequest) -> tuple[JobRow, bool]:
    """Insert the row of a job; return it, and False where it is that of the same Idempotency-Key.

    Raises Invalid, Refused.
    """
    async with service.database.write() as session:
        user = await session.get_one(User, request.caller.user_id, with_for_update=True)
        earlier = await find_earlier(session, service, request)
        if earlier:
            return earlier, False
        await quotas.check(session, user, request.spec, service.settings, cluster.unknown_fields)
        row = JobRow(
            key=random.token_hex(16),
            user_id=user.id,
            cluster=cluster.name,
            namespace=await namespace_for(session, service, cluster, user),
            name=request.spec.name,
            kind=request.spec.kind,
            spec=msgspec.json.encode(request.spec).decode(),
            state=CREATING,
            alerted_state=CREATING,
            **msgspec.structs.asdict(quotas.demand_of(request.spec)),
            created=now(),
        )
        session.add(row)
        await session.flush()
        if request.idempotency_key:
            digest = service.clusters.vault.digest(request.body)
            await session.merge(
                Idempotency(
                    user_id=user.id,
                    key=request.idempotency_key,
                    body_hash=digest,
                    job_id=row.id,
                    created=now(),
                )
            )
        return row, True


async def find_earlier(session: AsyncSession, service: JobService, request: CreateRequest) -> JobRow | None:
    """Return the row that the same request has made already. Raises Invalid where its key had another."""
    if not request.idempotency_key:
        return None
    earlier = await session.get(Idempotency, (request.caller.user_id, request.idempotency_key))
    if earlier is None:
        return None
    if earlier.body_hash != service.clusters.vault.digest(request.body):
        raise Invalid({"Idempotency-Key": "was used for another request; take a new one"})
    row = await session.get(JobRow, earlier.job_id) if earlier.job_id else None
    return row if row and (row.uid or row.state == CREATING) else None


async def namespace_for(session: AsyncSession, service: JobService, cluster: Cluster, user: User) -> str:
    """Return the namespace that a user's jobs go to; "" on a machine."""
    if not cluster.has_namespaces:
        return ""
    return cluster.namespace or await user_namespace(session, service.server_id, user)


async def _create(service: JobService, cluster: Cluster, row: JobRow, request: CreateRequest) -> Job:
    try:
        async with service.code_turns if request.spec.code else contextlib.nullcontext():
            job = await _create_objects(service, cluster, row, request)
    except (Unreachable, LoginNeeded):
        raise  # done or not: the same key, or the reconciler, finds out
    except BackendError as error:
        if error.hint == HALF_CREATED_HINT:
            raise
        await _remove_row(service, row, request, error)
        if cluster.namespace and isinstance(error, Conflict) and "name" in error.fields:
            raise Conflict(f"name: {_NAME_TAKEN}.", fields={"name": _NAME_TAKEN}) from None
        raise
    async with service.database.write() as session:
        await _write_created(session, row.id, job)
        await audit.record(session, request.caller, "create", job.name, cluster=cluster.name)
    service.hub.claim(Owner(row.user_id, request.caller.name), job)
    cached = service.hub.get(cluster.name, job.ref.uid)
    return cached.job if cached else job


async def _create_objects(service: JobService, cluster: Cluster, row: JobRow, request: CreateRequest) -> Job:
    owner, spec = request.caller.name, request.spec
    backend = user_backend(service, cluster, owner, spec, row.namespace)
    bundle = await code.bundle_for(service, row.user_id, spec)
    async with cluster.breaker.call(row.user_id, LIMIT_SECONDS):
        await code.hand_over(backend, bundle)
        await _ensure_namespace(service, cluster, owner, row.namespace, spec)
        if wrong := await _not_theirs(cluster, spec, row.namespace, owner):
            raise Refused("; ".join(map(": ".join, wrong.items())), fields=wrong)
        return await backend.create(_for_cluster(spec, row.namespace), key=row.key, secrets=request.secrets)


async def _write_created(session: AsyncSession, row_id: int, job: Job) -> None:
    """Write the created job into its row, unless the reconciler has done so."""
    ref = job.ref
    values = {name: getattr(ref, name) for name in ("uid", "name", "namespace", "kind")}
    values |= {"state": job.state, "reason": job.reason, "finished": job.finished, "deleted": None}
    await session.execute(update(JobRow).where(JobRow.id == row_id, JobRow.uid.is_(None)).values(**values))


async def _remove_row(service: JobService, row: JobRow, request: CreateRequest, error: BackendError) -> None:
    """Remove the row of a create that was refused before anything was created; the audit log keeps it."""
    async with service.database.write() as session:
        await session.execute(delete(Idempotency).where(Idempotency.job_id == row.id))
        await session.execute(delete(JobRow).where(JobRow.id == row.id, JobRow.uid.is_(None)))
        result = f"refused: {fragment(error.title)}"
        await audit.record(
            session, request.caller, "create", request.spec.name, cluster=row.cluster, result=result
        )


def _for_cluster(spec: JobSpec, namespace: str) -> JobSpec:
    """Return a spec as its cluster takes it: with the namespace, without the cluster."""
    return msgspec.structs.replace(spec, namespace=namespace, cluster="")


async def _ensure_namespace(
    service: JobService, cluster: Cluster, owner: str, namespace: str, spec: JobSpec
) -> None:
    """Create the user's own namespace where it is missing, and let it take the job; once for each cluster."""
    node_folders = mounts_node_folders(spec, service.settings)
    ensured = namespace, node_folders
    if namespace and not cluster.namespace and ensured not in cluster.ensured_namespaces:
        ownership = Ownership(service.server_id, owner)
        await cluster.backend.ensure_namespace(namespace, ownership, node_folders=node_folders)
        cluster.ensured_namespaces.add(ensured)


def _with_neutral_name(diagnostic: Diagnostic) -> Diagnostic:
    """Say the same of a name that is taken whoever has it: in a namespace of all it may be anybody's job."""
    taken = diagnostic.message.startswith("there is a ") or "is being deleted" in diagnostic.message
    return Diagnostic("name", _NAME_TAKEN) if diagnostic.field == "name" and taken else diagnostic


async def _not_theirs(cluster: Cluster, spec: JobSpec, namespace: str, owner: str) -> Mapping[str, str]:
    """Return field -> why, for claims and pull secrets of a namespace of all that are another person's."""
    return await cluster.backend.not_theirs(spec, namespace, owner) if cluster.namespace else {}
