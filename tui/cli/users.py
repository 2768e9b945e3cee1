"""`passwd`, `tokens` and, for admins, `users`."""

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
from tui.cli import prompt
from tui.cli.arguments import Parser, one_of, whole
from tui.cli.handlers import ContextsHandler
from tui.cli.output import Table, put, put_as, say
from tui.cli.server_account import ServerAccount, may_change, the_server
from tui.settings.loaded import Loaded
from tui.ui.format import local_time, span


class Token(Struct):
    """One login of one's own."""

    id: int
    name: str
    created: datetime
    expires: datetime
    last_used: datetime
    current: bool = False


class Person(Struct):
    """An account, as admins see it. A quota of None is the server's own."""

    user: str
    role: str
    disabled: bool
    created: datetime
    max_gpus: int | None = None
    max_jobs: int | None = None


class _Tokens(Struct):
    items: list[Token]


class _People(Struct):
    items: list[Person]


def add_passwd_flags(parser: Parser) -> None:
    """What `passwd` takes."""
    parser.add_argument("--password-stdin", action="store_true", help="the old and the new one, a line each")


def add_tokens_flags(parser: Parser) -> None:
    """What `tokens` takes."""
    parser.add_argument("what", nargs="?", default="list", type=one_of("list", "revoke"), help="list, revoke")
    parser.add_argument("ids", nargs="*", type=whole, metavar="ID", help="the logins to end")


def add_users_flags(parser: Parser) -> None:
    """What `users` takes."""
    words = ("list", "add", "change", "disable", "enable", "password")
    parser.add_argument("what", nargs="?", default="list", type=one_of(*words), help=", ".join(words))
    parser.add_argument("user", nargs="?", default="", metavar="NAME", help="the user")
    parser.add_argument(
        "--role", type=one_of(*(role.value for role in Role)), help="add, change: viewer, researcher or admin"
    )
    parser.add_argument("--gpus", type=_quota, metavar="N", help="change: GPUs at a time; default is no own")
    parser.add_argument("--jobs", type=_quota, metavar="N", help="change: jobs at a time; default is no own")
    parser.add_argument("--password-stdin", action="store_true", help="add, password: the new password")


def _quota(text: str) -> int | str:
    return text if text == "default" else whole(text)


def passwd(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:  # noqa: ARG001
    """Change one's own password; all other logins end."""
    at = the_server(args, contexts)
    old = prompt.secret("Old password", from_stdin=args.password_stdin)
    new = prompt.secret("New password", from_stdin=args.password_stdin, new=True)
    asyncio.run(at.tell("POST", "/api/auth/password", old=old.reveal(), new=new.reveal()))
    say(f"The password of {at.account.user} at {at.account.url} is changed; your other logins have ended.")
    return 0


def tokens(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:  # noqa: ARG001
    """List one's own logins, or end some."""
    at = the_server(args, contexts)
    if args.what == "revoke":
        for number in _given(args.ids, "ID"):
            asyncio.run(at.tell("DELETE", f"/api/auth/tokens/{number}"))
            say(f"The login {number} has ended.")
        return 0
    found = asyncio.run(at.call("GET", "/api/auth/tokens", _Tokens)).items
    _put(args, found, lambda one: str(one.id), {
        "": lambda one: "*" if one.current else "",
        "ID": lambda one: str(one.id),
        "NAME": lambda one: one.name,
        "USED": lambda one: span((datetime.now(UTC) - one.last_used).total_seconds()),
        "EXPIRES": lambda one: local_time(one.expires),
    })  # fmt: skip
    return 0


def users(args: argparse.Namespace, contexts: Contexts, loaded: Loaded) -> int:
    """List people, make accounts, change them. For admins."""
    at = the_server(args, contexts)
    if args.what == "list":
        found = asyncio.run(at.call("GET", "/api/users", _People)).items
    else:
        may_change(args, loaded, "users")
        found = [_change(at, args)]
    _put(args, found, lambda one: one.user, {
        "USER": lambda one: one.user,
        "ROLE": lambda one: one.role,
        "GPUS": lambda one: _limit(one.max_gpus),
        "JOBS": lambda one: _limit(one.max_jobs),
        "STATE": lambda one: "disabled" if one.disabled else "",
    })  # fmt: skip
    return 0


def _change(at: ServerAccount, args: argparse.Namespace) -> Person:
    (name,) = _given([args.user] if args.user else [], "NAME")
    body: dict[str, Any] = {"role": args.role} if args.role else {}
    if args.what in ("add", "password"):
        question = f"Password of {name}"
        body["password"] = prompt.secret(question, from_stdin=args.password_stdin, new=True).reveal()
    if args.what in ("disable", "enable"):
        body = {"disabled": args.what == "disable"}
    if args.what == "add":
        return asyncio.run(at.call("POST", "/api/users", Person, user=name, **body))
    for field, value in (("max_gpus", args.gpus), ("max_jobs", args.jobs)):
        if value is not None:
            body[field] = None if value == "default" else value
    if not body:
        raise Invalid({"users change": "say what: --role, --gpus or --jobs"})
    return asyncio.run(at.call("PATCH", f"/api/users/{quote(name, safe='')}", Person, **body))


def _given(words: Sequence[Any], what: str) -> Sequence[Any]:
    if not words:
        raise Invalid({what: "is missing"})
    return words


def _limit(value: int | None) -> str:
    return "" if value is None else str(value)


def _put(
    args: argparse.Namespace,
    found: Sequence[Any],
    name: Callable[[Any], str],
    columns: Mapping[str, Callable[[Any], str]],
) -> None:
    """A list as it was asked for."""
    if args.output == "name":
        for one in found:
            put(name(one))
    elif not put_as(args.output, lambda: [to_builtins(one) for one in found]):
        Table([*columns], ([cell(one) for cell in columns.values()] for one in found)).put()


PASSWD = ContextsHandler(passwd, add_passwd_flags)
TOKENS = ContextsHandler(tokens, add_tokens_flags)
USERS = ContextsHandler(users, add_users_flags)
