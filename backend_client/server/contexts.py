"""ServerContexts: the accounts at servers as a context source. Loads next to nothing where there are none."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backend_client.contexts import ContextInfo
from backend_client.errors import BackendError, Invalid, LoginNeeded, NotFound, Refused, fragment
from backend_client.models.secret import Secret
from backend_client.protocol import JobBackend

if TYPE_CHECKING:
    from backend_client.server.accounts import Account
    from backend_client.server.auth_client import AuthClient
    from backend_client.server.connection import Connection
    from backend_client.server.token_store import TokenStore


class ServerContexts:
    """The context source of servers: accounts, the site's own server, and one that is named by its URL.

    `folder`: where accounts and tokens are; `cache`: where capabilities are kept between two runs;
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
        if not self._may_have_accounts():
            return []
        try:
            return [ContextInfo(one.name, self.kind, _description(one)) for one in self.accounts()]
        except BackendError as error:
            return [ContextInfo("servers", self.kind, "traindeck servers", fragment(error.title))]

    def current(self) -> str:
        """Return the context of the site's server, "" where there is none. Raises Refused."""
        if not self._site:
            return ""
        try:
            return next((one.name for one in self.accounts() if one.url == self._address(self._site)), "")
        except Invalid as error:
            raise Refused(f"The site's server cannot be used: {fragment(error.title)}.") from None

    def open(self, name: str) -> JobBackend:
        """Open a context. Contacts nobody yet; without a login the first call raises LoginNeeded."""
        from backend_client.server.backend import ServerBackend  # noqa: PLC0415  other ways need no httpx
        from backend_client.server.capabilities_cache import CapabilitiesCache  # noqa: PLC0415  as above

        account, kept = self.account(name), CapabilitiesCache(self._cache, name)
        return ServerBackend(
            name,
            account.url,
            TokenSession(self, name),
            ca=account.ca,
            capabilities=kept.read(),
            save=kept.write,
        )

    def connect(self, name: str) -> "Connection":
        """Return a connection that sends a context's token. Raises Refused where it must not go there."""
        from backend_client.server.connection import Connection  # noqa: PLC0415  other ways need no httpx

        account = self.account(name)
        return Connection(account.url, TokenSession(self, name), ca=account.ca)

    def auth_client(self, url: str, *, ca: str = "") -> "AuthClient":
        """Return the client that logs in and out at a server; accounts and tokens are kept here."""
        from backend_client.server.auth_client import AuthClient  # noqa: PLC0415  httpx

        return AuthClient(self.folder, url, ca=ca)

    def token_store(self, account: "Account") -> "TokenStore":
        """Return the store that has an account's token."""
        from backend_client.server.token_store import store_of_kind  # noqa: PLC0415  not where a token is given

        return store_of_kind(account.store, self.folder)

    def accounts(self) -> "list[Account]":
        """Return all accounts, and the servers that are known without one. Raises Refused."""
        from backend_client.server.accounts import Account, Accounts  # noqa: PLC0415  nobody may have any
        from backend_client.server.address import host_of  # noqa: PLC0415  as above

        accounts = Accounts(self.folder).all()
        urls = [one.url for one in accounts]
        if self._site and self._address(self._site) not in urls:
            site = self._address(self._site)
            accounts.append(Account(name=host_of(site), url=site))
        if "://" in self._named:
            accounts.append(Account(name=self._named, url=self._address(self._named)))
        return accounts

    def account(self, name: str) -> "Account":
        """Return the account of a context, by its plain name. Raises NotFound."""
        account = next((one for one in self.accounts() if one.name == name), None)
        if account is None:
            raise NotFound(f"There is no account {name} any more.", "`traindeck login` makes one.")
        return account

    def forget(self, account: "Account") -> None:
        """Drop an account and its context; the site's server stays one. Raises Refused."""
        from backend_client.server.accounts import Accounts  # noqa: PLC0415  as above
        from backend_client.server.capabilities_cache import CapabilitiesCache  # noqa: PLC0415  as above
        from backend_client.server.token_store import FileTokenStore, ended_key  # noqa: PLC0415  as above

        FileTokenStore(self.folder).drop(ended_key(account.key))
        Accounts(self.folder).remove(account)
        CapabilitiesCache(self._cache, account.name).remove()

    def explicit_token(self, name: str) -> Secret | None:
        """Return the token from the environment, where this context was named with it."""
        return self._token if name == self._named else None

    def version(self) -> int:
        """Return a number that changes whenever somebody logs in or out."""
        try:
            return (self.folder / "servers.json").stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError:
            return -1  # whoever reads it says why it cannot be read

    def _may_have_accounts(self) -> bool:
        return bool(self._site or "://" in self._named or self.version())

    def _address(self, text: str) -> str:
        from backend_client.server.address import parse_address  # noqa: PLC0415  nobody may have an account

        return parse_address(text)


class TokenSession:
    """The token of one context, read again after a login or logout in another program."""

    def __init__(self, source: ServerContexts, name: str) -> None:
        self._source = source
        self._name = name
        self._token: Secret | None = None
        self._version = -1

    def __call__(self) -> Secret:
        """Return the token. Raises LoginNeeded where there is none, Refused for an unsafe file. May block."""
        if token := self._source.explicit_token(self._name):
            return token
        version = self._source.version()
        if version != self._version:
            self._token, self._version = self._read(), version
        if self._token is None:
            raise login_needed(self._source.account(self._name))
        return self._token

    def _read(self) -> Secret | None:
        account = self._source.account(self._name)
        return self._source.token_store(account).get(account.key) if account.store else None


def login_needed(account: "Account") -> LoginNeeded:
    """Return the error for an account that is not logged in."""
    from backend_client.server.address import host_of  # noqa: PLC0415  nobody may have an account

    user = f" as {account.user}" if account.user else ""
    hint = f"`traindeck login {account.url}` logs in."
    if "TRAINDECK_TOKEN" in os.environ:
        hint += " TRAINDECK_TOKEN goes only to a context that --context or TRAINDECK_CONTEXT names."
    return LoginNeeded(f"You are not logged in at {host_of(account.url)}{user}.", hint)


def _description(account: "Account") -> str:
    if not account.store:
        return f"server {account.url}, not logged in"
    return f"server {account.url}, as {account.user}"
