"""The log of one rank: run after run, each to its end."""

from collections.abc import Sequence

from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.logs.container_runs import ContainerRun
from backend_client.kubernetes.logs.container_stream import ContainerLogReader
from backend_client.kubernetes.logs.cursor import Cursor
from backend_client.kubernetes.logs.job_tracker import JobTracker
from backend_client.kubernetes.logs.line_resumer import LineResumer
from backend_client.logs.merge import MergedStream
from backend_client.protocol import Gap, Lines, LogItem, LogQuery, LogSource, Opened


class RankStream:
    """Reads one rank into a funnel. Raises what broke the link."""

    def __init__(
        self,
        transport: Transport,
        subject: JobTracker,
        query: LogQuery,
        *,
        cursor: Cursor,
        funnel: MergedStream,
        rank: int,
    ) -> None:
        self._subject = subject
        self._query = query
        self._cursor = cursor
        self._funnel = funnel
        self._rank = rank
        self._place = cursor.places.get(rank)
        self._begins = self._place is not None or not cursor.places
        """The first run that is read was there when the stream was first opened: `tail`, `since` hold."""
        self._done: set[str] = set()
        self._number = self._place.attempt if self._place else 0
        self._reader = ContainerLogReader(transport, subject, self._put, follow=query.follow)

    async def run(self) -> None:
        """To the end of the last run; without `follow` one run only."""
        try:
            while run := await self._next():
                await self._one(run)
                self._done.add(run.key)
                if not self._query.follow or self._query.attempt:
                    return
        finally:
            self._funnel.close(self._rank)

    async def _put(self, items: Sequence[LogItem]) -> None:
        await self._funnel.put(self._rank, items)

    async def _next(self) -> ContainerRun | None:
        """The first run that is not done; None where none will come."""
        while True:
            runs = self._subject.runs().get(self._rank, [])
            if not self._done and runs:
                self._skip(runs)
            for run in runs:
                if run.key not in self._done and self._query.attempt in (None, run.attempt):
                    return run
            if not self._query.follow or self._subject.final:
                return None
            await self._subject.wait_for_change()

    def _skip(self, runs: list[ContainerRun]) -> None:
        """Leave out what came before the run to begin with."""
        place, start = self._place, len(runs) - 1
        if self._query.attempt:
            return
        if place:
            same = [index for index, run in enumerate(runs) if run.key == place.key]
            later = [index for index, run in enumerate(runs) if run.attempt > place.attempt]
            start = (same or later or [start])[0]
        self._done.update(run.key for run in runs[:start])

    async def _one(self, run: ContainerRun) -> None:
        place, self._place = self._place, None
        if place and place.key != run.key:
            why = f"the rest of attempt {place.attempt} went with its pod"
            await self._put([Gap(LogSource(place.attempt, self._rank), why)])
            place = None
        number = place.attempt if place else self._numbered(run)
        source = LogSource(number, self._rank, run.pod)
        begins, self._begins = self._begins, False
        tail = LineResumer(source, place.mark if place else None, self._cursor.since if begins else 0)
        self._number = number
        count = self._cursor.tail if begins and tail.mark is None else None
        if tail.mark is None:
            await self._begin(run, tail, count)
        if count is None or self._query.follow:
            await self._reader.read(run, tail)

    def _numbered(self, run: ContainerRun) -> int:
        """Pods that were cleared away are no longer counted by the others: a number never comes twice."""
        return max(run.attempt, self._number + 1) if self._number else run.attempt

    async def _begin(self, run: ContainerRun, tail: LineResumer, count: int | None) -> None:
        """Open the source; where only the last lines are wanted, read those as one whole answer."""
        self._cursor.begin(tail.source, run.key)
        if count:
            await self._put([Opened(tail.source)])
            await self._reader.last(run, tail, count)
            return
        if count == 0:
            await self._reader.last(run, tail, 0)
            self._cursor.begin(tail.source, run.key, tail.mark)
        await self._put([Opened(tail.source)])
        if count == 0:  # told, so that going on from here gives what comes now
            await self._put([Lines(source=tail.source, lines=[], times=[], open=True)])
