"""The states of a job, their order in a list, and the symbol and colour of each."""

from enum import StrEnum
from typing import NamedTuple


class JobState(StrEnum):
    """Where a job stands. The value is the word that people read, in lists and in JSON."""

    QUEUED = "Queued"
    """Waits for quota, a queue or a slot."""
    PENDING = "Pending"
    """Accepted, but not placed on a machine yet."""
    STARTING = "Starting"
    """Placed; its process does not run yet."""
    RUNNING = "Running"
    """At least one rank runs."""
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    """Ended in error, or crashes again and again (then `Job.next_try` says when it is tried next)."""
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    """Stopped by a person, never by the machine."""
    UNKNOWN = "Unknown"

    @property
    def style(self) -> "StateStyle":
        return STATE_STYLES[self]

    @property
    def ended(self) -> bool:
        """True where nothing runs any more and nothing will by itself (a crash loop's FAILED counts too:
        ask `Job.ended`, which knows of the next try)."""
        return self in ENDED


class StateStyle(NamedTuple):
    """How a state is shown."""

    rank: int
    """Place in the default order of a list: small comes first."""
    symbol: str
    """One cell wide, readable without colour and without Unicode."""
    colour: str
    """A name out of the 16 ANSI colours."""


STATE_STYLES: dict[JobState, StateStyle] = {
    JobState.FAILED: StateStyle(0, "x", "red"),
    JobState.UNKNOWN: StateStyle(1, "?", "magenta"),
    JobState.STOPPING: StateStyle(2, "-", "yellow"),
    JobState.RUNNING: StateStyle(3, ">", "green"),
    JobState.STARTING: StateStyle(4, "+", "cyan"),
    JobState.PENDING: StateStyle(5, ".", "yellow"),
    JobState.QUEUED: StateStyle(6, ":", "yellow"),
    JobState.SUCCEEDED: StateStyle(7, "=", "blue"),
    JobState.STOPPED: StateStyle(8, "!", "white"),
}

ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.STOPPED})
