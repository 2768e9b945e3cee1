"""What `benchmarks.tui` runs in a terminal: JOBS [CHANGES_A_SECOND]."""

import asyncio
import gc
import itertools
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backend_client.contexts import Contexts
from backend_client.models import JobState, Progress
from backend_client.protocol import Scope, Snapshot, Synced, WatchEvent
from tests.support.scripted import ScriptedBackend, Way, make_job, make_jobs
from tui.app import TraindeckApp

LAST = "the-last-one"


class Many(ScriptedBackend):
    """Makes its jobs page by page, as a real backend parses them; the last one goes on top."""

    def __init__(self, count: int, rate: int = 0) -> None:
        super().__init__()
        self.count, self.rate = count, rate

    async def watch(self, _scopes: Sequence[Scope]) -> AsyncIterator[Sequence[WatchEvent]]:
        for start in range(0, self.count, 500):
            page = make_jobs(min(self.count, start + 500), start)
            self.jobs.update((job.ref.uid, job) for job in page)
            yield [Snapshot(tuple(page))]
            await asyncio.sleep(0)
        last = make_job(LAST, JobState.FAILED, created=datetime.now(UTC))
        self.jobs[last.ref.uid] = last
        yield [Snapshot((last,)), Synced()]
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.step)
        if self.rate:
            self.churning = asyncio.create_task(self.churn())
        queue: asyncio.Queue[Sequence[WatchEvent]] = asyncio.Queue()
        self._watchers.append(queue)
        while True:
            yield await queue.get()

    def step(self) -> None:
        """Change one row of the list."""
        self.change("uid-job-00014", progress=Progress(step=3120, total=10_000, loss=0.4), reason="")

    async def churn(self) -> None:
        """Change jobs, half of them on rows in sight, never on the cursor's."""
        ids = [job.ref.uid for job in self.jobs.values()]
        seen = [uid for uid in ids if self.jobs[uid].state is JobState.FAILED][5:25]
        for number in itertools.count():
            await asyncio.sleep(1 / self.rate)
            uid = seen[number // 2 % 20] if number % 2 else ids[number % self.count]
            self.change(uid, progress=Progress(step=number, total=10**6, loss=1 / (1 + number)), reason="")


def main() -> None:
    """Go on as `traindeck` does when all is imported."""
    gc.freeze()
    gc.enable()
    backend = Many(*map(int, sys.argv[1:]))
    TraindeckApp(Contexts([Way(backend)], Path("chosen")), context="scripted").run()
