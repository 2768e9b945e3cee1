"""The log of one rank: run after run, each to its end."""

from collections.abc import Sequence

from backend_client.kubernetes.logs.container_log import ContainerLog, Put
from backend_client.kubernetes.logs.container_runs import ContainerRun
from backend_client.kubernetes.logs.cursor import Cursor
from backend_client.kubernetes.logs.job_tracker import JobTracker
from backend_client.kubernetes.logs.line_resumer import LineResumer
from backend_client.protocol import Gap, Lines, LogQuery, LogSource, Opened


class RankStream:
    """Reads the runs of one rank from a ContainerLog, one by one. Raises what broke the connection."""

    def __init__(
        self,
        log: ContainerLog,
        put: Put,
        tracker: JobTracker,
        query: LogQuery,
        *,
        cursor: Cursor,
        rank: int,
    ) -> None:
        """Set up the stream of a rank. `log` must put its items by the same `put`: they stay in order."""
        self._log = log
        self._put = put
        self._tracker = tracker
        self._query = query
        self._cursor = cursor
        self._rank = rank
        self._resumed = cursor.ranks.get(rank)
        """The position to go on from; None once the first run has begun."""
        self._from_start = self._resumed is not None or not cursor.ranks
        """The first run was there when the stream was first opened: the cursor's `tail` and `since` hold."""
        self._done: set[str] = set()
        """Keys of the runs that are read, or left out."""
        self._attempt = self._resumed.attempt if self._resumed else 0

    async def run(self) -> None:
        """Read to the end of the last run; without `follow` one run only."""
        while run := await self._next_run():
            await self._read_run(run)
            self._done.add(run.key)
            if not self._query.follow or self._query.attempt:
                return

    async def _next_run(self) -> ContainerRun | None:
        """Return the first run that is not done, waiting for one; None where none will come."""
        while True:
            runs = self._tracker.runs().get(self._rank, [])
            if not self._done and runs:
                self._skip_older(runs)
            for run in runs:
                if run.key not in self._done and self._query.attempt in (None, run.attempt):
                    return run
            if not self._query.follow or self._tracker.final:
                return None
            await self._tracker.wait_for_change()

    def _skip_older(self, runs: Sequence[ContainerRun]) -> None:
        """Leave out the runs before the one to begin with: the cursor's, else the newest."""
        resumed, start = self._resumed, len(runs) - 1
        if self._query.attempt:
            return
        if resumed:
            same = [index for index, run in enumerate(runs) if run.key == resumed.key]
            later = [index for index, run in enumerate(runs) if run.attempt > resumed.attempt]
            start = (same or later or [start])[0]
        self._done.update(run.key for run in runs[:start])

    async def _read_run(self, run: ContainerRun) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed and resumed.key != run.key:
            why = f"the rest of attempt {resumed.attempt} went with its pod"
            await self._put([Gap(LogSource(resumed.attempt, self._rank), why)])
            resumed = None
        from_start, self._from_start = self._from_start, False
        self._attempt = resumed.attempt if resumed else self._number(run)
        source = LogSource(self._attempt, self._rank, run.pod)
        since = self._cursor.since if from_start else 0
        resumer = LineResumer(source, resumed.position if resumed else None, since)
        count = self._cursor.tail if from_start and resumer.position is None else None
        if resumer.position is None:
            await self._open(run, resumer, count)
        if count is None or self._query.follow:
            await self._log.read(run, resumer)

    def _number(self, run: ContainerRun) -> int:
        """Number the attempt of a run: never as one before, though pods that are gone count no longer."""
        return max(run.attempt, self._attempt + 1) if self._attempt else run.attempt

    async def _open(self, run: ContainerRun, resumer: LineResumer, count: int | None) -> None:
        """Open the source; where only the last lines are asked for, read these as one whole answer."""
        self._cursor.begin(resumer.source, run.key)
        if count:
            await self._put([Opened(resumer.source)])
            await self._log.read_last(run, resumer, count)
            await self._put_cursor(resumer)
            return
        if count == 0:
            await self._log.read_last(run, resumer, 0)
            self._cursor.begin(resumer.source, run.key, resumer.position)
        await self._put([Opened(resumer.source)])
        if count == 0:
            await self._put_cursor(resumer)

    async def _put_cursor(self, resumer: LineResumer) -> None:
        """Put an empty batch: what comes now is behind its cursor, and no rank waits for this one."""
        await self._put([Lines(source=resumer.source, lines=[], times=[], open=True)])
