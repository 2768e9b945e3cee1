"""The account at a traindeck server that a verb is about, and requests with its token."""

import argparse
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from backend_client.accounts import HasAccounts
from backend_client.contexts import Contexts
from backend_client.errors import Refused
from backend_client.server.accounts import Account
from tui.cli.program import resolve_context
from tui.settings.loaded import LoadedSettings

T = TypeVar("T")


class ServerAccount(Struct, frozen=True):
    """One account at one server, which is a context: its source and its record in servers.json."""

    source: HasAccounts
    record: Account

    async def call(self, method: str, path: str, answer: type[T], **body: Any) -> T:
        """Send a request with the account's token, decode its answer; `body` is JSON. Raises BackendError."""
        connection = self.source.connect(self.record.name)
        try:
            content = msgspec.json.encode(body) if body else b""
            return connection.decode(await connection.request(method, path, body=content) or b"null", answer)
        finally:
            await connection.aclose()

    async def send(self, method: str, path: str, **body: Any) -> None:
        """Send a request that has no answer. Raises BackendError."""
        await self.call(method, path, type(None), **body)


def server_contexts(contexts: Contexts) -> HasAccounts:
    """Return the context source of all servers."""
    return next(source for source in contexts.sources if isinstance(source, HasAccounts))


def account_in_use(args: argparse.Namespace, contexts: Contexts) -> ServerAccount | None:
    """Return the account of the current context; None if it is no server. Raises BackendError."""
    source, name = contexts.source_of(resolve_context(contexts, args))
    return ServerAccount(source, source.account(name)) if isinstance(source, HasAccounts) else None


def require_account(args: argparse.Namespace, contexts: Contexts) -> ServerAccount:
    """Return the account of the current context. Raises Refused if it is no server."""
    account = account_in_use(args, contexts)
    if account is None:
        names = ", ".join(record.name for record in server_contexts(contexts).accounts())
        hint = f"Say which with --context: {names}." if names else "`traindeck login URL` logs in at one."
        raise Refused(f"The context {resolve_context(contexts, args)} is no traindeck server.", hint)
    return account


def require_writable(args: argparse.Namespace, loaded: LoadedSettings, what: str) -> None:
    """Raise Refused if traindeck is read-only."""
    if args.read_only or loaded.settings.read_only:
        raise Refused(
            f"traindeck is read-only here, so it will not change {what}.", "`traindeck config` says why."
        )
