"""`passwd`, `tokens` and, for admins, `users`: the accounts of a server."""

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from msgspec import Struct, to_builtins

from backend_client.contexts import Contexts
from backend_client.errors import Invalid
from backend_client.server.roles import Role
from backend_client.text.figures import local_time, span
from tui.cli import prompt
from tui.cli.arguments import Parser, one_of, whole_number
from tui.cli.handlers import ContextsHandler
from tui.cli.output import Table, print_as, print_data, print_message
from tui.cli.server_account import ServerAccount, require_account, require_writable
from tui.settings.loaded import LoadedSettings

_QUOTAS = ("max_gpus", "max_jobs", "max_pods", "max_cpus", "max_memory_gib")


class Token(Struct):
    """One login of the user."""

    id: int
    name: str
    created: datetime
    expires: datetime
    last_used: datetime
    current: bool = False


class User(Struct):
    """An account, as admins see it. A quota of None is the server's own."""

    user: str
    role: str
    disabled: bool
    created: datetime
    max_gpus: int | None = None
    max_jobs: int | None = None
    max_pods: int | None = None
    max_cpus: int | None = None
    max_memory_gib: int | None = None
    team: str = ""


class _Tokens(Struct):
    items: list[Token]


class _Users(Struct):
    items: list[User]


def add_passwd_flags(parser: Parser) -> None:
    """Add the flags of `passwd`."""
    parser.add_argument("--password-stdin", action="store_true", help="the old and the new one, a line each")


def add_tokens_flags(parser: Parser) -> None:
    """Add the flags of `tokens`."""
    parser.add_argument("what", nargs="?", default="list", type=one_of("list", "revoke"), help="list, revoke")
    parser.add_argument("ids", nargs="*", type=whole_number, metavar="ID", help="the logins to end")


def add_users_flags(parser: Parser) -> None:
    """Add the flags of `users`."""
    actions = ("list", "add", "change", "disable", "enable", "password")
    parser.add_argument("what", nargs="?", default="list", type=one_of(*actions), help=", ".join(actions))
    parser.add_argument("user", nargs="?", default="", metavar="NAME", help="the user")
    parser.add_argument(
        "--role", type=one_of(*(role.value for role in Role)), help="add, change: viewer, researcher or admin"
    )
    parser.add_argument("--gpus", type=_quota, metavar="N", help="change: GPUs at a time; default is no own")
    parser.add_argument("--jobs", type=_quota, metavar="N", help="change: jobs at a time; default is no own")
    parser.add_argument("--pods", type=_quota, metavar="N", help="change: pods at a time")
    parser.add_argument("--cpus", type=_quota, metavar="N", help="change: CPUs at a time")
    parser.add_argument("--memory", type=_quota, metavar="GIB", help="change: GiB of memory at a time")
    parser.add_argument("--team", help="add, change: viewers see their team's jobs; '*': everybody's")
    parser.add_argument("--password-stdin", action="store_true", help="add, password: the new password")


def _quota(text: str) -> int | str:
    return text if text == "default" else whole_number(text)


def passwd(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """Change the user's own password; all other logins end."""
    account = require_account(args, contexts)
    old = prompt.ask_secret("Old password", from_stdin=args.password_stdin)
    new = prompt.ask_secret("New password", from_stdin=args.password_stdin, new=True)
    asyncio.run(account.send("POST", "/api/auth/password", old=old.reveal(), new=new.reveal()))
    whose = f"{account.record.user} at {account.record.url}"
    print_message(f"The password of {whose} is changed; your other logins have ended.")
    return 0


def tokens(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:  # noqa: ARG001  every verb takes these
    """List the user's own logins, or end some."""
    account = require_account(args, contexts)
    if args.what == "revoke":
        for number in _require(args.ids, "ID"):
            asyncio.run(account.send("DELETE", f"/api/auth/tokens/{number}"))
            print_message(f"The login {number} has ended.")
        return 0
    items = asyncio.run(account.call("GET", "/api/auth/tokens", _Tokens)).items
    _print_list(args, items, lambda token: str(token.id), {
        "": lambda token: "*" if token.current else "",
        "ID": lambda token: str(token.id),
        "NAME": lambda token: token.name,
        "USED": lambda token: span((datetime.now(UTC) - token.last_used).total_seconds()),
        "EXPIRES": lambda token: local_time(token.expires),
    })  # fmt: skip
    return 0


def users(args: argparse.Namespace, contexts: Contexts, loaded: LoadedSettings) -> int:
    """List users, make accounts, change them. For admins."""
    account = require_account(args, contexts)
    if args.what == "list":
        items = asyncio.run(account.call("GET", "/api/users", _Users)).items
    else:
        require_writable(args, loaded, "users")
        items = [_change(account, args)]
    _print_list(args, items, lambda user: user.user, {
        "USER": lambda user: user.user,
        "ROLE": lambda user: user.role,
        "TEAM": lambda user: user.team,
        "GPUS": lambda user: _limit(user.max_gpus),
        "JOBS": lambda user: _limit(user.max_jobs),
        "PODS": lambda user: _limit(user.max_pods),
        "CPUS": lambda user: _limit(user.max_cpus),
        "GIB": lambda user: _limit(user.max_memory_gib),
        "STATE": lambda user: "disabled" if user.disabled else "",
    })  # fmt: skip
    return 0


def _change(account: ServerAccount, args: argparse.Namespace) -> User:
    (name,) = _require([args.user] if args.user else [], "NAME")
    body: dict[str, Any] = {"role": args.role} if args.role else {}
    if args.team is not None:
        body["team"] = args.team
    if args.what in ("add", "password"):
        question = f"Password of {name}"
        body["password"] = prompt.ask_secret(question, from_stdin=args.password_stdin, new=True).reveal()
    if args.what in ("disable", "enable"):
        body = {"disabled": args.what == "disable"}
    if args.what == "add":
        return asyncio.run(account.call("POST", "/api/users", User, user=name, **body))
    quotas = (args.gpus, args.jobs, args.pods, args.cpus, args.memory)
    for field, value in zip(_QUOTAS, quotas, strict=True):
        if value is not None:
            body[field] = None if value == "default" else value
    if not body:
        raise Invalid(
            {"users change": "say what: --role, --team, --gpus, --jobs, --pods, --cpus or --memory"}
        )
    return asyncio.run(account.call("PATCH", f"/api/users/{quote(name, safe='')}", User, **body))


def _require(values: Sequence[Any], what: str) -> Sequence[Any]:
    if not values:
        raise Invalid({what: "is missing"})
    return values


def _limit(value: int | None) -> str:
    return "" if value is None else str(value)


def _print_list(
    args: argparse.Namespace,
    items: Sequence[Any],
    name: Callable[[Any], str],
    columns: Mapping[str, Callable[[Any], str]],
) -> None:
    """Print a list in the chosen output."""
    if args.output == "name":
        for item in items:
            print_data(name(item))
    elif not print_as(args.output, lambda: [to_builtins(item) for item in items]):
        Table([*columns], ([cell(item) for cell in columns.values()] for item in items)).print()


PASSWD = ContextsHandler(passwd, add_passwd_flags)
TOKENS = ContextsHandler(tokens, add_tokens_flags)
USERS = ContextsHandler(users, add_users_flags)
