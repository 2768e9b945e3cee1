"""The guard around each check of a password: throttled before, counted as a failure until it succeeds."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.auth.login_throttle import LoginThrottle
from backend_client.errors import Refused


class TooMany(Refused):
    """Too many tries: wait `retry_after` seconds, then try again (429)."""

    def __init__(self, title: str, hint: str, retry_after: float) -> None:
        super().__init__(title, hint)
        self.retry_after = retry_after
        """Seconds."""


class PasswordAttempt:
    """One check of a password; set `succeeded` before the guard ends."""

    succeeded = False


@asynccontextmanager
async def guard_password(throttle: LoginThrottle, user: str, address: str) -> AsyncIterator[PasswordAttempt]:
    """Throttle one check of a user's password from an address. Raises TooMany."""
    account = user.casefold()
    wait = throttle.wait(account, address)
    if wait:
        throttle.refused["throttled"] += 1
        seconds = math.ceil(wait)
        raise TooMany(
            "Too many wrong passwords.",
            f"Wait {seconds} s, then try again. Where you have logged in before, `traindeck login` need not "
            "wait for the tries of others.",
            seconds,
        )
    throttle.failed(account, address)  # before the check: many tries at once count as many
    attempt = PasswordAttempt()
    try:
        yield attempt
    finally:
        if attempt.succeeded:
            throttle.succeeded(account, address)
        else:
            throttle.refused["password"] += 1
