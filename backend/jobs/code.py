"""The code of jobs: which bytes a spec names, and the bytes that a job was made with.

A person's spec names code that they have sent, or that a job of their own has. Whether somebody else has
sent the same cannot be told.
"""

from collections.abc import AsyncIterator
from contextlib import suppress

from msgspec.structs import replace
from sqlalchemy import select

from backend.auth.caller import Caller
from backend.authorization import Action, require
from backend.db.models import JobRow
from backend.jobs.code_store import NoRoom
from backend.jobs.rows import JobSelector, find_row, live_jobs, ref_of, spec_of
from backend.jobs.service import JobService
from backend_client.code_bundle import Bundle, HasCode, digest
from backend_client.errors import BackendError, Invalid, NotFound
from backend_client.models import JobSpec
from backend_client.models.code import PACKED, Code, is_packed
from backend_client.multi_user import MultiUserBackend
from backend_client.text.figures import bytes_text

_TRIED = 3
"""Jobs of a person that are asked for code that is not kept."""


async def facts_for(service: JobService, person: int, spec: JobSpec) -> Bundle | None:
    """Return the code that a person's spec names, without its bytes, for a plan; None where it names none.

    Raises Invalid where it is not here.
    """
    if not spec.code:
        return None
    code = await service.code.look(person, _hash(spec))
    return _told(Bundle(code, b"")) if code else await bundle_for(service, person, spec)


async def bundle_for(service: JobService, person: int, spec: JobSpec) -> Bundle | None:
    """Return the code that a person's spec names; None where it names none. Raises Invalid."""
    if not spec.code:
        return None
    found = await service.code.load(person, _hash(spec)) or await _from_own_job(service, person, spec)
    if found is None:
        raise Invalid({"code": "this server has no such code of yours (any more); name a folder"})
    return _told(found)


async def hand_over(backend: MultiUserBackend, bundle: Bundle | None) -> None:
    """Let a backend have the code that the plan or create to come names."""
    if bundle and isinstance(backend, HasCode):
        await backend.keep_code(bundle)


async def code_of_job(service: JobService, caller: Caller, name: str, selector: JobSelector) -> bytes:
    """Return the packed code that a job was made with: what is kept, else what its cluster has.

    Raises NotFound where it was made without, or its code is gone with it; Forbidden to who only looks on.
    """
    async with service.database.read() as session:
        row, _ = await find_row(session, caller, name, selector, deleted=True)
    require(caller, Action.CODE, row.user_id, name)
    spec = spec_of(row)
    if not is_packed(spec.code):
        raise NotFound(f"There is no code of {row.name}: it was made without.")
    if kept := await service.code.load(row.user_id, _hash(spec)):
        return kept.data
    if row.deleted:
        raise NotFound(f"The code of {row.name} is gone with it.")
    return await _read(service, row, caller.user_id)


async def _from_own_job(service: JobService, person: int, spec: JobSpec) -> Bundle | None:
    """Read code from a job of the person that has it, and keep it again."""
    query = select(JobRow).where(JobRow.user_id == person, live_jobs(), JobRow.spec.contains(spec.code))
    async with service.database.read() as session:
        rows = [*await session.scalars(query.order_by(JobRow.id.desc()).limit(_TRIED))]
    for row in rows:
        try:
            data = await _read(service, row, person)
        except BackendError:
            continue
        if digest(data) == _hash(spec):
            cached = service.hub.get(row.cluster, row.uid or "")
            code = (cached and cached.job.code) or Code(sha256=_hash(spec))
            with suppress(NoRoom):
                await service.code.save(person, code, _pieces(data), len(data))
            return Bundle(replace(code, size=len(data)), data)
    return None


async def _read(service: JobService, row: JobRow, person: int) -> bytes:
    """Read a job's code from its cluster, for a person. Raises a BackendError."""
    cluster = service.clusters.get(row.cluster)
    if not isinstance(cluster.backend, HasCode):
        raise NotFound(f"There is no code of {row.name}.")
    async with cluster.breaker.call(person):
        return await cluster.backend.code_of(ref_of(row))


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _told(bundle: Bundle) -> Bundle:
    """Return code with what is said of it."""
    files = "1 file" if bundle.code.files == 1 else f"{bundle.code.files:,} files"
    return replace(bundle, about=f"{files}, {bytes_text(bundle.code.size)} packed")


def _hash(spec: JobSpec) -> str:
    """Return the hash that a spec names. Raises Invalid for a folder."""
    if not is_packed(spec.code):
        raise Invalid({"code": "a folder is packed and sent by traindeck itself; a newer one does: --code ."})
    return spec.code.removeprefix(PACKED)
