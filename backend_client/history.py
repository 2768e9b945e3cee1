"""The history of jobs, deleted ones too, where a context has `Feature.HISTORY`."""

from datetime import datetime
from typing import Protocol, runtime_checkable

from msgspec import Struct

from backend_client.models.state import JobState


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One remembered job, whether it still is or not. Times are aware UTC."""

    name: str
    uid: str = ""
    """Empty where the job never came to be."""
    owner: str = ""
    cluster: str = ""
    namespace: str = ""
    kind: str = "job"
    state: JobState
    """The last one known."""
    reason: str = ""
    gpus: int = 0
    """GPUs in all, of every node and replica."""
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    deleted: datetime | None = None
    gpu_seconds: float = 0.0
    exit_code: int | None = None


class HistoryQuery(Struct, frozen=True, kw_only=True):
    """Which of them. Everything given must hold."""

    text: str = ""
    """Substring of the name, the command or the reason; upper and lower case are the same."""
    user: str = ""
    """Jobs of this user; empty: of everyone whose jobs the caller may see."""
    states: frozenset[JobState] = frozenset()
    since: datetime | None = None
    """Created at this time or later."""
    until: datetime | None = None
    """Created before this time."""


class HistoryPage(Struct, frozen=True):
    """A part of the history."""

    items: tuple[HistoryEntry, ...]
    next: str = ""
    """Cursor of the next page; empty at the end."""


@runtime_checkable
class HasHistory(Protocol):
    """A backend that has `Feature.HISTORY`."""

    async def history(self, query: HistoryQuery, *, after: str = "") -> HistoryPage:
        """Return a page of the history, newest first. `after` is the `next` of the page before."""
        ...
