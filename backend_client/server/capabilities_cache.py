"""A server's rules between two runs, so that a form can be drawn before the server has answered."""

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec

from backend_client.errors import Refused
from backend_client.private_files import read_private, update_private
from backend_client.server.capabilities import UNKNOWN, Capabilities


class CapabilitiesCache:
    """The rules of one context, in a file of the cache. What cannot be read or written is not kept."""

    def __init__(self, folder: Path, context: str) -> None:
        self.path = folder / f"{quote(context, safe='@')}.json"

    def read(self) -> Capabilities:
        """The rules of last time."""
        try:
            return msgspec.json.decode(read_private(self.path), type=Capabilities)
        except (Refused, msgspec.MsgspecError, UnicodeDecodeError):
            return UNKNOWN

    def remove(self) -> None:
        """Forget them."""
        with suppress(OSError):
            self.path.unlink()

    def write(self, capabilities: Capabilities) -> None:
        """Keep them for the next time."""
        with suppress(Refused):
            update_private(self.path, lambda _: msgspec.json.encode(capabilities))
