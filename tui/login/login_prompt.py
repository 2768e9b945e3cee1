"""The login screen over the work: opened by a login that has ended, or by a key; at most one."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from backend_client.accounts import HasAccounts
from backend_client.contexts import Contexts
from backend_client.errors import BackendError, LoginNeeded
from tui.messages import OpenLogin, RequestHandler, SwitchContext

if TYPE_CHECKING:
    from backend_client.server.accounts import Account

LOOK_AGAIN_SECONDS = 30.0
"""Seconds until a login on another terminal is noticed."""


class LoginPrompt:
    """Brings the login screen when a login has ended; callers can wait until somebody has logged in."""

    def __init__(self, contexts: Contexts, current: Callable[[], str], request: RequestHandler) -> None:
        """Make the prompt of a session. `current` returns the name of the context in use."""
        self._contexts = contexts
        self._current = current
        self._request = request
        self._logged_in = asyncio.Event()
        self.needed = False
        """A login has ended, and nobody has logged in since."""
        self._declined = False
        """Somebody has left the screen without a login: only a key brings it back."""

    def _account_in_use(self) -> "tuple[HasAccounts, Account] | None":
        """Return the account of the context in use, where that is one."""
        try:
            source, plain = self._contexts.source_of(self._current())
            return (source, source.account(plain)) if isinstance(source, HasAccounts) else None
        except BackendError:
            return None

    def ask(self, error: BackendError) -> bool:
        """Open the screen where this error is the end of a login at a server; True where it is."""
        if not isinstance(error, LoginNeeded) or not (in_use := self._account_in_use()):
            return False
        self.needed = True
        if not self._declined:
            self._open(*in_use, error.title)
        return True

    async def wait_for_login(self, error: BackendError) -> bool:
        """Wait for another login; True when it is worth another try, False where no login helps."""
        logged_in = self._logged_in
        if not self.ask(error):
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(logged_in.wait(), LOOK_AGAIN_SECONDS)
        return True

    def login_ok(self) -> None:
        """Note that the context answers: the login is valid."""
        self.needed = self._declined = False

    def show(self) -> bool:
        """Open the screen because a person wants it; False where there is no server to log in at."""
        in_use = self._account_in_use()
        servers = [source for source in self._contexts.sources if isinstance(source, HasAccounts)]
        if servers:
            self._open(servers[0], in_use[1] if in_use else None)
        return bool(servers)

    def _open(self, source: HasAccounts, account: "Account | None", reason: str = "") -> None:
        self._request(OpenLogin(source, account, reason, partial(self._closed, source)))

    def _closed(self, source: HasAccounts, account: "Account | None") -> None:
        """Take up how the screen was left: logged in, logged out (an account without a store), or neither."""
        in_use = self._account_in_use()
        self._declined = account is None
        if account is None:
            return
        if account.store and in_use and in_use[1].key == account.key:
            self._logged_in.set()
            self._logged_in = asyncio.Event()
        else:
            self._request(SwitchContext(f"{source.kind}:{account.name}", remember=bool(account.store)))
