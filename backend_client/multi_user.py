"""What a server needs of the backend that it stands before, beside `JobBackend` itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

from msgspec import Struct

from backend_client.models import JobRef
from backend_client.protocol import JobBackend

ManifestCheck = Callable[[Sequence[Mapping[str, Any]]], None]
"""Looks at the objects of a job, as they would be made, before any is. Raises Refused."""


HALF_CREATED_HINT = "it stands half made; resume finishes it, delete removes it"
"""Hint of a failed create that could not be rolled back: a part of the job exists, so its row must stay."""


class Ownership(Struct, frozen=True):
    """Whose job a server makes: what is made bears it."""

    server: str
    """The server's id: letters and digits, at most 63."""
    owner: str
    """The person, as the server calls them."""


class CreatedJob(Struct, frozen=True):
    """What a create has left."""

    ref: JobRef
    held: bool
    """Nothing of it runs: parts of it may be missing yet."""


class MultiUserBackend(JobBackend, Protocol):
    """A backend that can act for many people at once."""

    def for_user(self, stamp: Ownership, inspect: ManifestCheck) -> Self:
        """The same context for one person. Closed with the first."""
        ...

    async def ensure_namespace(self, namespace: str, stamp: Ownership) -> None:
        """Make a person's namespace where it is missing. Raises a BackendError."""
        ...

    async def list_created(self, server: str) -> Mapping[str, CreatedJob]:
        """All that bears this server's id, by the key of its create. Raises a BackendError."""
        ...
