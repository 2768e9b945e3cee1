"""Routes of a user's own account: register, log in and out, password, tokens."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.audit import one_line, record
from backend.auth import tokens
from backend.auth.caller import Caller, address_of, request_id
from backend.auth.cookie import token_of
from backend.auth.first_admin import redeem_setup_code
from backend.auth.login_throttle import network
from backend.auth.password_guard import guard_password
from backend.auth.passwords import check_new_password
from backend.auth.stream_revocation import LOGIN_ENDED
from backend.auth.users import add_user, check_user_name, find_user
from backend.db.models import Token, User
from backend.routes.bodies import RequestModel
from backend.routes.deps import CurrentCaller, RuntimeDep
from backend.runtime import Runtime
from backend_client.errors import Forbidden, LoginNeeded, NotFound
from backend_client.server.roles import Role

router = APIRouter(prefix="/api/auth", tags=["auth"])
_WRONG_LOGIN = "The user or the password is wrong."
HINT = "Try again; an admin can set a new password."


class Login(RequestModel):
    """Who logs in, and from where the token will be used ("name")."""

    user: str = Field(max_length=64)
    password: SecretStr
    name: str = Field("", max_length=tokens.MAX_NAME_LENGTH)


class Register(Login):
    """A new account; `code` is the set-up code of the first admin."""

    code: SecretStr = SecretStr("")


class NewPassword(RequestModel):
    """A password and its successor."""

    old: SecretStr
    new: SecretStr


class LoggedIn(BaseModel):
    """The token, which is shown this once."""

    token: str
    user: str
    role: Role
    expires: datetime


class Account(BaseModel):
    """Who one is."""

    user: str
    role: Role
    token_id: int


class TokenInfo(BaseModel):
    """One login. Times are UTC."""

    id: int
    name: str
    created: datetime
    expires: datetime
    last_used: datetime
    current: bool
    """The one that asks."""


class Tokens(BaseModel):
    """One's own logins, newest first."""

    items: list[TokenInfo]


@router.post("/register", status_code=201)
async def register(body: Register, runtime: RuntimeDep, request: Request) -> LoggedIn:
    """A new account: the first admin's with the set-up code, else a viewer's where registration is open."""
    code = body.code.get_secret_value()
    if not code and (runtime.settings.registration == "closed" or not await runtime.first_admin.exists()):
        raise Forbidden(
            "This server takes no registrations.", "An admin makes accounts; the first has a code."
        )
    password, origin = body.password.get_secret_value(), network(address_of(request))
    if not code:
        check_user_name(body.user)
        check_new_password(password, body.user)
        runtime.registrations.take(address_of(request))
    hashed = await runtime.passwords.hash_new(password, body.user, origin)
    async with runtime.database.write() as session:
        if code:
            await redeem_setup_code(session, code)
        user = await add_user(session, body.user, hashed, Role.ADMIN if code else Role.VIEWER)
        answer = await _log_in(session, user, body.name, runtime, request, "register")
    if code:
        runtime.first_admin.set_exists()
    return answer


@router.post("/login")
async def login(body: Login, runtime: RuntimeDep, request: Request) -> LoggedIn:
    """A token for a user and a password.

    With an earlier token of this user as bearer, valid or not, wrong passwords from elsewhere do not count.
    """
    password, address = body.password.get_secret_value(), address_of(request)
    async with runtime.database.read() as session:
        user = await find_user(session, body.user)
        earlier = await _earlier_login(session, user, runtime, request)
    place = f"login {earlier}" if earlier else address
    if earlier:
        runtime.throttle.trust(body.user.casefold(), place)
    async with guard_password(runtime.throttle, body.user, place) as attempt:
        stored = user.password_hash if user else None
        attempt.succeeded = await runtime.passwords.verify(stored, password, network(place))
    if not user or not stored or not attempt.succeeded:
        await _record_denied(runtime, user, request)
        raise LoginNeeded(_WRONG_LOGIN, HINT)
    if user.disabled:  # told only to whoever knows the password
        await _record_denied(runtime, user, request, "the account is disabled")
        raise Forbidden(f"The account {user.name} is disabled.", "An admin of this server can enable it.")
    rehashed = stored
    if runtime.passwords.needs_rehash(stored):
        rehashed = await runtime.passwords.hash(password, network(place))
    async with runtime.database.write() as session:
        user = await _lock_unchanged(session, user.id, stored)
        user.password_hash = rehashed
        return await _log_in(session, user, body.name, runtime, request, "login")


