"""What `benchmarks.logs` runs in a terminal: one job, and a flood of LINES in its log."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from backend_client.contexts import Contexts
from backend_client.protocol import Lines, LogItem, LogQuery, Opened
from benchmarks.logs import SOURCE, batches
from tests.support.scripted import ScriptedBackend, Way, make_job
from tui.app import TraindeckApp


class Flood(ScriptedBackend):
    """Gives lines as fast as they are taken; the last one says when the first was given."""

    async def logs(self, query: LogQuery, *, after: str = "") -> AsyncIterator[Sequence[LogItem]]:  # noqa: ARG002  the protocol's signature
        made = batches(int(sys.argv[1]))
        yield [Opened(SOURCE)]
        await asyncio.sleep(1)
        began = time.time()
        for batch in made:
            yield [batch]
        yield [Lines(source=SOURCE, lines=[b"END %.6f ." % began], times=[1])]
        await asyncio.Event().wait()


if __name__ == "__main__":
    TraindeckApp(
        Contexts([Way(Flood([make_job("flood")]))], Path("chosen")),
        context="scripted",
    ).run()
