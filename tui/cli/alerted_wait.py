"""`wait --alert`: the rules of alerts over the jobs that are waited for, for as long as the verb runs."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from backend_client.alerts.alert import Alert, AlertState
from backend_client.alerts.engine import EVERY_SECONDS
from backend_client.alerts.rules import BY_ID
from backend_client.models import Job, JobRef
from backend_client.models.alert_thresholds import OFF, THRESHOLDS
from backend_client.protocol import Changed, Feature, Freshness, Gone, JobBackend, Snapshot, WatchEvent
from tui.alerts.alert_watch import AlertWatch
from tui.cli.alert_flag import AlertFired
from tui.cli.output import print_message

Watched = Callable[[Sequence[WatchEvent]], None]
"""Called with each batch of a watch, before it is looked at for the end of a job."""


class AlertedWait:
    """Looks at some jobs of one context while their end is waited for, one after the other."""

    def __init__(
        self,
        backend: JobBackend,
        rules: Mapping[str, str],
        refs: Collection[JobRef],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        every: float = EVERY_SECONDS,
    ) -> None:
        """`rules`: those asked for, which weigh more than what a job says itself; all others are off."""
        self._backend, self._refs, self._clock, self._every = backend, refs, clock, every
        self._uids = {ref.uid for ref in refs}
        self._rules = dict.fromkeys(THRESHOLDS, OFF) | dict(rules)
        self._asked = list(rules)
        self._watch = AlertWatch({}, clock())
        self._watch.visible = refs
        self._alert: Alert | None = None
        """The first that fired; what becomes of it is no matter any more."""
        self._fired = asyncio.Event()

    async def start(self) -> None:
        """Say what is looked for and until when, and have the logs of the jobs read."""
        print_message(
            f"looks for {', '.join(self._asked)} while it waits; when it ends, nothing tells of them any more"
        )
        blind = [rule for rule in self._asked if BY_ID[rule].needs_gpus]
        if blind and Feature.METRICS not in self._backend.features:
            why = self._backend.missing_features.get(Feature.METRICS, "")
            print_message(f"{', '.join(blind)} cannot be told here: {why or 'nothing tells what GPUs do'}")
        await self._backend.set_visible_jobs(list(self._refs))

    def look(self, events: Sequence[WatchEvent]) -> None:
        """Take a batch of the watch."""
        kept = [told for event in events for told in self._of_jobs(event)]
        if kept:
            self._watch.observe(kept, self._clock())
            self._check()

    def _of_jobs(self, event: WatchEvent) -> Iterable[WatchEvent]:
        """Yield what an event tells of the jobs, with the rules that are asked for as their own."""
        match event:
            case Snapshot(jobs) | Changed(jobs):
                mine = tuple(self._with_rules(job) for job in jobs if job.ref.uid in self._uids)
                if mine:
                    yield Changed(mine)
            case Gone(refs):
                if gone := tuple(ref for ref in refs if ref.uid in self._uids):
                    yield Gone(gone)
            case Freshness():
                yield event

    def _with_rules(self, job: Job) -> Job:
        return replace(job, spec=replace(job.spec, alerts=self._rules))

    def _check(self) -> None:
        firing = (a for a in self._watch.current().items if a.state is AlertState.FIRING)
        self._alert = self._alert or next(firing, None)
        if self._alert:
            self._fired.set()

    async def run(self, wait: Coroutine[Any, Any, Job | None]) -> Job | None:
        """Wait, and return what `wait` does. Raises AlertFired where an alert fires before."""
        waiting = asyncio.ensure_future(wait)
        fired = asyncio.ensure_future(self._fired.wait())
        try:
            while True:
                await asyncio.wait({waiting, fired}, timeout=self._every, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    return waiting.result()
                if self._alert:
                    raise AlertFired(self._alert)
                self._watch.tick(self._clock())
                self._check()
        finally:
            fired.cancel()
            waiting.cancel()
            await asyncio.gather(waiting, fired, return_exceptions=True)