@router.post("/logout", status_code=204, response_class=Response)
async def logout(caller: CurrentCaller, runtime: RuntimeDep) -> None:
    """End this login."""
    async with runtime.database.write() as session:
        ended = await tokens.revoke(session, caller.user_id, only=caller.token_id)
        await record(session, caller, "logout")
    runtime.revocations.revoke(ended)


@router.get("/me")
async def whoami(caller: CurrentCaller) -> Account:
    """Who calls."""
    return Account(user=caller.name, role=caller.role, token_id=caller.token_id)


@router.post("/password", status_code=204, response_class=Response)
async def password(body: NewPassword, caller: CurrentCaller, runtime: RuntimeDep) -> None:
    """Change it; all other logins end."""
    origin = f"login {caller.token_id}"
    async with guard_password(runtime.throttle, caller.name, origin) as attempt:
        async with runtime.database.read() as session:
            stored = (await session.get_one(User, caller.user_id)).password_hash
        attempt.succeeded = await runtime.passwords.verify(stored, body.old.get_secret_value(), origin)
    if not attempt.succeeded:
        raise Forbidden("The old password is wrong.", HINT)
    hashed = await runtime.passwords.hash_new(body.new.get_secret_value(), caller.name, origin)
    async with runtime.database.write() as session:
        (await _lock_unchanged(session, caller.user_id, stored)).password_hash = hashed
        ended = await tokens.revoke(session, caller.user_id, keep=caller.token_id)
        await record(session, caller, "password")
    runtime.revocations.revoke(ended)


@router.get("/tokens")
async def list_tokens(caller: CurrentCaller, runtime: RuntimeDep) -> Tokens:
    """One's own logins that hold."""
    async with runtime.database.read() as session:
        rows = await tokens.live_tokens(session, caller.user_id, runtime.settings)
    names = ("id", "name", "created", "expires", "last_used")
    infos = [
        {name: getattr(row, name) for name in names} | {"current": row.id == caller.token_id} for row in rows
    ]
    return Tokens(items=[TokenInfo(**row) for row in infos])


@router.delete("/tokens/{token_id}", status_code=204, response_class=Response)
async def revoke_token(
    token_id: Annotated[int, Path(ge=1, le=2**62)], caller: CurrentCaller, runtime: RuntimeDep
) -> None:
    """End one of one's own logins."""
    async with runtime.database.write() as session:
        ended = await tokens.revoke(session, caller.user_id, only=token_id)
        if not ended:
            raise NotFound(f"You have no login {token_id}.", "traindeck tokens lists them.")
        await record(session, caller, "revoke", f"token {token_id}")
    runtime.revocations.revoke(ended, LOGIN_ENDED)


async def _log_in(  # noqa: PLR0917  one for each part of a login
    session: AsyncSession, user: User, name: str, runtime: Runtime, request: Request, verb: str
) -> LoggedIn:
    token, row = await tokens.issue(session, user.id, one_line(name), runtime.settings)
    await record(session, _caller_of(user, row.id, request), verb, name)
    runtime.known_logins.add(token.reveal())
    return LoggedIn(token=token.reveal(), user=user.name, role=Role(user.role), expires=row.expires)


async def _earlier_login(
    session: AsyncSession, user: User | None, runtime: Runtime, request: Request
) -> int | None:
    """Return the id of the login that a request shows, valid or ended, where it is this user's."""
    digest = runtime.known_logins.find(token_of(request.headers))
    if not user or not digest:
        return None
    found: int | None = await session.scalar(
        select(Token.id).where(Token.digest == digest, Token.user_id == user.id)
    )
    return found


async def _lock_unchanged(session: AsyncSession, user_id: int, stored: str) -> User:
    """Lock the user whose password is still the one that was verified. Raises LoginNeeded."""
    user = await session.get_one(User, user_id, with_for_update=True, populate_existing=True)
    if user.password_hash != stored:
        raise LoginNeeded(_WRONG_LOGIN, HINT)
    return user


async def _record_denied(
    runtime: Runtime, user: User | None, request: Request, why: str = "wrong user or password"
) -> None:
    """Record a failed login, without a name that nobody has: some type their password there."""
    name = user.name if user else "(unknown)"
    caller = Caller(0, name, Role.VIEWER, 0, address_of(request), request_id(request))
    async with runtime.database.write() as session:
        await record(session, caller, "login", result=why)


def _caller_of(user: User, token_id: int, request: Request) -> Caller:
    return Caller(user.id, user.name, Role(user.role), token_id, address_of(request), request_id(request))
