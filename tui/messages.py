"""What a screen asks of the App: to open another screen, to switch the context, to ask for permissions anew.

These requests go through `Session.request`, and the App answers at once. They are not Textual messages: a
posted message waits behind the keys that arrived together with its own, and these would still act on the
screen that is being left (typed in one burst, `n` opens the form and `u` would resume the job below it).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend_client.server.contexts import ServerContexts

if TYPE_CHECKING:
    from backend_client.server.accounts import Account


class AppRequest:
    """Something that only the App can do."""


RequestHandler = Callable[[AppRequest], None]


@dataclass(frozen=True)
class SwitchContext(AppRequest):
    """Begin anew in another context, and remember it."""

    name: str


@dataclass(frozen=True)
class RecheckPermissions(AppRequest):
    """Ask the context in use again what this person may do."""


@dataclass(frozen=True)
class SendToTerminal(AppRequest):
    """Send the terminal something beside the picture: a bell, a notification."""

    sequence: str


@dataclass(frozen=True)
class OpenLogin(AppRequest):
    """Open the login screen, unless it is open already."""

    servers: ServerContexts
    account: "Account | None"
    """Whose server and name the screen begins with."""
    reason: str
    """What made a login necessary, as a sentence; "" where a person asked for the screen."""
    on_close: "Callable[[Account | None], None]"
