"""A person's accounts at servers, as one way to reach jobs. Loads next to nothing where there are none."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backend_client.contexts import ContextInfo
from backend_client.errors import BackendError, LoginNeeded, NotFound
from backend_client.models.secret import Secret
from backend_client.protocol import JobBackend

if TYPE_CHECKING:
    from backend_client.server.accounts import Account
    from backend_client.server.auth_client import AuthClient
    from backend_client.server.connection import Connection
    from backend_client.server.token_store import TokenStore


class ServerContexts:
    """Every account is a context; so is the site's own server, and one that is named by its URL.

    `folder`: where accounts and tokens are; `cache`: where the servers' rules are kept between two runs;
    `site`: URL of the site's server; `named`: the context that the flag or the environment names, the only
    one that `token` goes to.
    """

    kind = "server"

    def __init__(
        self,
        folder: Path,
        cache: Path,
        *,
        site: str = "",
        named: str = "",
        token: Secret | None = None,
    ) -> None:
        self.folder = folder
        self._cache = cache
        self._site = site
        self._named = named.removeprefix(f"{self.kind}:")
        self._token = token

    def contexts(self) -> Sequence[ContextInfo]:
        if not self._any():
            return []
        try:
            return [ContextInfo(one.name, self.kind, _about(one)) for one in self.accounts()]
        except BackendError as error:
            return [ContextInfo("servers", self.kind, "traindeck servers", error.title)]

    def current(self) -> str:
        """The site's server."""
        if not self._site or not self._any():
            return ""
        try:
            return next((one.name for one in self.accounts() if one.url == self._address(self._site)), "")
        except BackendError:
            return ""

    def open(self, name: str) -> JobBackend:
        """Contacts nobody yet; who is not logged in learns it from the first call."""
        from backend_client.server.backend import ServerBackend  # noqa: PLC0415  other ways need no httpx
        from backend_client.server.capabilities_cache import CapabilitiesCache  # noqa: PLC0415

        account, kept = self.account(name), CapabilitiesCache(self._cache, name)
        return ServerBackend(
            name, account.url, TokenSession(self, name), ca=account.ca, rules=kept.read(), keep=kept.write
        )

    def connect(self, name: str) -> "Connection":
        """Requests with the token of a context. Raises Refused where a token must not travel there."""
        from backend_client.server.connection import Connection  # noqa: PLC0415  other ways need no httpx

        account = self.account(name)
        return Connection(account.url, TokenSession(self, name), ca=account.ca)

    def auth_client(self, url: str, *, ca: str = "") -> "AuthClient":
        """Return what logs in and out at a server, and keeps the account and its token here."""
        from backend_client.server.auth_client import AuthClient  # noqa: PLC0415  httpx

        return AuthClient(self.folder, url, ca=ca)

    def token_store(self, account: "Account") -> "TokenStore":
        """Return the store that has an account's token."""
        from backend_client.server.token_store import store_named  # noqa: PLC0415  not where a token is given

        return store_named(account.store, self.folder)

    def accounts(self) -> "list[Account]":
        """All accounts, and the servers that are known without one. Raises Refused."""
        from backend_client.server.accounts import Account, Accounts  # noqa: PLC0415  nobody may have any
        from backend_client.server.address import host_of  # noqa: PLC0415

        found = Accounts(self.folder).all()
        urls = [one.url for one in found]
        if self._site and self._address(self._site) not in urls:
            site = self._address(self._site)
            found.append(Account(name=host_of(site), url=site))
        if "://" in self._named:
            found.append(Account(name=self._named, url=self._address(self._named)))
        return found

    def account(self, name: str) -> "Account":
        """The account of a context, by its plain name."""
        found = next((one for one in self.accounts() if one.name == name), None)
        if found is None:
            raise NotFound(f"There is no account {name} any more.", "`traindeck login` makes one.")
        return found

    def forget(self, account: "Account") -> None:
        """It is no context any more; the site's server is one without it too. Raises Refused."""
        from backend_client.server.accounts import Accounts  # noqa: PLC0415  as above
        from backend_client.server.capabilities_cache import CapabilitiesCache  # noqa: PLC0415

        Accounts(self.folder).drop(account)
        CapabilitiesCache(self._cache, account.name).drop()

    def given(self, name: str) -> Secret | None:
        """The token that came from outside, where this context was named with it."""
        return self._token if name == self._named else None

    def stamp(self) -> int:
        """Another one whenever somebody has logged in or out."""
        try:
            return (self.folder / "servers.json").stat().st_mtime_ns
        except OSError:
            return 0

    def _any(self) -> bool:
        return bool(self._site or "://" in self._named or self.stamp())

    def _address(self, text: str) -> str:
        from backend_client.server.address import address  # noqa: PLC0415

        return address(text)


class TokenSession:
    """The token of one context, as its backend asks for it: a login elsewhere is taken up."""

    def __init__(self, servers: ServerContexts, name: str) -> None:
        self._servers = servers
        self._name = name
        self._token: Secret | None = None
        self._stamp = -1

    def __call__(self) -> Secret:
        """Raises LoginNeeded where there is none, Refused where it cannot be read. May block."""
        if given := self._servers.given(self._name):
            return given
        stamp = self._servers.stamp()
        if stamp != self._stamp:
            self._token, self._stamp = self._read(), stamp
        if self._token is None:
            raise login_needed(self._servers.account(self._name))
        return self._token

    def _read(self) -> Secret | None:
        account = self._servers.account(self._name)
        return self._servers.token_store(account).get(account.key) if account.store else None


def login_needed(account: "Account") -> LoginNeeded:
    """What to say to somebody who is not logged in."""
    from backend_client.server.address import host_of  # noqa: PLC0415

    who = f" as {account.user}" if account.user else ""
    hint = f"`traindeck login {account.url}` logs in."
    if "TRAINDECK_TOKEN" in os.environ:
        hint += " TRAINDECK_TOKEN goes only to a context that --context or TRAINDECK_CONTEXT names."
    return LoginNeeded(f"You are not logged in at {host_of(account.url)}{who}.", hint)


def _about(account: "Account") -> str:
    if not account.store:
        return f"server {account.url}, not logged in"
    return f"server {account.url}, as {account.user}"
