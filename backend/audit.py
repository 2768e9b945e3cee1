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

LONGEST = 200
HEAD = "audit_head"
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """One short line, whatever it was: a name cannot begin a line of its own in anybody's log."""
    text = text.encode("utf-8", "backslashreplace").decode()
    text = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


async def record(
    session: AsyncSession,
    who: Caller,
    verb: str,
    object: str = "",  # noqa: A002  the field's name
    *,
    cluster: str = "",
    result: str = "done",
) -> None:
    """Add one line, as part of this transaction."""
    head = await session.get(Meta, HEAD, with_for_update=True)
    row = AuditRow(
        time=datetime.now(UTC),
        user=plain(who.name),
        verb=verb,
        object=plain(object),
        cluster=plain(cluster),
        result=plain(result),
        address=plain(who.address),
        request_id=plain(who.request_id),
    )
    before = head.value if head else ""
    row.digest = chained(before, row)
    if head:
        head.value = row.digest
    session.add(row)
    await session.flush()


def chained(before: str, row: AuditRow) -> str:
    """The digest of a line behind the line with the digest `before`."""
    parts = (row.time, row.user, row.verb, row.object, row.cluster, row.result, row.address, row.request_id)
    return hashlib.sha256(before.encode() + msgspec.json.encode(parts)).hexdigest()


async def broken(session: AsyncSession) -> int:
    """The id of the first line that does not follow from those before it; -1 where the end is missing;
    0 where all is whole."""
    before = ""
    for row in await session.scalars(select(AuditRow).order_by(AuditRow.id)):
        if row.digest != chained(before, row):
            return row.id
        before = row.digest
    head = await session.get(Meta, HEAD)
    return 0 if head and head.value == before else -1


async def lines(session: AsyncSession, before: int = 0, limit: int = 100) -> Sequence[AuditRow]:
    """The newest lines, or those older than the line `before`; newest first."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    return [*await session.scalars(query.where(AuditRow.id < before) if before else query)]
