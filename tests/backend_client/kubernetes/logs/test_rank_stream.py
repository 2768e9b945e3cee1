"""Any source of logs can stand behind a rank: a RankStream asks a ContainerLog for its runs, nothing else."""

from collections.abc import Sequence

from backend_client.kubernetes.logs.container_log import ContainerLog, Put
from backend_client.kubernetes.logs.container_runs import ContainerRun
from backend_client.kubernetes.logs.cursor import Cursor
from backend_client.kubernetes.logs.line_resumer import LineResumer
from backend_client.kubernetes.logs.rank_stream import RankStream
from backend_client.models import JobRef
from backend_client.protocol import Lines, LogItem, LogQuery, Opened
from tests.backend_client.kubernetes.support.kubelet import SECOND, Chunk, render

START = 1_790_000_000 * SECOND
REF = JobRef("k", "ns", "job", "j", "u")
RUNS = [ContainerRun(f"key{n}", 0, n, "ns", f"j-{n}", "main", ended=True) for n in (1, 2)]


class Archive:
    """The logs of pods that are gone, as a service outside the cluster would have them."""

    def __init__(self, put: Put) -> None:
        self.put = put

    async def read(self, run: ContainerRun, resumer: LineResumer) -> None:
        resumer.begin()
        line = Chunk(START + run.attempt * SECOND, b"line of " + run.pod.encode())
        await self.put([*resumer.feed(render([line])), *resumer.end()])

    async def read_last(self, run: ContainerRun, resumer: LineResumer, count: int) -> None:
        await self.read(run, resumer)


class Tracker:
    """A job that has ended."""

    final = True

    def runs(self) -> dict[int, list[ContainerRun]]:
        return {0: RUNS}


async def read(query: LogQuery, cursor: Cursor) -> list[LogItem]:
    items: list[LogItem] = []

    async def put(batch: Sequence[LogItem]) -> None:
        items.extend(cursor.advance(item) for item in batch)

    log: ContainerLog = Archive(put)
    await RankStream(log, put, Tracker(), query, cursor=cursor, rank=0).run()  # type: ignore[arg-type]
    return items


async def test_another_source_gives_the_newest_run() -> None:
    opened, lines = await read(LogQuery(ref=REF), Cursor())
    assert isinstance(opened, Opened)
    assert isinstance(lines, Lines)
    assert (opened.source.attempt, lines.lines) == (2, [b"line of j-2"])


async def test_another_source_is_resumed_by_its_cursor() -> None:
    _, lines = await read(LogQuery(ref=REF, attempt=1), Cursor())
    assert isinstance(lines, Lines)
    resumed = await read(LogQuery(ref=REF, follow=True), Cursor.parse(lines.cursor))
    assert [item.lines for item in resumed if isinstance(item, Lines)] == [[b"line of j-2"]]
