"""The namespace of a user's jobs: derived from the name, and never another user's or the system's.

A slug alone would let `a.lice`, `a-lice` and `a_lice` meet, and reach kube-system; so a hash of the whole
name and of the server is part of it (KubeSpawner, "Templated fields", its safe slugs; docs/FACTS.md,
"Server").
"""

import hashlib

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db.models import User
from backend_client.errors import Conflict
from backend_client.models.names import slugify

PREFIX = "td"
_SLUG, _HASH = 40, 10


def namespace_of(server_id: str, name_key: str) -> str:
    """Derive the namespace of a user: a DNS-1123 label, td-SLUG-HASH, at most 54 characters."""
    digest = hashlib.sha256(f"{server_id}\0{name_key}".encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    return "-".join(part for part in (PREFIX, slugify(name_key)[:_SLUG].strip("-"), digest) if part)


async def user_namespace(session: AsyncSession, server_id: str, user: User) -> str:
    """Return the user's own namespace, stored at the first call. Raises Conflict."""
    if not user.namespace:
        derived = namespace_of(server_id, user.name_key)
        if await session.scalar(select(User.id).where(User.namespace == derived, User.id != user.id)):
            raise Conflict(f"The namespace {derived} is another person's.", "Tell the server's admin.")
        user.namespace = derived
    return user.namespace
