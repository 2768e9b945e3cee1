"""Record: job.json as the client reads it, and the Job that it describes."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState, Progress
from backend_client.models.code import Code
from backend_client.models.outputs import Outputs

NEW = "New"
"""The state of a record that no supervisor has accepted yet: not a job so far."""


class Record(Struct, kw_only=True):
    """The content of job.json. launch.py writes it first, then the supervisor, as plain values."""

    uid: str
    name: str
    owner: str
    server: str = ""
    """The id of the server that created it for `owner`; "" where there was none."""
    key: str = ""
    """The key of that server's create."""
    created: datetime
    spec: JobSpec
    code: Code | None = None
    outputs: Outputs | None = None
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
    """The first process of the running attempt (see state_dir.identity)."""

    def job(self, host: str, read_only: str = "") -> Job:
        """Return the job, as one of `host`'s."""
        return Job(
            ref=JobRef("local", host, self.spec.kind, self.name, self.uid),
            state=JobState(self.state),
            spec=_as_asked(self.spec),
            code=self.code,
            outputs=self.outputs,
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


def _as_asked(spec: JobSpec) -> JobSpec:
    """Return a spec whose workdir is relative to its code again: another folder of code has its own."""
    if not spec.code or not Path(spec.workdir).is_relative_to(spec.code):
        return spec
    below = os.path.relpath(spec.workdir, spec.code)
    return replace(spec, workdir="" if below == "." else below)


def unreadable_job(uid: str, host: str, changed: float, why: str) -> Job:
    """Return a job whose record cannot be read: its state is unknown, and it can be deleted."""
    return Job(
        ref=JobRef("local", host, "job", uid, uid),
        state=JobState.UNKNOWN,
        spec=JobSpec(),
        reason=f"its record cannot be read: {why}",
        created=datetime.fromtimestamp(changed, UTC),
    )
