"""Job, its attempts, progress and events, as a backend sees them. Times are aware UTC; durations seconds."""

from datetime import datetime

from msgspec import Struct

from backend_client.models.spec import JobSpec
from backend_client.models.state import JobState


class JobRef(Struct, frozen=True, order=True):
    """Which job. A uid is unique in its context only."""

    context: str
    namespace: str
    kind: str
    name: str
    uid: str

    @property
    def key(self) -> tuple[str, str]:
        return self.context, self.uid

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Attempt(Struct, frozen=True, kw_only=True):
    """One start of one rank: a pod, or a process on this machine."""

    number: int
    """1 for the first."""
    rank: int = 0
    node: str = ""
    pod: str = ""
    pid: int = 0
    exit_code: int | None = None
    signal: int | None = None
    """The signal that ended it; then `exit_code` is 128 + signal."""
    started: datetime | None = None
    finished: datetime | None = None
    reason: str = ""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a job is, read out of its log. Every figure that the log does not give is None."""

    step: int | None = None
    total: int | None = None
    rate: float | None = None
    """Steps a second."""
    seconds_left: float | None = None
    loss: float | None = None
    updated: datetime | None = None

    @property
    def fraction(self) -> float | None:
        """0 to 1, where step and total are both known."""
        if self.step is None or not self.total:
            return None
        return min(1.0, max(0.0, self.step / self.total))


class Job(Struct, frozen=True, kw_only=True):
    """One job as it stands now."""

    ref: JobRef
    state: JobState
    spec: JobSpec
    reason: str = ""
    """One plain sentence, where the state alone does not say enough."""
    owner: str = ""
    created: datetime
    queued: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    next_try: datetime | None = None
    """When a job that crashed is started again; None where it is not."""
    attempts: tuple[Attempt, ...] = ()
    """Oldest first; a backend may keep only the last ones (`restarts` counts all)."""
    restarts: int = 0
    progress: Progress | None = None
    urls: tuple[str, ...] = ()
    read_only: str = ""
    """Why this caller can look but not act (another host's, another tool's); empty where it can act."""

    @property
    def name(self) -> str:
        return self.ref.name

    @property
    def ended(self) -> bool:
        """True where nothing runs and nothing will by itself."""
        return self.state.ended and self.next_try is None

    @property
    def exit_code(self) -> int | None:
        """Of the last attempt: the command's own, or 128 + signal."""
        return self.attempts[-1].exit_code if self.attempts else None


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened to a job."""

    time: datetime
    reason: str
    """One word, as the cluster calls it."""
    message: str
    warning: bool = False
    count: int = 1
