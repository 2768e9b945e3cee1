"""UsageMeter: what the jobs of this machine use now, and have used while this program has looked."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from backend_client.local import slots
from backend_client.local.store import JobStore
from backend_client.local.usage.cards import Answer, card_of, gpu_usage, lost_words, used_by_strangers
from backend_client.local.usage.history import SeenUsage
from backend_client.local.usage.processes import JobMeter, ProcessTable, ProcessUse
from backend_client.local.usage.reader import CardReader, NotTold
from backend_client.local.usage.sums import job_usage
from backend_client.models import Job, JobState
from backend_client.usage import (
    GpuUsage,
    Measure,
    RankUsage,
    Usage,
    UsageHistory,
    UsageSource,
    UsageTable,
)

_NVML, _PROC, _SEEN = "NVML", "/proc", "this program's memory"
_RUNS = (JobState.RUNNING, JobState.STOPPING)


class UsageMeter:
    """Reads slots, NVML and /proc. All methods block: call them off the loop, from any thread."""

    def __init__(self, store: JobStore, reader: CardReader) -> None:
        self._store, self._reader = store, reader
        self._lock = threading.Lock()
        self._meters: dict[str, JobMeter] = {}
        self._seen = SeenUsage(time.time())

    def usage(self, job: Job) -> Usage:
        """Return what one job uses now."""
        ranks, sources = self._read([job])
        rank = ranks.get(job.ref.uid)
        return Usage(ranks=(rank,) if rank else (), sources=sources or (self._silent(job),))

    def usages(self, jobs: Sequence[Job]) -> UsageTable:
        """Return what those of these jobs use that run here, each in sum."""
        ranks, sources = self._read(jobs)
        return UsageTable(jobs={uid: job_usage(rank) for uid, rank in ranks.items()}, sources=sources)

    def history(self, job: Job, since: datetime) -> UsageHistory:
        """Return what a job has used since a time, as far as this program has looked."""
        now = time.time()
        with self._lock:
            history = self._seen.history(job.ref.uid, since.timestamp(), now)
        gives = tuple(dict.fromkeys(series.measure for series in history.series))
        sources = [UsageSource(name=_SEEN, gives=gives)] if gives else []
        began = max(since.timestamp(), (job.started or job.created).timestamp())
        if not gives or began < max(self._seen.opened, history.start.timestamp()) - history.step:
            sources.append(UsageSource(name=_SEEN, missing=_nothing_before(self._seen.opened)))
        return UsageHistory(
            start=history.start, step=history.step, series=history.series, sources=tuple(sources)
        )

    def close(self) -> None:
        """End the process that asks NVML."""
        with self._lock:
            self._reader.close()

    def _silent(self, job: Job) -> UsageSource:
        if job.ref.namespace != self._store.host:
            return UsageSource(
                name=_PROC, missing=f"it runs on {job.ref.namespace}; log in there to see its use"
            )
        return UsageSource(name=_PROC, missing="the job has no process now")

    def _read(self, jobs: Iterable[Job]) -> tuple[Mapping[str, RankUsage], tuple[UsageSource, ...]]:
        """Read what jobs use, by uid: those of this machine that run. Nothing is read where none does."""
        mine = [job for job in jobs if job.ref.namespace == self._store.host and job.state in _RUNS]
        with self._lock:
            supervisors = {job.ref.uid: self._store.supervisor(job.ref.uid) for job in mine}
            running = {uid: pid for uid, pid in supervisors.items() if pid is not None}
            if not running:
                return {}, ()
            held = self._held(running)
            cards = _Cards(self._reader if any(held.values()) else None)
            table = ProcessTable()
            ranks = {}
            for job in mine:
                if (pid := running.get(job.ref.uid)) is not None:
                    ranks[job.ref.uid] = self._rank(job, pid, held[job.ref.uid], cards, table)
            return ranks, (*cards.sources(), UsageSource(name=_PROC, gives=(Measure.CPU, Measure.RSS)))

    def _held(self, running: Mapping[str, int]) -> dict[str, list[str]]:
        """Return the slots that jobs hold, by uid."""
        root = self._store.root
        held: dict[str, list[str]] = {uid: [] for uid in running}
        for slot, uid in slots.held(root, sorted(path.name for path in root.slots.iterdir())).items():
            if uid in held:
                held[uid].append(slot)
        return held

    def _rank(
        self, job: Job, supervisor: int, held: Sequence[str], cards: "_Cards", table: ProcessTable
    ) -> RankUsage:
        uid, now = job.ref.uid, time.time()
        use = self._meters.setdefault(uid, JobMeter()).read(table.below(supervisor), supervisor)
        rank = RankUsage(
            attempt=job.attempts[-1].number if job.attempts else 1,
            node=self._store.host,
            gpus=tuple(cards.gpu(slot, use, table) for slot in held),
            cpu=use.cpu,
            memory=use.memory,
            as_of=datetime.fromtimestamp(now, UTC) if use.memory is not None else None,
        )
        self._seen.add(uid, now, rank)
        self._seen.forget_old(now)
        return rank


class _Cards:
    """One reading of all GPUs, and what could not be told of them."""

    def __init__(self, reader: CardReader | None) -> None:
        """`reader`: None where no job holds a GPU: then nobody is asked."""
        self._answer: Answer | None = None
        self._gives: set[Measure] = set()
        self._missing: dict[str, UsageSource] = {}
        if reader:
            try:
                self._answer = reader.read()
            except NotTold as error:
                self._missing[""] = UsageSource(name=_NVML, missing=str(error), since=error.since)

    def gpu(self, slot: str, use: ProcessUse, table: ProcessTable) -> GpuUsage:
        """Return what a slot uses."""
        if self._answer is None:
            return GpuUsage(gpu=slot, uuid="" if slot.isdigit() else slot)
        card = card_of(slot, self._answer.cards)
        if why := lost_words(slot, card):
            self._missing[slot] = UsageSource(name=_NVML, missing=why)
        gpu = gpu_usage(
            slot,
            card,
            datetime.fromtimestamp(self._answer.taken, UTC),
            strangers=used_by_strangers(card, use.pids, table.strangers, all_seen=table.shows_all),
        )
        told = (gpu.utilisation, gpu.memory, gpu.power, gpu.temperature)
        self._gives |= {measure for measure, figure in zip(_TOLD, told, strict=True) if figure is not None}
        return gpu

    def sources(self) -> list[UsageSource]:
        """Return NVML with what it gave to the slots that were asked for, and why others have nothing."""
        gives = tuple(measure for measure in _TOLD if measure in self._gives)
        return [*([UsageSource(name=_NVML, gives=gives)] if gives else []), *self._missing.values()]


_TOLD = (Measure.UTILISATION, Measure.MEMORY, Measure.POWER, Measure.TEMPERATURE)


def _nothing_before(opened: float) -> str:
    clock = time.strftime("%H:%M", time.localtime(opened))
    return f"nobody looked before {clock}, when this program was opened; it remembers an hour"
