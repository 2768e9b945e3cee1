"""A packed folder of code, and what takes it to where a job runs."""

import hashlib
from typing import Protocol, runtime_checkable

from msgspec import Struct

from backend_client.models import JobRef
from backend_client.models.code import PACKED, Code


class Bundle(Struct, frozen=True):
    """Packed code, a tar.gz, with what is recorded and said of it."""

    code: Code
    data: bytes
    about: str = ""
    """In words: how much it is, and what was left out."""

    @property
    def name(self) -> str:
        """What a spec's `code` is once it is packed."""
        return PACKED + self.code.sha256


def digest(data: bytes) -> str:
    """Return the SHA-256 of packed code."""
    return hashlib.sha256(data).hexdigest()


@runtime_checkable
class HasCode(Protocol):
    """What a context with `Feature.CODE` has beside `JobBackend`."""

    @property
    def code_limit(self) -> int:
        """Bytes that packed code may have here."""
        ...

    async def keep_code(self, bundle: Bundle) -> None:
        """Keep packed code for the plans and creates whose spec names it. May be repeated."""
        ...

    async def code_of(self, ref: JobRef) -> bytes:
        """Return the packed code that a job was made with. Raises NotFound where it has none."""
        ...
