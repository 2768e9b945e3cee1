"""What `benchmarks.link` runs in a terminal: 30 jobs whose log goes on at LINES a second from SIGUSR1 on."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from backend_client.contexts import Contexts
from backend_client.protocol import Lines, LogItem, LogQuery, Opened
from benchmarks.logs import LINE, SOURCE
from tests.support.scripted import ScriptedBackend, Way, make_jobs
from tui.app import TraindeckApp


class Going(ScriptedBackend):
    """Every job has 100 old lines, and the same new ones."""

    def __init__(self) -> None:
        super().__init__(make_jobs(30))
        self._begun = asyncio.Event()

    async def logs(self, query: LogQuery, *, after: str = "") -> AsyncIterator[Sequence[LogItem]]:  # noqa: ARG002  the protocol's signature
        yield [Opened(SOURCE), _lines(0, 100)]
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._begun.set)
        await self._begun.wait()
        rate, number, began = int(sys.argv[1]), 100, time.monotonic()
        while True:
            await asyncio.sleep(max(0.02, 1 / rate))
            until = 100 + int((time.monotonic() - began) * rate)
            if until > number:
                yield [_lines(number, until)]
            number = until


def _lines(first: int, until: int) -> Lines:
    lines = [LINE % number for number in range(first, until)]
    return Lines(source=SOURCE, lines=lines, times=[time.time_ns()] * len(lines))


if __name__ == "__main__":
    TraindeckApp(Contexts([Way(Going())], Path("chosen")), context="scripted").run()
