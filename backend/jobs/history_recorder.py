"""The recorder of the history: writes what the hub publishes to the jobs' rows, many in one transaction."""

import asyncio
import contextlib
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, func, update

from backend.clusters.event_log import Batch, Key
from backend.db.engine import Database
from backend.db.models import JobRow
from backend.jobs.rows import REMOVED, WAITING, now
from backend.jobs.service import log
from backend.usage.recorder import SEEN_EVERY, AttemptRecorder
from backend_client.errors import BackendError, fragment
from backend_client.models import Job

GATHER_SECONDS = 0.5


class HistoryRecorder:
    """Writes what a hub publishes: `observe` is its listener, `run_forever` the task that writes.

    What attempts held is written with it, so that a job that has ended is not still counted.
    """

    def __init__(self, database: Database, attempts: AttemptRecorder) -> None:
        """`attempts`: what they held; it has its own `observe`."""
        self._database = database
        self._attempts = attempts
        self._changed: dict[Key, Job] = {}
        self._removed: set[Key] = set()
        self._observed: dict[Key, tuple[Any, ...]] = {}
        """What was seen last of what is recorded."""
        self._pending = asyncio.Event()

    def observe(self, batch: Batch) -> None:
        """Take in a batch of the hub, to be written by `run_forever`."""
        changed = {key: cached.job for key, cached in batch.changed.items() if self._is_news(key, cached.job)}
        self._changed.update(changed)
        self._removed |= batch.removed.keys()
        for key in batch.removed:
            self._observed.pop(key, None)
        if changed or batch.removed:
            self._pending.set()

    def _is_news(self, key: Key, job: Job) -> bool:
        """Tell whether a row has another text now: what a job uses changes every 30 s, and is in no row."""
        recorded = job.state, job.reason, job.started, job.finished, job.next_try, job.attempts
        if self._observed.get(key) == recorded:
            return False
        self._observed[key] = recorded
        return True

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
                async with asyncio.timeout(SEEN_EVERY.total_seconds()):
                    await self._pending.wait()
                await asyncio.sleep(GATHER_SECONDS)
            except TimeoutError:
                log.debug("nothing new; that pods are still there is written")
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
        states = [_state_values(key, job, moment) for key, job in changed.items() if key not in removed]
        gone = [{"of": cluster, "is": uid, "moment": moment} for cluster, uid in removed]
        async with self._database.write() as session:
            connection = await session.connection()
            for statement, values in ((_UPDATE_STATE, states), (_MARK_DELETED, gone)):
                if values:
                    await connection.execute(statement, values)
            note_written = await self._attempts.write(session)
        note_written()
        for key, job in changed.items():
            if self._changed.get(key) is job:
                del self._changed[key]
        self._removed -= removed


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
_MARK_DELETED = (
    update(JobRow)
    .where(_ROW, JobRow.deleted.is_(None), JobRow.deleting.is_(None))
    .values(
        deleted=bindparam("moment"),
        finished=func.coalesce(JobRow.finished, bindparam("moment", type_=JobRow.finished.type)),
        reason=case(
            (JobRow.state.in_(WAITING), REMOVED),
            else_=func.coalesce(func.nullif(JobRow.reason, ""), REMOVED),
        ),
    )
)
