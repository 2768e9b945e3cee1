"""The first admin: by a one-time code on the server's own terminal, or by the environment."""

import asyncio
import base64
import contextlib
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi.requests import HTTPConnection
from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.auth.passwords import Passwords
from backend.auth.tokens import digest
from backend.auth.users import add_user, check_user_name
from backend.db.engine import Database
from backend.db.models import Meta, User
from backend.settings import PREFIX, ServerSettings
from backend_client.errors import Forbidden, Invalid, Unreachable
from backend_client.server.roles import Role

CODE = "setup_code"
FILE = "setup-code"
LIFE = timedelta(hours=1)
PUBLIC_PATHS = frozenset({"/livez", "/readyz", "/api/server", "/api/auth/register", "/register"})
"""Paths that answer on a server without an admin; so do the files of pages."""
_FILES = "/static/"
_ANY_ADMIN = select(exists().where(User.role == Role.ADMIN))


class NoAdmin(Unreachable):
    """The server has no admin yet: nothing works but to become that."""

    def __init__(self) -> None:
        super().__init__(
            "This server has no admin yet.",
            "Log in with the set-up code that stands on its terminal: traindeck register",
            retry_after=5,
        )


class FirstAdmin:
    """Whether a server has an admin, and how it comes to its first one."""

    def __init__(self, settings: ServerSettings, database: Database, passwords: Passwords) -> None:
        self._settings = settings
        self._database = database
        self._passwords = passwords
        self._exists = asyncio.Event()
        """Set once there is an admin; never cleared."""

    async def exists(self) -> bool:
        """Tell whether there is an admin; once true, always."""
        if not self._exists.is_set():
            async with self._database.read() as session:
                if await session.scalar(_ANY_ADMIN):
                    self._exists.set()
        return self._exists.is_set()

    def set_exists(self) -> None:
        """Note that the admin was just made: the set-up code is offered no longer."""
        self._exists.set()

    async def create_from_settings(self) -> None:
        """Make the admin that the environment names, where there is none. Raises Invalid."""
        name, password = self._settings.admin_user, self._settings.admin_password
        if await self.exists() or not name:
            return
        try:
            check_user_name(name)
            hashed = await self._passwords.hash_new(password.get_secret_value(), name)
        except Invalid as error:
            found = {f"{PREFIX}ADMIN_{field.upper()}": why for field, why in error.fields.items()}
            raise Invalid(
                found, hint="They make the first admin; without both, a set-up code does."
            ) from None
        async with self._database.write() as session:
            await session.get(Meta, "server_id", with_for_update=True)  # of several servers, one makes it
            if not await session.scalar(_ANY_ADMIN):
                await add_user(session, name, hashed, Role.ADMIN)

    async def offer_setup_code(self, announce: Callable[[str], None]) -> None:
        """Show a set-up code, and a new one each hour, until there is an admin."""
        file = self._settings.folder / FILE
        while not await self.exists():
            code = base64.b32encode(secrets.token_bytes(15)).decode()
            async with self._database.write() as session:
                await session.merge(Meta(key=CODE, value=f"{digest(code)} {datetime.now(UTC).isoformat()}"))
            _write(file, code)
            announce(f"No admin yet. Set-up code, good for one hour: {code}\n(also in {file})")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._exists.wait(), LIFE.total_seconds())
        _remove(file)


async def require_first_admin(request: HTTPConnection) -> None:
    """Let no request but the public ones pass before there is an admin. Raises NoAdmin."""
    first_admin: FirstAdmin = request.app.state.runtime.first_admin
    path = request.url.path
    if path not in PUBLIC_PATHS and not path.startswith(_FILES) and not await first_admin.exists():
        raise NoAdmin


async def redeem_setup_code(session: AsyncSession, code: str) -> None:
    """Use up the code, in the transaction that makes the admin. Raises Forbidden."""
    row = await session.get(Meta, CODE, with_for_update=True)
    stored, _, created = row.value.partition(" ") if row else ("", "", "")
    right = secrets.compare_digest(stored, digest(code.strip().upper()))
    if not row or not right or datetime.now(UTC) - datetime.fromisoformat(created) > LIFE:
        raise Forbidden(
            "This set-up code does not hold: it is wrong, used, or older than an hour.",
            "The newest one stands on the server's terminal, while it has no admin.",
        )
    await session.delete(row)


def _write(file: Path, code: str) -> None:
    _remove(file)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as out:
        out.write(code + "\n")


def _remove(file: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        file.unlink()
