"""Targets that an admin writes in the server's settings, for services that apprise knows.

Never for a text of a person: apprise opens its own connections, to wherever its URL says.
"""

import asyncio
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from pydantic import SecretStr

from backend_client.errors import Invalid, Refused, Unreachable
from backend_client.models.names import closest_match

LIMIT_SECONDS = 12.0


class SiteTargets:
    """The targets of the setting `alert_targets`, by name."""

    def __init__(self, targets: Mapping[str, SecretStr]) -> None:
        self._targets = targets

    @property
    def names(self) -> Sequence[str]:
        """The names that people may choose."""
        return sorted(self._targets)

    def check(self, name: str) -> None:
        """Check that a target is there and can be used. Raises Invalid, Refused."""
        if name not in self._targets:
            likely = closest_match(name, self.names)
            known = ", ".join(self.names) or "none"
            raise Invalid(
                {
                    "address": f"there is no target {name}; "
                    + (f"did you mean {likely}?" if likely else f"there are: {known}")
                }
            )
        _load()

    async def send(self, name: str, title: str, text: str) -> None:
        """Send a message to a target. Raises Refused, Unreachable."""
        self.check(name)
        apprise = _load()
        sender = apprise.Apprise()
        if not sender.add(self._targets[name].get_secret_value()):
            raise Refused(
                f"The target {name} is none that apprise can read.", "Its admin corrects alert_targets."
            )
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                sent = await sender.async_notify(title=title, body=text)
        except TimeoutError:
            raise Unreachable(f"The target {name} has not answered within {LIMIT_SECONDS:g} s.") from None
        if not sent:
            raise Unreachable(f"The target {name} did not take the message.")


def _load() -> Any:
    try:
        return import_module("apprise")  # an extra, and a fifth of a second to load
    except ImportError:
        raise Refused(
            "This server has no apprise, which targets of the site need.", "pip install 'traindeck[apprise]'"
        ) from None
