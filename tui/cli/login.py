"""`login`, `register`, `logout` and `whoami`."""

import argparse
import asyncio
import getpass
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from backend_client.contexts import Contexts
from backend_client.errors import BackendError, Forbidden, Invalid
from backend_client.server.accounts import Account
from tui.cli import prompt
from tui.cli.output import complain, local_time, put, put_as, put_block, say
from tui.cli.program import meant
from tui.cli.server_account import ServerAccount, in_use, servers, the_server
from tui.settings import Loaded

if TYPE_CHECKING:
    from backend_client.server.auth_client import LoginResult


def login_flags(parser: argparse.ArgumentParser) -> None:
    """What `login` takes."""
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


def register_flags(parser: argparse.ArgumentParser) -> None:
    """What `register` takes: the same."""
    login_flags(parser)


def logout_flags(parser: argparse.ArgumentParser) -> None:
    """What `logout` takes."""
    parser.add_argument("--forget", action="store_true", help="forget the account too: no context any more")


def whoami_flags(parser: argparse.ArgumentParser) -> None:
    """`whoami` takes nothing of its own."""


def login(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:  # noqa: ARG001
    """Log in, keep the token, and choose the server's context; on an empty server, become its first admin."""
    return _enter(args, contexts, new=False)


def register(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:  # noqa: ARG001
    """Make an account where the server lets everybody, and log in."""
    return _enter(args, contexts, new=True)


def _enter(args: argparse.Namespace, contexts: Contexts, *, new: bool) -> int:
    door = _door(args, contexts)
    at = servers(contexts).auth_client(door.url, ca=door.ca)
    about = asyncio.run(at.server_info())
    if new and not about.is_open:
        hint = "An admin makes accounts there: `traindeck users add`."
        raise Forbidden(f"{door.url} takes no registrations.", hint)
    if about.setup:
        say(f"{door.url} has no admin yet: the set-up code on the server's terminal makes you that.")
    new = new or about.setup
    user = args.user or prompt.line("User", door.user or getpass.getuser())
    password = prompt.secret("Password", from_stdin=args.password_stdin, new=new)
    code = prompt.secret("Set-up code", from_stdin=args.password_stdin) if about.setup else None
    done = asyncio.run(at.register(user, password, code) if new else at.log_in(user, password))
    _tell(args, done)
    _choose(contexts, done.account.name)
    return 0


def _tell(args: argparse.Namespace, done: "LoginResult") -> None:
    account = done.account
    until = f" until {local_time(done.expires)}" if done.expires else ""
    say(f"Logged in at {account.url} as {account.user} ({done.role}){until}.")
    say(f"The token is in {done.where}.")
    fields = {key: getattr(account, key) for key in ("name", "url", "user", "store")}
    if args.output == "name":
        put(account.name)
    else:
        put_as(args.output, lambda: {**fields, "role": done.role, "expires": done.expires})


def _door(args: argparse.Namespace, contexts: Contexts) -> Account:
    """The server that is named, else the one in use, else the only one that is known, else what is asked."""
    from backend_client.server.address import parse_address  # noqa: PLC0415

    known = servers(contexts).accounts()
    found = known
    if args.url:
        found = [one for one in known if one.url == parse_address(args.url)]
    else:
        with suppress(BackendError):
            at = in_use(args, contexts)
            found = [at.account] if at else known
    urls = sorted({one.url for one in found})
    if len(urls) > 1:
        raise Invalid({"URL": f"say which server: {', '.join(urls)}"})
    door = found[0] if found else Account(name="", url=parse_address(args.url or prompt.line("Server")))
    ca = os.path.abspath(args.ca) if args.ca else door.ca  # noqa: PTH100  used from other folders later
    return msgspec.structs.replace(door, ca=ca)


def _choose(contexts: Contexts, name: str) -> None:
    """As `use`: the login is meant to be worked with."""
    try:
        info = contexts.set_current(f"{servers(contexts).kind}:{name}")
    except OSError as error:
        say(f"The choice of the context cannot be kept ({error.strerror}): name it with --context {name}.")
        return
    say(f"Jobs run in {info.name} from now on.")
    if os.environ.get("TRAINDECK_CONTEXT", info.name) != info.name:
        say(f"But TRAINDECK_CONTEXT is set, and weighs more: {os.environ['TRAINDECK_CONTEXT']}.")


def logout(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:  # noqa: ARG001
    """Make the token invalid on the server, and forget it here; with --forget the account too."""
    at = the_server(args, contexts)
    code = _leave(at)
    if args.forget:
        at.servers.forget(at.account)
        say(
            f"The account {at.account.name} is forgotten. `traindeck use` chooses where jobs run from now on."
        )
    return code


def _leave(at: ServerAccount) -> int:
    account = at.account
    if not account.store:
        say(f"Nobody is logged in at {account.name}.")
        return 0
    trouble = asyncio.run(at.servers.auth_client(account.url, ca=account.ca).log_out(account))
    say(f"Logged out of {account.url}; the token of {account.user} is forgotten here.")
    if trouble:
        complain(trouble, "but the server was not told")
        say("The token stays valid there until it runs out: `traindeck tokens revoke` ends it.")
        return trouble.exit_code
    return 0


def whoami(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:  # noqa: ARG001
    """Who acts, and where."""
    at = in_use(args, contexts)
    fields = asyncio.run(at.call("GET", "/api/auth/me", dict) if at else _elsewhere(args, contexts))
    place = at.account.url if at else fields["place"]
    if args.output == "name":
        put(fields["user"])
    elif not put_as(args.output, lambda: {"context": meant(contexts, args), **fields}):
        role = f" ({fields['role']})" if at else ""
        put_block(f"{fields['user']}{role} at {place}")
    return 0


async def _elsewhere(args: argparse.Namespace, contexts: Contexts) -> dict[str, Any]:
    backend = contexts.open(meant(contexts, args))
    try:
        return msgspec.to_builtins(await backend.whoami())  # type: ignore[no-any-return]
    finally:
        await backend.aclose()
