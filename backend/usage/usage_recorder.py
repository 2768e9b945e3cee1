"""The recorder of use: figures of running jobs, added up by attempt and hour, and written now and then.

A figure stands for the time since the round before, and no more than two rounds: what nobody measured is in
no sum. `sampled` of an attempt says until when it was added up, so of two servers that add the same, one
wins.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.clusters.event_log import Key
from backend.clusters.hub import Hub
from backend.db.engine import Database
from backend.db.models import AttemptRow, UsageHour
from backend.usage.held import Held
from backend.usage.recorder import AttemptRecorder
from backend.usage.samples import (
    HourSums,
    Sample,
    decode_histogram,
    encode_histogram,
    of_job,
)
from backend_client.errors import BackendError, fragment
from backend_client.models import Job, JobState
from backend_client.protocol import FreshnessState

log = logging.getLogger("traindeck.usage")
SAMPLE_SECONDS = 30.0
WRITE_SECONDS = 300.0
"""How often the sums of attempts that go on are written; of those that have ended at once."""
_CHUNK = 500
_HISTOGRAMS = ("histogram", "memory_histogram")


class _Unwritten(Struct):
    """The sums of one attempt that are not in its rows yet."""

    since: datetime
    until: datetime
    hours: dict[datetime, HourSums]


class UsageRecorder:
    """Samples the jobs of a hub; `run_forever` is its task."""

    def __init__(
        self,
        database: Database,
        hub: Hub,
        attempts: AttemptRecorder,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._hub, self._attempts = database, hub, attempts
        self._steady = steady
        self._last: float | None = None
        self._sums: dict[Key, _Unwritten] = {}
        self._written = steady()

    async def run_forever(self) -> None:
        """Sample and write, for ever; the rest is written when it is cancelled."""
        try:
            while True:
                await asyncio.sleep(SAMPLE_SECONDS)
                self.sample()
                try:
                    await self.write_due()
                except BackendError as error:
                    log.warning("what jobs use waits to be written: %s", fragment(error.title))
        finally:
            with contextlib.suppress(BackendError):
                await self.write(list(self._sums))

    def sample(self) -> None:
        """Add what every running job uses now."""
        now = self._steady()
        seconds = min(now - self._last, 2 * SAMPLE_SECONDS) if self._last is not None else SAMPLE_SECONDS
        self._last = now
        for cached in self._hub.all():
            link = self._hub.links.get(cached.key[0])
            if cached.job.state is JobState.RUNNING and link and link.state is FreshnessState.LIVE:
                self._sample_job(cached.key, cached.job, seconds)

    def _sample_job(self, key: Key, job: Job, seconds: float) -> None:
        if not job.usage:
            return
        running = [held for held in self._attempts.holding(key) if held.started]
        for held in running:
            self._add(held, of_job(job.usage, held.gpus, len(running)), seconds)

    def _add(self, held: Held, sample: Sample, seconds: float) -> None:
        """Add a sample to the hour that it was taken in, by the clock of its cluster."""
        now = max(self._attempts.clock(held.cluster).now(), held.started or held.allocated)
        sums = self._sums.get(held.key)
        if sums is None:
            sums = self._sums[held.key] = _Unwritten(now, now, {})
        sums.until = max(sums.until, now)
        hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        sums.hours.setdefault(hour, HourSums()).add(sample, seconds)

    # Writing

    async def write_due(self) -> None:
        """Write the sums of attempts that have ended; of all, where it is time. Raises Unreachable."""
        now = self._steady()
        if now - self._written >= WRITE_SECONDS:
            await self.write(list(self._sums))
            self._written = now
            return
        held = {held.key for cached in self._hub.all() for held in self._attempts.holding(cached.key)}
        await self.write([key for key in self._sums if key not in held])

    async def write(self, keys: Sequence[Key]) -> None:
        """Write the sums of these attempts. Raises Unreachable; then nothing of them is lost."""
        for start in range(0, len(keys), _CHUNK):
            chunk = {key: self._sums[key] for key in keys[start : start + _CHUNK]}
            async with self._database.write() as session:
                settled = await self._write_chunk(session, chunk)
            for key in settled:
                self._sums.pop(key, None)

    async def _write_chunk(self, session: AsyncSession, chunk: dict[Key, _Unwritten]) -> list[Key]:
        """Write some sums, and return those that are settled: all but those whose row is not there yet."""
        uids = [uid for _, uid in chunk]
        query = select(AttemptRow).where(AttemptRow.pod_uid.in_(uids)).order_by(AttemptRow.id)
        rows = (await session.scalars(query.with_for_update())).all()
        by_key = {(row.cluster, row.pod_uid): row for row in rows}
        ours = {key: row for key, row in by_key.items() if key in chunk and _is_new(row, chunk[key])}
        ids = [row.id for row in ours.values()]
        known = (await session.scalars(select(UsageHour).where(UsageHour.attempt_id.in_(ids)))).all()
        hours = {(row.attempt_id, row.hour): row for row in known}
        for key, row in ours.items():
            row.sampled = chunk[key].until
            for hour, sums in chunk[key].hours.items():
                if before := hours.get((row.id, hour)):
                    whole = sums_of(before)
                    whole.merge(sums)
                    for name, value in _columns(whole).items():
                        setattr(before, name, value)
                else:
                    session.add(UsageHour(attempt_id=row.id, hour=hour, **_columns(sums)))
        return [key for key in chunk if key in by_key]


def _is_new(row: AttemptRow, sums: _Unwritten) -> bool:
    """Return whether nobody else has added up what these sums hold."""
    return row.sampled is None or row.sampled <= sums.since


def _columns(sums: HourSums) -> dict[str, object]:
    values = asdict(sums)
    return values | {name: encode_histogram(values[name]) for name in _HISTOGRAMS}


def sums_of(row: UsageHour) -> HourSums:
    """Return the sums of a row."""
    names = [name for name in HourSums.__struct_fields__ if name not in _HISTOGRAMS]
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    values |= {name: decode_histogram(getattr(row, name)) for name in _HISTOGRAMS}
    return HourSums(**values)
