"""The story of one job, minute by minute, told to an engine as a watch would."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from backend_client.alerts.engine import AlertEngine, Transition
from backend_client.alerts.timeline import LogRead
from backend_client.models import Attempt, Job, JobRef, JobSpec, JobState, JobUsage, Progress
from backend_client.protocol import Changed, Freshness, FreshnessState, Gone, Snapshot, Synced, WatchEvent

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
REF = JobRef("c", "ns", "job", "bert", "uid-1")
SPEC = JobSpec(name="bert", command=("python", "train.py"), gpus=8)
BUSY = JobUsage(gpu=0.9, gpu_min=0.85, xid=0)
IDLE = JobUsage(gpu=0.0, gpu_min=0.0, xid=0)
ONE_IDLE = JobUsage(gpu=0.8, gpu_min=0.0, xid=0)


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def running(number: int = 1, at: float = 0, **more: Any) -> dict[str, Any]:
    """What changes as an attempt begins to run."""
    attempts = (Attempt(number=number, started=minute(at)),)
    return {"state": JobState.RUNNING, "started": minute(at), "attempts": attempts, **more}


def steps(step: int, loss: Any = None, **more: Any) -> dict[str, Any]:
    """What changes as a line of progress is read."""
    return {"progress": Progress(step=step, total=10_000, loss=loss, **more)}


class Watch:
    """A watch of one job whose events go to an engine, with a tick every half minute."""

    def __init__(self, engine: AlertEngine, job: Job | None = None) -> None:
        self.engine = engine
        self.job = job or Job(ref=REF, state=JobState.QUEUED, spec=SPEC, created=START)

    def begin(self, at: datetime = START) -> None:
        live = Freshness(FreshnessState.LIVE, at)
        self.engine.observe([Snapshot((self.job,)), Synced(), live], at)

    def tell(self, event: Any, at: datetime) -> None:
        match event:
            case "stale":
                self._observe(Freshness(FreshnessState.STALE, at, "the link broke"), at)
            case "live":
                self._observe(Snapshot((self.job,)), at)
                self._observe(Synced(), at)
                self._observe(Freshness(FreshnessState.LIVE, at), at)
            case "gone":
                self._observe(Gone((self.job.ref,)), at)
            case Mapping():
                self.job = replace(self.job, **event)
                self._observe(Changed((self.job,)), at)

    def _observe(self, event: WatchEvent, at: datetime) -> None:
        self.engine.observe([event], at)


Step = tuple[float, Any]
"""(minute, what changes), "stale", "live", "gone" or ("asleep", minutes)."""


def play(
    story: Sequence[Step],
    until: float,
    *,
    wishes: Mapping[str, str] | None = None,
    spec: JobSpec = SPEC,
    log_read: LogRead = lambda _, now: now,
) -> list[Transition]:
    """Return all that an engine says of a story, ticking every half minute until a minute."""
    engine = AlertEngine(lambda _: wishes or {}, log_read=log_read)
    watch = Watch(engine, Job(ref=REF, state=JobState.QUEUED, spec=spec, created=START))
    watch.begin()
    left, asleep = sorted(story, key=lambda step: step[0]), 0.0
    said: list[Transition] = []
    for half in range(int(until * 2) + 1):
        now = half / 2
        while left and left[0][0] <= now:
            _, event = left.pop(0)
            if isinstance(event, tuple):
                asleep = now + event[1]
            else:
                watch.tell(event, minute(now))
        if now >= asleep:
            said += engine.tick(minute(now))
    return said


def told(transitions: Sequence[Transition]) -> list[tuple[str, str, float]]:
    """Return (rule, state, minute) of each."""
    return [(t.rule, t.state.value, (t.at - START).total_seconds() / 60) for t in transitions]
