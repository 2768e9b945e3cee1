"""What `benchmarks.usage_on_screen` runs in a terminal."""

import asyncio
import gc
import math
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from backend_client.contexts import Contexts
from backend_client.models import JobUsage, Progress
from backend_client.protocol import Scope, WatchEvent
from tests.support.scripted import ScriptedBackend, Way, make_job
from tests.support.usages import make_history, make_usage
from tui.app import TraindeckApp

JOB, OTHER = "the-first-one", "another"
RANKS, GPUS = 8, 8
HOLDS, HELD = "holds", "held"
"""The word that has it note for how long the event loop is held, and the file that it writes this to."""
_LOOK = 0.002


class Using(ScriptedBackend):
    """Has a job under the cursor whose use is told, and one whose row changes at SIGUSR1."""

    def __init__(self) -> None:
        job = make_job(JOB, gpus=GPUS, created=datetime.now(UTC))
        super().__init__([job, make_job(OTHER, gpus=GPUS, usage=JobUsage(gpu=0.5, gpu_min=0.45))])
        self.held = 0.0
        self.used[job.ref.uid] = make_usage(RANKS, GPUS)
        self.use_histories[job.ref.uid] = make_history(RANKS, GPUS, _utilisation)

    async def watch(self, scopes: Sequence[Scope]) -> AsyncIterator[Sequence[WatchEvent]]:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self.step)
        loop.add_signal_handler(signal.SIGUSR2, self.write_held)
        self.holds = asyncio.ensure_future(self._hold()) if HOLDS in sys.argv else None
        async for batch in super().watch(scopes):
            yield batch

    async def _hold(self) -> None:
        """Note the longest time for which the event loop, and so every key, has waited."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(_LOOK)
            self.held = max(self.held, loop.time() - began - _LOOK)

    def write_held(self) -> None:
        """Write that time (seconds) into `HELD` of the home folder, and begin anew."""
        (Path.home() / HELD).write_text(str(self.held))
        self.held = 0.0

    def step(self) -> None:
        """Change one row: its use and its progress."""
        usage = JobUsage(gpu=0.82, gpu_min=0.0, gpu_memory=0.61, gpu_memory_max=0.97)
        self.change(f"uid-{OTHER}", usage=usage, progress=Progress(step=3120, total=10_000, loss=0.4))


def _utilisation(rank: int, gpu: int, step: int) -> float:
    return 0.8 + 0.15 * math.sin(step / 7 + rank + gpu / 3)


def main() -> None:
    """Go on as `traindeck` does when all is imported."""
    gc.freeze()
    gc.enable()
    TraindeckApp(Contexts([Way(Using())], Path("chosen")), context="scripted").run()
