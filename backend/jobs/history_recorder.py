"""The recorder of the history: writes what the hub publishes to the jobs' rows, many in one transaction."""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, func, update

from backend.clusters.event_log import Batch, Key
from backend.clusters.hub import Hub
from backend.db.engine import Database
from backend.db.models import JobRow
from backend.jobs.gpu_seconds import GpuSecondsMeter
from backend.jobs.rows import now
from backend.jobs.service import log
from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobState

GATHER_SECONDS = 0.5
COUNT_SECONDS = 60.0
"""How often the GPU-seconds of jobs that just run are written."""


class HistoryRecorder:
    """Writes what a hub publishes: `observe` is its listener, `run_forever` the task that writes."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self._meter = GpuSecondsMeter()
        self._counted: dict[Key, datetime | None] = {}
        self._changed: dict[Key, Job] = {}
        self._removed: set[Key] = set()
        self._unwritten_seconds: dict[Key, float] = {}
        """Job -> GPU-seconds that are counted and not written yet."""
        self._pending = asyncio.Event()

    def set_counted(self, counted: Iterable[tuple[Key, datetime | None]]) -> None:
        """Set until when the rows have counted the GPU-seconds of each job."""
        self._counted.update(counted)

    def observe(self, batch: Batch) -> None:
        """Take in a batch of the hub, to be written by `run_forever`."""
        self._changed.update((key, cached.job) for key, cached in batch.changed.items())
        self._removed |= batch.removed.keys()
        if batch.changed or batch.removed:
            self._pending.set()

    async def run_forever(self) -> None:
        """Write what was observed, for ever; the rest is written when it is cancelled."""
        try:
            await self._write_forever()
        finally:
            with contextlib.suppress(BackendError):
                await self.write()

    async def _write_forever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(COUNT_SECONDS):
                    await self._pending.wait()
                await asyncio.sleep(GATHER_SECONDS)
            except TimeoutError:
                running = (cached for cached in self._hub.all() if cached.job.state is JobState.RUNNING)
                self._changed.update((cached.key, cached.job) for cached in running if cached.job.spec.gpus)
            self._pending.clear()
            try:
                await self.write()
            except BackendError as error:
                log.warning("the history waits: %s", fragment(error.title))
                await asyncio.sleep(GATHER_SECONDS)
                self._pending.set()

    async def write(self) -> None:
        """Write all that was observed. Raises Unreachable; then nothing of it is lost."""
        changed, removed, moment = dict(self._changed), set(self._removed), now()
        for key, job in changed.items():
            more = self._meter.count(key, job, moment, self._counted.get(key))
            self._unwritten_seconds[key] = self._unwritten_seconds.get(key, 0.0) + more
        states = [_state_values(key, job, moment) for key, job in changed.items() if key not in removed]
        counts = [self._count_values(key, moment) for key in changed]
        gone = [{"of": cluster, "is": uid, "moment": moment} for cluster, uid in removed]
        async with self._database.write() as session:
            connection = await session.connection()
            for statement, values in (
                (_UPDATE_STATE, states),
                (_ADD_GPU_SECONDS, counts),
                (_MARK_DELETED, gone),
            ):
                if values:
                    await connection.execute(statement, values)
        self._forget_written(changed, removed, moment)

    def _forget_written(self, changed: dict[Key, Job], removed: set[Key], moment: datetime) -> None:
        for key, job in changed.items():
            self._counted[key] = moment
            self._unwritten_seconds.pop(key, None)
            if self._changed.get(key) is job:
                del self._changed[key]
        self._removed -= removed
        for key in removed:
            self._meter.forget(key)
            self._counted.pop(key, None)

    def _count_values(self, key: Key, moment: datetime) -> dict[str, object]:
        before = self._counted.get(key)
        return {
            "of": key[0],
            "is": key[1],
            "more": self._unwritten_seconds[key],
            "before": before,
            "moment": moment,
        }


def _state_values(key: Key, job: Job, moment: datetime) -> dict[str, object]:
    return {
        "of": key[0],
        "is": key[1],
        "to": str(job.state),
        "why": job.reason[:2000],
        "start": job.started,
        "end": job.finished or (moment if job.ended else None),
        "code": job.exit_code,
    }


_ROW = (JobRow.cluster == bindparam("of")) & (JobRow.uid == bindparam("is"))
_UPDATE_STATE = (
    update(JobRow)
    .where(_ROW, JobRow.deleted.is_(None))
    .values(
        state=bindparam("to"),
        reason=bindparam("why"),
        started=func.coalesce(JobRow.started, bindparam("start", type_=JobRow.started.type)),
        finished=bindparam("end"),
        exit_code=bindparam("code"),
    )
)
_NOT_COUNTED_SINCE = func.coalesce(JobRow.counted, JobRow.created) == func.coalesce(
    bindparam("before", type_=JobRow.counted.type), JobRow.created
)
_ADD_GPU_SECONDS = (
    update(JobRow)
    .where(_ROW, _NOT_COUNTED_SINCE)
    .values(gpu_seconds=JobRow.gpu_seconds + bindparam("more"), counted=bindparam("moment"))
)
"""Of several processes that count, one wins: the one that knows until when was counted last."""
_MARK_DELETED = (
    update(JobRow)
    .where(_ROW, JobRow.deleted.is_(None), JobRow.deleting.is_(None))
    .values(
        deleted=bindparam("moment"),
        finished=func.coalesce(JobRow.finished, bindparam("moment", type_=JobRow.finished.type)),
        reason=func.coalesce(func.nullif(JobRow.reason, ""), "removed in the cluster, not by this server"),
    )
)
