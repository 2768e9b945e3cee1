"""The limit of open registration: so many new accounts an hour from one address, and in all."""

from backend.auth.login_throttle import network
from backend.auth.password_guard import TooMany
from backend.rate_limit import RateLimiter

HOUR = 3600.0
PER_ADDRESS = 10
"""An hour. A room of students behind one address fits in; whoever fills a database does not."""
IN_ALL = 100
"""An hour."""


class RegistrationLimit:
    """The registrations of the last hour, in memory."""

    def __init__(self) -> None:
        self._addresses = RateLimiter(PER_ADDRESS / HOUR, PER_ADDRESS)
        self._all = RateLimiter(IN_ALL / HOUR, IN_ALL)

    def take(self, address: str) -> None:
        """Count one registration. Raises TooMany."""
        near = network(address) if ":" in address else address
        wait = self._addresses.take(near) or self._all.take("")
        if wait:
            hint = f"Try again in {max(1, round(wait / 60))} min, or ask an admin for an account."
            raise TooMany("Too many registrations within an hour.", hint, wait)
