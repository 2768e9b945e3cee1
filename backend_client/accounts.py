"""`HasAccounts`: a context source that people log in to, as front ends see it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from backend_client.server.accounts import Account
    from backend_client.server.auth_client import AuthClient
    from backend_client.server.connection import Connection
    from backend_client.server.token_store import TokenStore


@runtime_checkable
class HasAccounts(Protocol):
    """A context source whose contexts are accounts, which people log in to."""

    kind: str

    def accounts(self) -> "Sequence[Account]":
        """Return all accounts, and the servers that are known without one. Raises Refused."""
        ...

    def account(self, name: str) -> "Account":
        """Return the account of a context, by its plain name. Raises NotFound."""
        ...

    def auth_client(self, url: str, *, ca: str = "") -> "AuthClient":
        """Return the client that logs in and out at a server; this source keeps the token. Loads httpx."""
        ...

    def token_store(self, account: "Account") -> "TokenStore":
        """Return the store that has an account's token."""
        ...

    def connect(self, name: str) -> "Connection":
        """Return a connection that sends a context's token.

        Raises Refused where a token must not travel there.
        """
        ...

    def forget(self, account: "Account") -> None:
        """Drop an account: it is no context any more. Raises Refused."""
        ...
