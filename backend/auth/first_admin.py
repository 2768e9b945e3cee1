"""The first admin: by a one-time code on the server's own terminal, or by the environment."""

import asyncio
import base64
import contextlib
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import Request
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.auth.caller import Role
from backend.auth.tokens import digest
from backend.auth.users import add_user
from backend.db.models import Meta, User
from backend.runtime import Runtime
from backend_client.errors import Forbidden, Unreachable

CODE = "setup_code"
FILE = "setup-code"
LIFE = timedelta(hours=1)
PUBLIC_PATHS = frozenset({"/livez", "/readyz", "/api/server", "/api/auth/register"})
"""What answers on a server without an admin."""


async def require_first_admin(request: Request) -> None:
    """The dependency of all routes. Raises Unreachable while there is no admin."""
    runtime: Runtime = request.app.state.runtime
    if request.url.path not in PUBLIC_PATHS and not await is_set_up(runtime):
        raise Unreachable(
            "This server has no admin yet.",
            "Log in with the set-up code that stands on its terminal: traindeck register",
            retry_after=5,
        )


async def is_set_up(runtime: Runtime) -> bool:
    """Whether there is an admin; once true, always."""
    if not runtime.first_admin.is_set():
        async with runtime.database.read() as session:
            if await session.scalar(select(exists().where(User.role == Role.ADMIN))):
                runtime.first_admin.set()
    return runtime.first_admin.is_set()


async def create_from_settings(runtime: Runtime) -> None:
    """Make the admin that the environment names, where there is none."""
    settings = runtime.settings
    if await is_set_up(runtime) or not settings.admin_user:
        return
    hashed = await runtime.passwords.hash_new(settings.admin_password.get_secret_value(), settings.admin_user)
    async with runtime.database.write() as session:
        await session.get(Meta, "server_id", with_for_update=True)  # of several servers, one makes it
        if not await session.scalar(select(exists().where(User.role == Role.ADMIN))):
            await add_user(session, settings.admin_user, hashed, Role.ADMIN)


async def offer_setup_code(runtime: Runtime, announce: Callable[[str], None]) -> None:
    """Show a set-up code, and a new one each hour, until there is an admin."""
    file = runtime.settings.folder / FILE
    while not await is_set_up(runtime):
        code = base64.b32encode(secrets.token_bytes(15)).decode()
        async with runtime.database.write() as session:
            await session.merge(Meta(key=CODE, value=f"{digest(code)} {datetime.now(UTC).isoformat()}"))
        _keep(file, code)
        announce(f"No admin yet. Set-up code, good for one hour: {code}\n(also in {file})")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(runtime.first_admin.wait(), LIFE.total_seconds())
    _drop(file)


async def redeem_setup_code(session: AsyncSession, code: str) -> None:
    """Use up the code, in the transaction that makes the admin. Raises Forbidden."""
    row = await session.get(Meta, CODE, with_for_update=True)
    stored, _, made = row.value.partition(" ") if row else ("", "", "")
    right = secrets.compare_digest(stored, digest(code.strip().upper()))
    if not row or not right or datetime.now(UTC) - datetime.fromisoformat(made) > LIFE:
        raise Forbidden(
            "This set-up code does not hold: it is wrong, used, or older than an hour.",
            "The newest one stands on the server's terminal, while it has no admin.",
        )
    await session.delete(row)


def _keep(file: Path, code: str) -> None:
    _drop(file)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(code + "\n")


def _drop(file: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        file.unlink()
