"""job.json as this side reads it, and the Job that it tells of."""

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState, Progress

NEW = "New"
"""The state of a record that no supervisor has accepted yet: not a job so far."""


class Record(Struct, kw_only=True):
    """What stands in job.json. The supervisor writes it, from the plain values that `new` makes."""

    uid: str
    name: str
    owner: str
    server: str = ""
    """The id of the server that made it for `owner`, and the key of its create; "" where there was none."""
    key: str = ""
    created: datetime
    spec: JobSpec
    state: str = NEW
    reason: str = ""
    queued: datetime | None = None
    started: datetime | None = None
    finished: datetime | None = None
    next_try: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    restarts: int = 0
    progress: Progress | None = None
    supervisor: dict[str, Any] | None = None
    group: dict[str, Any] | None = None
    """Who the first process of the running attempt is (see disk.identity)."""

    def job(self, host: str, read_only: str = "") -> Job:
        """The job, as one of `host`'s."""
        return Job(
            ref=JobRef("local", host, self.spec.kind, self.name, self.uid),
            state=JobState(self.state),
            spec=self.spec,
            reason=self.reason,
            owner=self.owner,
            created=self.created,
            queued=self.queued,
            started=self.started,
            finished=self.finished,
            next_try=self.next_try,
            attempts=self.attempts,
            restarts=self.restarts,
            progress=self.progress,
            read_only=read_only,
        )

    @property
    def is_final(self) -> bool:
        """True where the record is final: its supervisor will write no more."""
        return self.finished is not None and self.next_try is None


def unreadable_job(uid: str, host: str, changed: float, why: str) -> Job:
    """A job whose record cannot be read: it is said to be unknown, and can be deleted."""
    return Job(
        ref=JobRef("local", host, "job", uid, uid),
        state=JobState.UNKNOWN,
        spec=JobSpec(),
        reason=f"its record cannot be read: {why}",
        created=datetime.fromtimestamp(changed, UTC),
    )
