"""`login`, `register`, `logout` and `whoami`."""

import argparse
import asyncio
import getpass
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from backend_client.contexts import Contexts
from backend_client.disk_errors import disk_words
from backend_client.errors import BackendError, Forbidden, Invalid
from backend_client.server.accounts import Account
from backend_client.text.figures import local_time
from tui.cli import prompt
from tui.cli.arguments import Parser
from tui.cli.handlers import ContextsHandler
from tui.cli.output import print_as, print_block, print_data, print_error, print_message
from tui.cli.program import resolve_context
from tui.cli.server_account import ServerAccount, account_in_use, require_account, server_contexts
from tui.settings.loaded import LoadedSettings

if TYPE_CHECKING:
    from backend_client.server.auth_client import LoginResult


def add_login_flags(parser: Parser) -> None:
    """Add the flags of `login`."""
    parser.add_argument("url", metavar="URL", nargs="?", default="", help="the server; else the one in use")
    parser.add_argument("--user", default="", metavar="NAME", help="as whom; else it is asked")
    parser.add_argument(
        "--password-stdin",
        action="store_true",
        help="the password from stdin, instead of asking (on a new server the set-up code in the next line)",
    )
    parser.add_argument(
        "--ca", default="", metavar="FILE", help="certificates to trust, instead of the system's"
    )


def add_register_flags(parser: Parser) -> None:
    """Add the flags of `register`: those of `login`."""
    add_login_flags(parser)


def add_logout_flags(parser: Parser) -> None:
    """Add the flags of `logout`."""
    parser.add_argument("--forget", action="store_true", help="forget the account too: no context any more")


def add_whoami_flags(parser: Parser) -> None:
    """Add the flags of `whoami`: none of its own."""


def login(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Log in, keep the token, and choose the server's context; on an empty server, become its first admin."""
    return _log_in(args, contexts, new=False)


def register(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Make an account at a server that lets everybody, and log in."""
    return _log_in(args, contexts, new=True)


def _log_in(args: argparse.Namespace, contexts: Contexts, *, new: bool) -> int:
    server = _choose_server(args, contexts)
    client = server_contexts(contexts).auth_client(server.url, ca=server.ca)
    info = asyncio.run(client.server_info())
    if new and not info.is_open:
        hint = "An admin makes accounts there: `traindeck users add`."
        raise Forbidden(f"{server.url} takes no registrations.", hint)
    if info.setup:
        print_message(
            f"{server.url} has no admin yet: the set-up code on the server's terminal makes you that."
        )
    new = new or info.setup
    user = args.user or prompt.ask_line("User", server.user or getpass.getuser())
    password = prompt.ask_secret("Password", from_stdin=args.password_stdin, new=new)
    code = prompt.ask_secret("Set-up code", from_stdin=args.password_stdin) if info.setup else None
    result = asyncio.run(client.register(user, password, code) if new else client.log_in(user, password))
    _print_login(args, result)
    _use_context(contexts, result.account.name)
    return 0


def _print_login(args: argparse.Namespace, result: "LoginResult") -> None:
    account = result.account
    until = f" until {local_time(result.expires)}" if result.expires else ""
    print_message(f"Logged in at {account.url} as {account.user} ({result.role}){until}.")
    print_message(f"The token is in {result.where}.")
    fields = {key: getattr(account, key) for key in ("name", "url", "user", "store")}
    if args.output == "name":
        print_data(account.name)
    else:
        print_as(args.output, lambda: {**fields, "role": result.role, "expires": result.expires})


def _choose_server(args: argparse.Namespace, contexts: Contexts) -> Account:
    """Return the named server, else the one in use, else the only known one, else ask for it."""
    from backend_client.server.address import parse_address  # noqa: PLC0415  not on the way of a start

    accounts = server_contexts(contexts).accounts()
    candidates = accounts
    if args.url:
        candidates = [account for account in accounts if account.url == parse_address(args.url)]
    else:
        with suppress(BackendError):
            account = account_in_use(args, contexts)
            candidates = [account.record] if account else accounts
    urls = sorted({account.url for account in candidates})
    if len(urls) > 1:
        raise Invalid({"URL": f"say which server: {', '.join(urls)}"})
    server = (
        candidates[0]
        if candidates
        else Account(name="", url=parse_address(args.url or prompt.ask_line("Server")))
    )
    ca = os.path.abspath(args.ca) if args.ca else server.ca  # noqa: PTH100  used from other folders later
    return msgspec.structs.replace(server, ca=ca)


def _use_context(contexts: Contexts, name: str) -> None:
    """Choose the context, as `use` does: who logs in wants to work there."""
    try:
        info = contexts.set_current(f"{server_contexts(contexts).kind}:{name}")
    except OSError as error:
        print_message(
            f"The choice of the context cannot be kept ({disk_words(error)}): name it with --context {name}."
        )
        return
    print_message(f"Jobs run in {info.name} from now on.")
    if os.environ.get("TRAINDECK_CONTEXT", info.name) != info.name:
        print_message(f"But TRAINDECK_CONTEXT is set, and weighs more: {os.environ['TRAINDECK_CONTEXT']}.")


def logout(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Make the token invalid on the server, and forget it here; with --forget the account too."""
    account = require_account(args, contexts)
    code = _log_out(account)
    if args.forget:
        account.source.forget(account.record)
        print_message(
            f"The account {account.record.name} is forgotten."
            " `traindeck use` chooses where jobs run from now on."
        )
    return code


def _log_out(account: ServerAccount) -> int:
    record = account.record
    if not record.store:
        print_message(f"Nobody is logged in at {record.name}.")
        return 0
    error = asyncio.run(account.source.auth_client(record.url, ca=record.ca).log_out(record))
    print_message(f"Logged out of {record.url}; the token of {record.user} is forgotten here.")
    if error:
        print_error(error, "but the server was not told")
        print_message("The token stays valid there until it runs out: `traindeck tokens revoke` ends it.")
        return error.exit_code
    return 0


def whoami(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Print who acts, and where."""
    account = account_in_use(args, contexts)
    fields = asyncio.run(account.call("GET", "/api/auth/me", dict) if account else _identity(args, contexts))
    location = account.record.url if account else fields["place"]
    if args.output == "name":
        print_data(fields["user"])
    elif not print_as(args.output, lambda: {"context": resolve_context(contexts, args), **fields}):
        role = f" ({fields['role']})" if account else ""
        print_block(f"{fields['user']}{role} at {location}")
    return 0


async def _identity(args: argparse.Namespace, contexts: Contexts) -> dict[str, Any]:
    backend = contexts.open(resolve_context(contexts, args))
    try:
        return msgspec.to_builtins(await backend.whoami())  # type: ignore[no-any-return]
    finally:
        await backend.aclose()


LOGIN = ContextsHandler(login, add_login_flags)
REGISTER = ContextsHandler(register, add_register_flags)
LOGOUT = ContextsHandler(logout, add_logout_flags)
WHOAMI = ContextsHandler(whoami, add_whoami_flags)
