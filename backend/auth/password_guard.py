"""One try of a password, throttled before and counted after."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.error_responses import TooMany
from backend.runtime import Runtime


class PasswordAttempt:
    """Whether the password was right; set it before the guard ends."""

    succeeded = False


@asynccontextmanager
async def guard_password(runtime: Runtime, user: str, address: str) -> AsyncIterator[PasswordAttempt]:
    """Around one look at a password. Raises TooMany."""
    account = user.casefold()
    wait = runtime.throttle.wait(account, address)
    if wait:
        seconds = math.ceil(wait)
        raise TooMany("Too many wrong passwords.", f"Wait {seconds} s, then try again.", seconds)
    runtime.throttle.failed(account, address)  # before the look: many tries at once count as many
    tried = PasswordAttempt()
    yield tried
    if tried.succeeded:
        runtime.throttle.succeeded(account, address)
