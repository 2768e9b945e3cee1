"""What a server needs of a backend beside `JobBackend`: to act for many people at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

from msgspec import Struct

from backend_client.models import JobRef, JobSpec
from backend_client.protocol import Choice, JobBackend

if TYPE_CHECKING:  # a list of jobs needs none
    from backend_client.usage import UsageSource
    from backend_client.why import Explanation, MayName

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

    def set_usage_interval(self, seconds: float) -> None:
        """Set how often watches read what jobs use; a shorter time than before begins with a reading now."""
        ...

    async def usage_sources(self) -> "Sequence[UsageSource]":
        """Return what the figures of jobs come from, as the last reading found it. Raises a BackendError."""
        ...

    async def ensure_namespace(self, namespace: str, stamp: Ownership, *, node_folders: bool = False) -> None:
        """Create a person's namespace where it is missing; `node_folders`: its pods may mount the node's.

        Raises a BackendError.
        """
        ...

    async def not_theirs(self, spec: JobSpec, namespace: str, owner: str) -> Mapping[str, str]:
        """Return field -> why, for what a spec uses of a shared namespace that is not for this person."""
        ...

    async def choices_of(self, field: str, namespace: str, owner: str) -> Sequence[Choice]:
        """Return the choices for a field as `choices` does; in a shared namespace, those for this person."""
        ...

    async def explain_for(self, ref: JobRef, may_name: "MayName") -> "Explanation":
        """Explain as `explain` does, to somebody to whom only some jobs may be named."""
        ...

    async def list_created(self, server: str) -> Mapping[str, CreatedJob]:
        """List all jobs marked with this server's id, by the key of their create. Raises a BackendError."""
        ...
