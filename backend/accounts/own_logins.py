"""One's own logins: listed, and ended one by one."""

from collections.abc import Sequence

from backend.audit import record
from backend.auth import tokens
from backend.auth.caller import Caller
from backend.auth.stream_revocation import LOGIN_ENDED
from backend.db.models import Token
from backend.runtime import Runtime
from backend_client.errors import NotFound


async def list_logins(runtime: Runtime, caller: Caller) -> Sequence[Token]:
    """List the caller's logins that hold, newest first; `caller.token_id` is the one that asks."""
    async with runtime.database.read() as session:
        return await tokens.live_tokens(session, caller.user_id, runtime.settings)


async def revoke_login(runtime: Runtime, caller: Caller, token_id: int) -> None:
    """End one of the caller's logins. Raises NotFound."""
    async with runtime.database.write() as session:
        ended = await tokens.revoke(session, caller.user_id, only=token_id)
        if not ended:
            raise NotFound(f"You have no login {token_id}.", "traindeck tokens lists them.")
        await record(session, caller, "revoke", f"token {token_id}")
    runtime.revocations.revoke(ended, LOGIN_ENDED)


async def revoke_other_logins(runtime: Runtime, caller: Caller) -> None:
    """End all of the caller's logins but the one that asks."""
    async with runtime.database.write() as session:
        ended = await tokens.revoke(session, caller.user_id, keep=caller.token_id)
        await record(session, caller, "revoke", "all other tokens")
    runtime.revocations.revoke(ended, LOGIN_ENDED)
