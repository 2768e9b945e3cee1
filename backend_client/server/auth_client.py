"""AuthClient: log in, register and log out at a server. The token goes to its store at once."""

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
from backend_client.server.token_store import TokenStore, choose_store, ended_key, store_of_kind

T = TypeVar("T")


class ServerInfo(Struct, frozen=True):
    """The public facts about a server (GET /api/server)."""

    name: str = ""
    version: str = ""
    registration: str = "closed"
    """open: everybody may register; closed: an admin creates the accounts."""
    setup: bool = False
    """True where nobody has an account yet, and the set-up code creates the first admin."""

    @property
    def is_open(self) -> bool:
        return self.registration == "open" or self.setup


class LoginResult(Struct, frozen=True):
    """A login that succeeded."""

    account: Account
    role: str
    expires: datetime | None
    where: str
    """Where the token is kept, as text."""


class _TokenGrant(Struct, frozen=True):
    """The answer to a login or a registration."""

    token: str
    user: str
    role: str = ""
    expires: datetime | None = None


class AuthClient:
    """Logs in and out at one server. `folder`: where accounts and tokens are kept.

    Every method may raise a BackendError; a password or a token is part of none.
    """

    def __init__(self, folder: Path, url: str, *, ca: str = "") -> None:
        self.folder = folder
        self.url = url
        self.ca = ca

    async def server_info(self) -> ServerInfo:
        """Return the server's name, version and whether people can register."""
        return await self._request("GET", "/api/server", ServerInfo)

    async def log_in(self, user: str, password: Secret) -> LoginResult:
        """Log in with a password, and keep the token."""
        body = {"user": user, "password": password.reveal(), "name": _token_name()}
        return await self._authenticate("/api/auth/login", body)

    async def register(self, user: str, password: Secret, code: Secret | None = None) -> LoginResult:
        """Create an account and log in; `code` creates the first admin of an empty server."""
        body = {"user": user, "password": password.reveal(), "name": _token_name()}
        return await self._authenticate(
            "/api/auth/register", body | ({"code": code.reveal()} if code else {})
        )

    async def log_out(self, account: Account) -> BackendError | None:
        """Revoke the token and remove it here; where the server cannot be told, return that error."""
        store = store_of_kind(account.store, self.folder)
        token = await asyncio.to_thread(store.get, account.key)
        error = await self._revoke(token) if token else None
        await asyncio.to_thread(store.drop, account.key)
        if token and not error:
            await asyncio.to_thread(store.put, ended_key(account.key), token)
        Accounts(self.folder).save(msgspec.structs.replace(account, store=""))
        return error

    async def _authenticate(self, path: str, body: dict[str, str]) -> LoginResult:
        """Log in or register. The store is tested first: a token that cannot be kept would be lost."""
        store = await asyncio.to_thread(choose_store, self.folder)
        earlier = await asyncio.to_thread(self._earlier_token, store, body["user"])
        grant = await self._request("POST", path, _TokenGrant, msgspec.json.encode(body), earlier)
        token = Secret(grant.token)
        account = Account(name="", url=self.url, user=grant.user, ca=self.ca, store=store.kind)
        try:
            account = await asyncio.to_thread(self._save, account, token, store)
        except BackendError:
            await self._revoke(token)
            raise
        return LoginResult(account, grant.role, grant.expires, store.where)

    def _save(self, account: Account, token: Secret, store: TokenStore) -> Account:
        accounts = Accounts(self.folder)
        old = accounts.find(account.url, account.user)
        store.put(account.key, token)
        saved = accounts.save(account)
        if old and old.store not in ("", store.kind):
            store_of_kind(old.store, self.folder).drop(account.key)
        return saved

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

    def _earlier_token(self, store: TokenStore, user: str) -> Secret | None:
        """Return a token of this user that was kept here, valid or ended.

        It opens nothing: it tells the server that this is nobody who guesses from the same address.
        """
        key = Account(name="", url=self.url, user=user).key
        return store.get(key) or store.get(ended_key(key))

    async def _request(
        self, method: str, path: str, answer: type[T], body: bytes = b"", token: Secret | None = None
    ) -> T:
        connection = Connection(self.url, (lambda: token) if token else None, ca=self.ca)
        try:
            return connection.decode(await connection.request(method, path, body=body), answer)
        finally:
            await connection.aclose()


def _token_name() -> str:
    """Return the token's name in the list of one's tokens."""
    return f"traindeck on {socket.gethostname()}"[:64]
