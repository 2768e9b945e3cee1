"""Routes of a user's own account: register, log in and out, password, tokens."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field, SecretStr

from backend.accounts import log_in, own_logins
from backend.auth.tokens import MAX_NAME_LENGTH
from backend.routes.bodies import RequestModel
from backend.routes.deps import CurrentCaller, RuntimeDep
from backend_client.server.roles import Role

router = APIRouter(prefix="/api/auth", tags=["auth"])


class Login(RequestModel):
    """Who logs in, and from where the token will be used ("name")."""

    user: str = Field(max_length=64)
    password: SecretStr
    name: str = Field("", max_length=MAX_NAME_LENGTH)


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
    came = await log_in.register(
        runtime,
        body.user,
        body.password.get_secret_value(),
        log_in.entrance(request, body.name),
        code=body.code.get_secret_value(),
    )
    return _answer(came)


@router.post("/login")
async def login(body: Login, runtime: RuntimeDep, request: Request) -> LoggedIn:
    """A token for a user and a password.

    With an earlier token of this user as bearer, valid or not, wrong passwords from elsewhere do not count.
    """
    password, origin = body.password.get_secret_value(), log_in.entrance(request, body.name)
    return _answer(await log_in.log_in(runtime, body.user, password, origin))


@router.post("/logout", status_code=204, response_class=Response)
async def logout(caller: CurrentCaller, runtime: RuntimeDep) -> None:
    """End this login."""
    await log_in.log_out(runtime, caller)


@router.get("/me")
async def whoami(caller: CurrentCaller) -> Account:
    """Who calls."""
    return Account(user=caller.name, role=caller.role, token_id=caller.token_id)


@router.post("/password", status_code=204, response_class=Response)
async def password(body: NewPassword, caller: CurrentCaller, runtime: RuntimeDep) -> None:
    """Change it; all other logins end."""
    await log_in.change_password(runtime, caller, body.old.get_secret_value(), body.new.get_secret_value())


@router.get("/tokens")
async def list_tokens(caller: CurrentCaller, runtime: RuntimeDep) -> Tokens:
    """One's own logins that hold."""
    rows = await own_logins.list_logins(runtime, caller)
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
    await own_logins.revoke_login(runtime, caller, token_id)


def _answer(came: log_in.LoggedIn) -> LoggedIn:
    return LoggedIn(token=came.token, user=came.user, role=came.role, expires=came.expires)
