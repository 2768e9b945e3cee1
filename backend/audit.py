"""The audit log: who did what to which object, from where. Each line's digest covers the line before.

The database itself refuses to change or remove a line. `record` belongs at the end of a transaction: it holds
the end of the chain until the commit.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.auth.caller import Caller
from backend.db.models import AuditRow, Meta

MAX_LENGTH = 200
HEAD_KEY = "audit_head"
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    """Return a text as one short line, control characters escaped: a name cannot forge a line of a log."""
    text = text.encode("utf-8", "backslashreplace").decode()
    text = _CONTROL_CHARACTERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


async def record(
    session: AsyncSession,
    caller: Caller,
    verb: str,
    object: str = "",  # noqa: A002  the field's name
    *,
    cluster: str = "",
    result: str = "done",
) -> None:
    """Add a line to the audit log, as part of the session's transaction."""
    head = await session.get(Meta, HEAD_KEY, with_for_update=True)
    row = AuditRow(
        time=datetime.now(UTC),
        user=one_line(caller.name),
        verb=verb,
        object=one_line(object),
        cluster=one_line(cluster),
        result=one_line(result),
        address=one_line(caller.address),
        request_id=one_line(caller.request_id),
    )
    before = head.value if head else ""
    row.digest = chain_digest(before, row)
    if head:
        head.value = row.digest
    session.add(row)
    await session.flush()


def chain_digest(before: str, row: AuditRow) -> str:
    """Return the digest (SHA-256, hex) of a line that follows the line with the digest `before`."""
    parts = (row.time, row.user, row.verb, row.object, row.cluster, row.result, row.address, row.request_id)
    return hashlib.sha256(before.encode() + msgspec.json.encode(parts)).hexdigest()


async def first_broken_line(session: AsyncSession) -> int:
    """Return the id of the first line whose digest does not follow from the lines before it.

    -1 where the end of the log is missing, 0 where the log is whole.
    """
    before = ""
    for row in await session.scalars(select(AuditRow).order_by(AuditRow.id)):
        if row.digest != chain_digest(before, row):
            return row.id
        before = row.digest
    head = await session.get(Meta, HEAD_KEY)
    return 0 if head and head.value == before else -1


async def list_lines(session: AsyncSession, before: int = 0, limit: int = 100) -> Sequence[AuditRow]:
    """Return lines of the audit log, newest first: the newest, or those older than the line `before`."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    return [*await session.scalars(query.where(AuditRow.id < before) if before else query)]
