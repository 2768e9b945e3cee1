"""Watch local jobs by one inotify watch per host: no polling; changes are gathered for 0.02 s."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime

from backend_client.local import inotify
from backend_client.local.store import JobStore
from backend_client.models import Job, JobRef
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent
from backend_client.refresh import RefreshRequests, sleep_unless

_EVENTS = inotify.CREATE | inotify.MODIFY | inotify.CLOSE_WRITE | inotify.DELETE
_FIRST_PAGE, _PAGE = 200, 1000
_GATHER = 0.02
_RETRY = 5.0
_OTHER_HOSTS = 60.0
"""Seconds between two checks of other hosts' jobs: inotify does not report what other hosts write."""


async def watch(
    stores: Sequence[JobStore], refreshes: RefreshRequests
) -> AsyncGenerator[Sequence[WatchEvent], None]:
    """Watch the jobs of all these hosts: the list, then every change. Reconnects by itself and never ends."""
    anew = asyncio.Event()
    with refreshes.subscribe(anew.set):
        async for batch in _watch_for_ever(stores, anew):
            yield batch


async def _watch_for_ever(
    stores: Sequence[JobStore], anew: asyncio.Event
) -> AsyncGenerator[Sequence[WatchEvent]]:
    while True:
        try:
            async with contextlib.aclosing(_watch(stores, anew)) as batches:
                async for batch in batches:
                    yield batch
        except OSError as error:
            why = f"this machine does not tell of changes: {error.strerror} ({error.filename})"
            yield [Freshness(FreshnessState.STALE, datetime.now(UTC), why)]
            await sleep_unless(anew, _RETRY)


async def readable(fd: int, seconds: float | None = None) -> bool:
    """Wait until a descriptor can be read; False when the time was over first."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        async with asyncio.timeout(seconds):
            await ready.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(fd)
    return True


async def _has_news(fd: int, seconds: float | None, anew: asyncio.Event) -> bool:
    """Wait for news; False where it is time to read everything, as after so long, or as somebody wants it."""
    waits = [asyncio.create_task(readable(fd, seconds)), asyncio.create_task(anew.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    if anew.is_set():
        anew.clear()
        return False
    return waits[0].result()


async def wait_until(
    store: JobStore, uid: str, condition: Callable[[Job], bool] = lambda job: job.ended
) -> Job | None:
    """Return a job as soon as a condition holds (that it has ended); None where it is no more."""
    with contextlib.suppress(FileNotFoundError), contextlib.closing(inotify.Inotify()) as news:
        news.add(store.root.live / uid, _EVENTS | inotify.DELETE_SELF)
        while (job := await asyncio.to_thread(store.job, uid)) and not condition(job):
            await readable(news.fd)
            news.read()
        return job
    return None


async def _watch(stores: Sequence[JobStore], anew: asyncio.Event) -> AsyncGenerator[Sequence[WatchEvent]]:
    with contextlib.closing(inotify.Inotify()) as news:
        jobs_list = _JobList(stores, news)
        yield [Freshness(FreshnessState.LIVE, datetime.now(UTC))]
        for store in stores:
            uids = await asyncio.to_thread(store.uids)
            while uids:
                size = _PAGE if jobs_list.published else _FIRST_PAGE
                jobs = await asyncio.to_thread(jobs_list.read, store, uids[:size])
                uids = uids[size:]
                yield [Snapshot(tuple(jobs))]
        yield [Synced()]
        while True:
            is_ready = await _has_news(news.fd, _OTHER_HOSTS if len(stores) > 1 else None, anew)
            await asyncio.sleep(_GATHER)
            if batch := await asyncio.to_thread(jobs_list.changes, everything=not is_ready):
                yield batch


class _JobList:
    """The jobs that were published, and the changes since."""

    def __init__(self, stores: Sequence[JobStore], news: inotify.Inotify) -> None:
        self.published: dict[str, tuple[JobStore, Job]] = {}
        self._stores, self._news = stores, news
        self._watched = {news.add(store.root.live, _EVENTS): store for store in stores}

    def read(self, store: JobStore, uids: Sequence[str]) -> list[Job]:
        """Read jobs as they are now, and keep them as published."""
        jobs = store.jobs(uids)
        self.published.update((job.ref.uid, (store, job)) for job in jobs)
        return jobs

    def changes(self, *, everything: bool = False) -> list[WatchEvent]:
        """Return the changes of the jobs that inotify named; `everything`: of all jobs."""
        changed: list[Job] = []
        gone: list[JobRef] = []
        for uid, store in self._changed_uids(everything).items():
            _, before = self.published.get(uid, (store, None))
            job = store.job(uid)
            if job is not None and job != before:
                self.published[uid] = store, job
                changed.append(job)
            elif job is None and before is not None:
                del self.published[uid]
                gone.append(before.ref)
        events: list[WatchEvent] = [Changed(tuple(changed))] if changed else []
        return [*events, Gone(tuple(gone))] if gone else events

    def _changed_uids(self, everything: bool) -> dict[str, JobStore]:
        events = self._news.read()
        if everything or any(mask & inotify.OVERFLOW for _, mask, _ in events):
            every = {uid: store for uid, (store, _) in self.published.items()}
            return every | {uid: store for store in self._stores for uid in store.uids()}
        return {name: self._watched[watch] for watch, _, name in events if watch in self._watched and name}
