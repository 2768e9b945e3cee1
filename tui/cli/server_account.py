"""What the verbs about a traindeck server share: which one is meant, and one call to it."""

import argparse
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from backend_client.accounts import HasAccounts
from backend_client.contexts import Contexts
from backend_client.errors import Refused
from backend_client.server.accounts import Account
from tui.cli.program import meant
from tui.settings import Loaded

T = TypeVar("T")


class ServerAccount(Struct, frozen=True):
    """One account at one server: a context."""

    servers: HasAccounts
    account: Account

    async def call(self, method: str, path: str, answer: type[T], **body: Any) -> T:
        """One request with the account's token; `body` goes as JSON. Raises BackendError."""
        connection = self.servers.connect(self.account.name)
        try:
            content = msgspec.json.encode(body) if body else b""
            return connection.decode(await connection.request(method, path, body=content) or b"null", answer)
        finally:
            await connection.aclose()

    async def tell(self, method: str, path: str, **body: Any) -> None:
        """One request that has no answer. Raises BackendError."""
        await self.call(method, path, type(None), **body)


def servers(contexts: Contexts) -> HasAccounts:
    """The way that all accounts are in."""
    return next(way for way in contexts.sources if isinstance(way, HasAccounts))


def in_use(args: argparse.Namespace, contexts: Contexts) -> ServerAccount | None:
    """The account that is meant; None where jobs run without a server. Raises BackendError."""
    way, plain = contexts.source_of(meant(contexts, args))
    return ServerAccount(way, way.account(plain)) if isinstance(way, HasAccounts) else None


def the_server(args: argparse.Namespace, contexts: Contexts) -> ServerAccount:
    """The account that is meant. Raises Refused where it is none."""
    at = in_use(args, contexts)
    if at is None:
        known = ", ".join(one.name for one in servers(contexts).accounts())
        hint = f"Say which with --context: {known}." if known else "`traindeck login URL` logs in at one."
        raise Refused(f"The context {meant(contexts, args)} is no traindeck server.", hint)
    return at


def may_change(args: argparse.Namespace, loaded: Loaded, what: str) -> None:
    """Raise Refused where traindeck is read-only."""
    if args.read_only or loaded.settings.read_only:
        raise Refused(
            f"traindeck is read-only here, so it will not change {what}.", "`traindeck config` says why."
        )
