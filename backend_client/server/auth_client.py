"""In and out of one server: ask who it is, log in, register, log out. The token goes to its store at once."""

import asyncio
import socket
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from backend_client.errors import BackendError, LoginNeeded
from backend_client.models.secret import Secret
from backend_client.server.accounts import Account, Accounts
from backend_client.server.connection import Connection
from backend_client.server.token_store import TokenStore, store_for_new, store_named

T = TypeVar("T")


class ServerInfo(Struct, frozen=True):
    """What a server says of itself to everybody (GET /api/server)."""

    name: str = ""
    version: str = ""
    registration: str = "closed"
    """open: everybody may register; closed: an admin makes the accounts."""
    setup: bool = False
    """True where nobody has an account yet, and the set-up code makes the first admin."""

    @property
    def is_open(self) -> bool:
        return self.registration == "open" or self.setup


class LoggedIn(Struct, frozen=True):
    """How a login ended."""

    account: Account
    role: str
    expires: datetime | None
    where: str
    """Where the token is kept, in words."""


class _Granted(Struct, frozen=True):
    """The answer to a login or a registration."""

    token: str
    user: str
    role: str = ""
    expires: datetime | None = None


class AuthClient:
    """One server, for somebody who wants in or out. `folder`: where accounts and tokens are kept.

    Every method may raise a BackendError; a password or a token is part of none.
    """

    def __init__(self, folder: Path, url: str, *, ca: str = "") -> None:
        self.folder = folder
        self.url = url
        self.ca = ca

    async def server_info(self) -> ServerInfo:
        """Who answers there, and whether it takes new people."""
        return await self._public("GET", "/api/server", ServerInfo)

    async def log_in(self, user: str, password: Secret) -> LoggedIn:
        """As somebody whom the server knows."""
        asked = {"user": user, "password": password.reveal(), "name": _here()}
        return await self._enter("/api/auth/login", asked)

    async def register(self, user: str, password: Secret, code: Secret | None = None) -> LoggedIn:
        """As somebody new; `code` makes the first admin of an empty server."""
        asked = {"user": user, "password": password.reveal(), "name": _here()}
        return await self._enter("/api/auth/register", asked | ({"code": code.reveal()} if code else {}))

    async def log_out(self, account: Account) -> BackendError | None:
        """Make the token invalid and forget it. Forgets it also where the server cannot be told: then why."""
        store = store_named(account.store, self.folder)
        token = await asyncio.to_thread(store.get, account.key)
        trouble = await self._revoke(token) if token else None
        await asyncio.to_thread(store.drop, account.key)
        Accounts(self.folder).keep(msgspec.structs.replace(account, store=""))
        return trouble

    async def _enter(self, path: str, asked: dict[str, str]) -> LoggedIn:
        """The store is proved first: a token that cannot be kept would be lost."""
        store = await asyncio.to_thread(store_for_new, self.folder)
        granted = await self._public("POST", path, _Granted, msgspec.json.encode(asked))
        token = Secret(granted.token)
        account = Account(name="", url=self.url, user=granted.user, ca=self.ca, store=store.kind)
        try:
            account = await asyncio.to_thread(self._keep, account, token, store)
        except BackendError:
            await self._revoke(token)
            raise
        return LoggedIn(account, granted.role, granted.expires, store.where)

    def _keep(self, account: Account, token: Secret, store: TokenStore) -> Account:
        accounts = Accounts(self.folder)
        old = accounts.find(account.url, account.user)
        store.put(account.key, token)
        kept = accounts.keep(account)
        if old and old.store not in ("", store.kind):
            store_named(old.store, self.folder).drop(account.key)
        return kept

    async def _revoke(self, token: Secret) -> BackendError | None:
        connection = Connection(self.url, lambda: token, ca=self.ca)
        try:
            await connection.request("POST", "/api/auth/logout")
        except LoginNeeded:
            return None  # it was invalid already
        except BackendError as error:
            return error
        finally:
            await connection.aclose()
        return None

    async def _public(self, method: str, path: str, answer: type[T], body: bytes = b"") -> T:
        connection = Connection(self.url, None, ca=self.ca)
        try:
            return connection.decode(await connection.request(method, path, body=body), answer)
        finally:
            await connection.aclose()


def _here() -> str:
    """What the token is called among one's others."""
    return f"traindeck on {socket.gethostname()}"[:64]
