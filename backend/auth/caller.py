"""The caller of a request: its token is looked up each time, so a revoked one ends at once."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection
from fastapi.security import HTTPBearer
from msgspec import Struct
from sqlalchemy import bindparam, select
from starlette.datastructures import Headers

from backend.auth.cookie import token_of
from backend.auth.tokens import digest, well_formed
from backend.db.engine import Database
from backend.db.models import EVERY_TEAM, Token, User
from backend_client.errors import LoginNeeded
from backend_client.server.roles import Role

bearer = HTTPBearer(bearerFormat="td_…", scheme_name="token", auto_error=False)
ENDED = "This login has ended."
HINT = "Log in again: traindeck login"
_LOGIN = (
    select(
        Token.id,
        Token.user_id,
        Token.revoked,
        Token.expires,
        Token.last_used,
        User.name,
        User.role,
        User.team,
        User.disabled,
    )
    .join(User, User.id == Token.user_id)
    .where(Token.digest == bindparam("digest"))
)
"""Made once: every request asks it, and making it takes longer than the answer."""


class Caller(Struct, frozen=True):
    """The person behind one request, and the login that they used."""

    user_id: int
    name: str
    role: Role
    token_id: int
    address: str
    """Of the client; `uid 1000` over a unix socket."""
    request_id: str
    team: frozenset[int] | None = frozenset()
    """Ids of other people whose jobs they may see, for a viewer those of the team; None is everybody's."""


async def current_caller(request: Request, _scheme: Annotated[Any, Depends(bearer)]) -> Caller:
    """Return the caller of a request: the dependency of all but the public routes. Raises LoginNeeded."""
    return await caller_of(request)


async def caller_of(request: HTTPConnection) -> Caller:
    """Return the caller of a request or of a WebSocket. Raises LoginNeeded."""
    try:
        caller = request.state.caller = await identify(request)
    except LoginNeeded:
        if token_of(request.headers) is not None:
            request.app.state.runtime.throttle.refused["token"] += 1
        raise
    return caller


async def identify(request: HTTPConnection) -> Caller:
    """Return the person behind a request, and note that their login is in use. Raises LoginNeeded."""
    state = request.app.state.runtime
    token, now = shown_token(request.headers), datetime.now(UTC)
    login = await _find(state.database, token)
    if login is None or login.revoked or login.expires <= now:
        raise LoginNeeded(ENDED, HINT)
    if login.last_used <= now - timedelta(seconds=state.settings.token_idle):
        raise LoginNeeded("This login was unused for too long, and has ended.", HINT)
    if login.disabled:
        raise LoginNeeded(f"The account {login.name} is disabled.", "An admin of this server can enable it.")
    if login.last_used < now - timedelta(minutes=1):
        state.last_uses.note(login.id)
    return Caller(
        login.user_id,
        login.name,
        Role(login.role),
        login.id,
        address_of(request),
        request_id(request),
        await _team_of(state.database, Role(login.role), login.team),
    )


def shown_token(headers: Headers) -> str:
    """Return the token of a request. Raises LoginNeeded where it shows none of ours."""
    token = token_of(headers)
    if token is None:
        raise LoginNeeded("Nobody is logged in.", "Log in: traindeck login")
    if not well_formed(token):
        raise LoginNeeded("This is no token of a traindeck server.", HINT)
    return token


def address_of(request: HTTPConnection) -> str:
    """Return the client's IP address; `uid 1000` over a unix socket."""
    return request.client.host if request.client and request.client.host else "local"


def request_id(request: HTTPConnection) -> str:
    """Return the id of a request, which the log and the answer carry."""
    return str(request.scope.get("request_id", ""))


async def _find(database: Database, token: str) -> Any:
    async with database.read() as session:
        return (await session.execute(_LOGIN, {"digest": digest(token)})).one_or_none()


async def _team_of(database: Database, role: Role, team: str) -> frozenset[int] | None:
    """Return whose jobs somebody of this role and team may see beside their own."""
    if role is Role.ADMIN or (role is Role.VIEWER and team == EVERY_TEAM):
        return None
    if role is not Role.VIEWER or not team:
        return frozenset()
    async with database.read() as session:
        return frozenset(await session.scalars(select(User.id).where(User.team == team)))
