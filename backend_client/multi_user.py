"""What a server needs of a backend beside `JobBackend`: to act for many people at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

from msgspec import Struct

from backend_client.models import JobRef
from backend_client.protocol import JobBackend

ManifestCheck = Callable[[Sequence[Mapping[str, Any]]], None]
"""Checks the objects of a job before any is created. Raises Refused."""


HALF_CREATED_HINT = "It stands half made; resume finishes it, delete removes it."
"""Hint of a failed create that could not be rolled back: a part of the job exists, so its row must stay."""


class Ownership(Struct, frozen=True):
    """Whose job a server creates; what it creates is marked with it."""

    server: str
    """The server's id: letters and digits, at most 63."""
    owner: str
    """The person, as the server calls them."""


class CreatedJob(Struct, frozen=True):
    """A job that a create of a server has left, whole or in part."""

    ref: JobRef
    held: bool
    """True while nothing of it runs; parts of it may be missing yet."""


class MultiUserBackend(JobBackend, Protocol):
    """A backend that can act for many people at once."""

    def for_user(self, stamp: Ownership, inspect: ManifestCheck) -> Self:
        """Return the same context for one person; it is closed with this one."""
        ...

    async def ensure_namespace(self, namespace: str, stamp: Ownership) -> None:
        """Create a person's namespace where it is missing. Raises a BackendError."""
        ...

    async def list_created(self, server: str) -> Mapping[str, CreatedJob]:
        """List all jobs marked with this server's id, by the key of their create. Raises a BackendError."""
        ...
