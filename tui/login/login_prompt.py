"""The login screen over the work: brought by a login that has ended, or by a key; at most one."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

from backend_client.accounts import HasAccounts
from backend_client.errors import BackendError, LoginNeeded

if TYPE_CHECKING:
    from backend_client.server.accounts import Account
    from tui.app import TraindeckApp

_LOOK_AGAIN = 30.0
"""Seconds until a login on another terminal is noticed."""


class LoginPrompt:
    """Who meets the end of a login asks here, and waits here until somebody has logged in again."""

    def __init__(self, app: "TraindeckApp") -> None:
        self._app = app
        self._entered = asyncio.Event()
        self.needed = False
        """A login has ended, and nobody has logged in since."""
        self._declined = False
        """Somebody has left the screen without a login: only a key brings it back."""

    def _here(self) -> "tuple[HasAccounts, Account] | None":
        """The account of the context in use, where that is one."""
        try:
            way, plain = self._app.contexts.source_of(self._app.context)
            return (way, way.account(plain)) if isinstance(way, HasAccounts) else None
        except BackendError:
            return None

    def ask(self, error: BackendError) -> bool:
        """Bring the screen where this is the end of a login at a server; True where it is."""
        if not isinstance(error, LoginNeeded) or not (here := self._here()):
            return False
        self.needed = True
        if not self._declined:
            self._show(*here, error.title)
        return True

    async def wait_for_login(self, error: BackendError) -> bool:
        """Wait for another login; True when it is worth another try, False where no login helps."""
        entered = self._entered
        if not self.ask(error):
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(entered.wait(), _LOOK_AGAIN)
        return True

    def login_ok(self) -> None:
        """The context answers: the login holds."""
        self.needed = self._declined = False

    def show(self) -> None:
        """Bring the screen because a person wants it."""
        here = self._here()
        known = [way for way in self._app.contexts.sources if isinstance(way, HasAccounts)]
        if known:
            self._show(known[0], here[1] if here else None)
        else:
            self._app.notify("There is no way to a traindeck server here.")

    def _show(self, source: HasAccounts, account: "Account | None", why: str = "") -> None:
        from tui.login.login_screen import LoginScreen  # noqa: PLC0415  most never see it

        if not any(isinstance(screen, LoginScreen) for screen in self._app.screen_stack):
            self._app.push_screen(
                LoginScreen(source, account, why), lambda account: self._left(source, account)
            )

    def _left(self, source: HasAccounts, account: "Account | None") -> None:
        """Logged in, logged out (an account without a store), or neither."""
        here = self._here()
        self._declined = account is None
        if account is None:
            return
        if account.store and here and here[1].key == account.key:
            self._entered.set()
            self._entered = asyncio.Event()
        else:
            self._app.switch_to(f"{source.kind}:{account.name}")
