"""How somebody comes in, and goes: a password for a token, a new account, the end of a login."""

from datetime import datetime

from fastapi import Request
from msgspec import Struct
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
from backend.auth.users import add_user, check_user_name, find_user
from backend.db.models import Token, User
from backend.runtime import Runtime
from backend_client.errors import Forbidden, LoginNeeded
from backend_client.server.roles import Role

_WRONG_LOGIN = "The user or the password is wrong."
HINT = "Try again; an admin can set a new password."


class LoggedIn(Struct, frozen=True):
    """A new login."""

    token: str
    """Shown this once."""
    user: str
    role: Role
    expires: datetime


class Entrance(Struct, frozen=True):
    """From where somebody comes in."""

    address: str
    request_id: str
    token: str | None = None
    """The one that the request shows, valid or not."""
    name: str = ""
    """What the login is called in the list of one's logins: where its token is used."""


def entrance(request: Request, name: str = "") -> Entrance:
    """Return from where a request comes in."""
    return Entrance(address_of(request), request_id(request), token_of(request.headers), name)


async def log_in(runtime: Runtime, user_name: str, password: str, origin: Entrance) -> LoggedIn:
    """Give a token for a user and a password. Raises LoginNeeded, Forbidden, TooMany.

    With an earlier token of this user, valid or not, wrong passwords from elsewhere do not count.
    """
    async with runtime.database.read() as session:
        user = await find_user(session, user_name)
        earlier = await _earlier_login(session, user, runtime, origin)
    place = f"login {earlier}" if earlier else origin.address
    if earlier:
        runtime.throttle.trust(user_name.casefold(), place)
    async with guard_password(runtime.throttle, user_name, place) as attempt:
        stored = user.password_hash if user else None
        attempt.succeeded = await runtime.passwords.verify(stored, password, network(place))
    if not user or not stored or not attempt.succeeded:
        await _record_denied(runtime, user, origin)
        raise LoginNeeded(_WRONG_LOGIN, HINT)
    if user.disabled:  # told only to whoever knows the password
        await _record_denied(runtime, user, origin, "the account is disabled")
        raise Forbidden(f"The account {user.name} is disabled.", "An admin of this server can enable it.")
    rehashed = stored
    if runtime.passwords.needs_rehash(stored):
        rehashed = await runtime.passwords.hash(password, network(place))
    async with runtime.database.write() as session:
        user = await _lock_unchanged(session, user.id, stored)
        user.password_hash = rehashed
        return await _issue(session, user, runtime, origin, "login")


async def register(
    runtime: Runtime, user_name: str, password: str, origin: Entrance, *, code: str = ""
) -> LoggedIn:
    """Add an account: the first admin's with the set-up code, else a viewer's where registration is open.

    Raises Forbidden, Invalid, Conflict, TooMany.
    """
    if not code:
        await check_registration(runtime)
        check_user_name(user_name)
        check_new_password(password, user_name)
        runtime.registrations.take(origin.address)
    hashed = await runtime.passwords.hash_new(password, user_name, network(origin.address))
    async with runtime.database.write() as session:
        if code:
            await redeem_setup_code(session, code)
        user = await add_user(session, user_name, hashed, Role.ADMIN if code else Role.VIEWER)
        answer = await _issue(session, user, runtime, origin, "register")
    if code:
        runtime.first_admin.set_exists()
    return answer


async def check_registration(runtime: Runtime) -> None:
    """Check that everybody may make an account of their own. Raises Forbidden."""
    if runtime.settings.registration == "closed" or not await runtime.first_admin.exists():
        raise Forbidden(
            "This server takes no registrations.", "An admin makes accounts; the first has a code."
        )


async def log_out(runtime: Runtime, caller: Caller) -> None:
    """End the caller's login."""
    async with runtime.database.write() as session:
        ended = await tokens.revoke(session, caller.user_id, only=caller.token_id)
        await record(session, caller, "logout")
    runtime.revocations.revoke(ended)


async def change_password(runtime: Runtime, caller: Caller, old: str, new: str) -> None:
    """Change the caller's password; all other logins end. Raises Forbidden, Invalid, LoginNeeded, TooMany."""
    origin = f"login {caller.token_id}"
    async with guard_password(runtime.throttle, caller.name, origin) as attempt:
        async with runtime.database.read() as session:
            stored = (await session.get_one(User, caller.user_id)).password_hash
        attempt.succeeded = await runtime.passwords.verify(stored, old, origin)
    if not attempt.succeeded:
        raise Forbidden("The old password is wrong.", HINT)
    hashed = await runtime.passwords.hash_new(new, caller.name, origin)
    async with runtime.database.write() as session:
        (await _lock_unchanged(session, caller.user_id, stored)).password_hash = hashed
        ended = await tokens.revoke(session, caller.user_id, keep=caller.token_id)
        await record(session, caller, "password")
    runtime.revocations.revoke(ended)


async def _issue(
    session: AsyncSession, user: User, runtime: Runtime, origin: Entrance, verb: str
) -> LoggedIn:
    token, row = await tokens.issue(session, user.id, one_line(origin.name), runtime.settings)
    caller = Caller(user.id, user.name, Role(user.role), row.id, origin.address, origin.request_id)
    await record(session, caller, verb, origin.name)
    runtime.known_logins.add(token.reveal())
    return LoggedIn(token.reveal(), user.name, Role(user.role), row.expires)


async def _earlier_login(
    session: AsyncSession, user: User | None, runtime: Runtime, origin: Entrance
) -> int | None:
    """Return the id of the login that a request shows, valid or ended, where it is this user's."""
    digest = runtime.known_logins.find(origin.token)
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
    runtime: Runtime, user: User | None, origin: Entrance, why: str = "wrong user or password"
) -> None:
    """Record a failed login, without a name that nobody has: some type their password there."""
    name = user.name if user else "(unknown)"
    caller = Caller(0, name, Role.VIEWER, 0, origin.address, origin.request_id)
    async with runtime.database.write() as session:
        await record(session, caller, "login", result=why)
