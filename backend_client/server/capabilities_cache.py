"""A cache file of a server's capabilities, so that a form can be drawn before the server has answered."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from backend_client.errors import Refused
from backend_client.private_files import read_private, update_private
from backend_client.protocol import Feature
from backend_client.server.capabilities import UNKNOWN, Capabilities

_SWITCHED = (Feature.EXEC, Feature.PORTS)
"""An admin can switch them on at any time, and a verb asks but once: that they are absent is not kept."""


class CapabilitiesCache:
    """The capabilities of one context, in a file. One that cannot be read or written counts as empty."""

    def __init__(self, folder: Path, context: str) -> None:
        self.path = folder / f"{quote(context, safe='@')}.json"

    def read(self) -> Capabilities:
        """Return the cached capabilities, `UNKNOWN` where there are none."""
        try:
            kept = msgspec.json.decode(read_private(self.path), type=Capabilities)
        except (Refused, msgspec.MsgspecError, UnicodeDecodeError):
            return UNKNOWN
        lacks = {feature: why for feature, why in kept.missing_features.items() if feature not in _SWITCHED}
        return replace(kept, missing_features=lacks)

    def remove(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            self.path.unlink()

    def write(self, capabilities: Capabilities) -> None:
        """Write the capabilities for the next run."""
        with suppress(Refused):
            update_private(self.path, lambda _: msgspec.json.encode(capabilities))
