"""Days of jobs for the alerts to watch: what each does, half minute by half minute, and what is really wrong.

Made from a seed: downloads before the first step, loading, evaluations, checkpoints, data loaders that
cannot keep up, parts that work by turns, preemptions; and figures with gaps, and some that repeat themselves.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from backend_client.models import Attempt, Eviction, Job, JobRef, JobSpec, JobState, JobUsage, Progress

GAVE_WAY = Eviction(how="preempted", why="gave way to a pod of higher priority")
START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = 30.0
"""Seconds between two readings of the figures."""
DAY = 86400.0
GPUS = 8


class Fault(Struct, frozen=True):
    """What is really wrong, and within which seconds of the day a person should be told."""

    rule: str
    first: float
    """Before it, nobody could know."""
    last: float


class JobDay(Struct, kw_only=True):
    """One job over one day."""

    profile: str
    job: Job
    """As it is when the day begins."""
    changes: list[tuple[float, dict[str, Any]]]
    """(second of the day, what is told then), in their order."""
    faults: list[Fault]


class Moment(Struct):
    """What a job does for a while."""

    seconds: float
    mean: float = 0.9
    """The share of its GPUs that is used, roughly."""
    idle: tuple[str, ...] = ()
    phase: str = ""
    steps: bool = True
    """It makes steps, and prints them."""
    jitter: float = 0.08
    loss: str = ""
    """A word in place of a figure: nan."""


Moments = list[Moment]
_EVAL, _SAVE, _LOAD = "evaluating", "saving", "loading"


def _training(random: Random, hours: float, **more: Any) -> Moments:
    """Train, with an evaluation and a checkpoint now and then."""
    moments: Moments = []
    left = hours * 3600
    every = random.uniform(1200, 5400)
    while left > 0:
        moments.append(Moment(min(left, every), random.uniform(0.4, 0.97), **more))
        if random.random() < 0.7:
            mean = random.choice([0.0, 0.3, 0.6])
            seconds = random.uniform(60, 1500)
            moments.append(Moment(seconds, mean, phase=_EVAL, steps=False, idle=more.get("idle", ())))
        moments.append(Moment(random.uniform(20, 600), 0.0, phase=random.choice([_SAVE, ""]), steps=False))
        left -= every
    return moments


def _loading(random: Random, minutes: float) -> Moments:
    return [Moment(random.uniform(60, minutes * 60), 0.0, steps=False, phase=random.choice([_LOAD, ""]))]


def _steady(random: Random) -> Moments:
    return _loading(random, 20) + _training(random, random.uniform(2, 20))


def _download(random: Random) -> Moments:
    """Images, dependencies and data come first."""
    return _loading(random, 80) + _training(random, random.uniform(2, 12))


def _long_evaluation(random: Random) -> Moments:
    """An evaluation on the CPU (generated code that is run, scores that are computed)."""
    moments = _loading(random, 10)
    for _ in range(4):
        moments += _training(random, random.uniform(1, 2))
        moments.append(Moment(random.uniform(1200, 2900), 0.0, phase=_EVAL, steps=False))
    return moments


def _slow_loader(random: Random) -> Moments:
    """Half of the looks find idle GPUs: the data loader cannot keep up."""
    return [*_loading(random, 20), Moment(random.uniform(6, 18) * 3600, 0.12, jitter=0.12)]


def _by_turns(random: Random) -> Moments:
    """One half of the ranks makes samples, then the other half learns of them."""
    moments = _loading(random, 15)
    halves = ("0", "1", "2", "3"), ("4", "5", "6", "7")
    for turn in range(random.randint(60, 200)):
        moments.append(Moment(random.uniform(90, 600), 0.45, halves[turn % 2]))
    return moments


def _quiet_log(random: Random) -> Moments:
    """It prints an epoch every 10 to 25 minutes."""
    return [*_loading(random, 10), Moment(random.uniform(6, 18) * 3600, 0.8, steps=False)]


def _nan_once(random: Random) -> Moments:
    """A loss scale that is found by trial: nan now and then."""
    moments = _loading(random, 10)
    for _ in range(6):
        moments += [Moment(3600, 0.9), Moment(STEP, 0.9, loss="nan")]
    return moments


HEALTHY: dict[str, Callable[[Random], Moments]] = {
    "steady": _steady,
    "download": _download,
    "long evaluation": _long_evaluation,
    "slow loader": _slow_loader,
    "by turns": _by_turns,
    "quiet log": _quiet_log,
    "nan once": _nan_once,
}


def _length(moments: Moments) -> float:
    """Return how long moments take, each in whole readings."""
    return sum(_readings(moment) * STEP for moment in moments)


def _readings(moment: Moment) -> int:
    return max(1, round(moment.seconds / STEP))


def _hang(random: Random, mean: float) -> tuple[Moments, float]:
    """Return moments that end in a hang, and when that begins."""
    before = _loading(random, 15) + _training(random, random.uniform(2, 8))
    return [*before, Moment(6 * 3600, mean, steps=False)], _length(before)


def _deadlock(random: Random) -> tuple[Moments, list[Fault]]:
    """All ranks wait for each other: no GPU is used, no line comes."""
    moments, begun = _hang(random, 0.0)
    return moments, [Fault("gpu-idle", begun, begun + 7800), Fault("silent", begun, begun + 4 * 3600)]


def _busy_hang(random: Random) -> tuple[Moments, list[Fault]]:
    """A collective spins: the GPUs look busy, no line comes."""
    moments, begun = _hang(random, 1.0)
    return moments, [Fault("silent", begun, begun + 4 * 3600)]


def _never_used(_random: Random) -> tuple[Moments, list[Fault]]:
    """A build of torch without CUDA: it trains on the CPU."""
    return [Moment(10 * 3600, 0.0)], [Fault("gpu-idle", 3500, 4 * 3600)]


def _one_rank(random: Random) -> tuple[Moments, list[Fault]]:
    before = _loading(random, 15) + _training(random, random.uniform(2, 6))
    begun = _length(before)
    after = _training(random, 6, idle=("5",))
    return [*before, *after], [Fault("rank-idle", begun, begun + 3 * 3600)]


def _broken_loss(random: Random) -> tuple[Moments, list[Fault]]:
    before = _loading(random, 15) + _training(random, random.uniform(2, 6))
    begun = _length(before)
    return [*before, Moment(3 * 3600, 0.9, loss="nan")], [Fault("loss", begun, begun + 600)]


FAULTY: dict[str, Callable[[Random], tuple[Moments, list[Fault]]]] = {
    "deadlock": _deadlock,
    "busy hang": _busy_hang,
    "GPUs never used": _never_used,
    "one rank idle": _one_rank,
    "loss is nan": _broken_loss,
}


def days(seed: int, of_each: int) -> Iterator[JobDay]:
    """Make as many days of each profile."""
    for profile, make in HEALTHY.items():
        for number in range(of_each):
            random = Random(f"{seed} {profile} {number}")
            yield _day(random, profile, number, make(random), [])
    for profile, make_faulty in FAULTY.items():
        for number in range(of_each):
            random = Random(f"{seed} {profile} {number}")
            moments, faults = make_faulty(random)
            yield _day(random, profile, number, moments, faults)


def _day(random: Random, profile: str, number: int, moments: Moments, faults: list[Fault]) -> JobDay:
    name = f"{profile.replace(' ', '-').lower()}-{number}"
    spec = JobSpec(name=name, command=("python", "train.py"), gpus=1, nodes=GPUS)
    ref = JobRef("bench", "ns", "job", name, f"uid-{name}")
    job = Job(ref=ref, state=JobState.QUEUED, spec=spec, created=START, queued=START)
    wait = random.uniform(0, 3 * 3600)
    end = min(DAY - 3600, wait + _length(moments))
    preempted = random.uniform(wait + 3600, end) if not faults and random.random() < 0.2 else DAY
    changes = list(_told(random, profile, moments, wait, preempted))
    shifted = [Fault(each.rule, each.first + wait, each.last + wait) for each in faults]
    if preempted < end:
        shifted.append(Fault("node", preempted, preempted + 600))
    return JobDay(profile=profile, job=job, changes=changes, faults=shifted)


def at(seconds: float) -> datetime:
    """Return the time at a second of the day."""
    return START + timedelta(seconds=seconds)


def _told(
    random: Random, profile: str, moments: Moments, wait: float, interrupted: float
) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield what a watch tells of a job that starts after a wait."""
    attempts: tuple[Attempt, ...] = (Attempt(number=1, started=at(wait)),)
    yield wait, {"state": JobState.RUNNING, "started": at(wait), "attempts": attempts, "progress": None}
    now, end = wait, min(DAY - 60, wait + _length(moments))
    chain = _Chain(random)
    figures = _Figures(random, epochs=profile == "quiet log")
    for moment in moments:
        for _ in range(_readings(moment)):
            if now >= end:
                break
            if now >= interrupted:
                interrupted = DAY
                yield from _preempted(attempts, now)
                now += random.uniform(300, 3600)
                attempts = (*attempts, Attempt(number=2, started=at(now)))
                yield now, {"state": JobState.RUNNING, "attempts": attempts, "usage": None}
            change = chain.told(now, _usage(random, moment)) | figures.told(now, moment)
            if change:
                yield now, change
            now += STEP
    yield now, {"state": JobState.SUCCEEDED, "finished": at(now), "usage": None}


def _preempted(attempts: tuple[Attempt, ...], now: float) -> Iterator[tuple[float, dict[str, Any]]]:
    ended = replace(attempts[-1], finished=at(now), evicted=GAVE_WAY)
    yield now, {"state": JobState.PENDING, "attempts": (*attempts[:-1], ended), "usage": None}


def _usage(random: Random, moment: Moment) -> JobUsage:
    if moment.mean == 0.0:
        return JobUsage(gpu=0.0, gpu_min=0.0, xid=0)
    mean = min(1.0, max(0.0, random.gauss(moment.mean, moment.jitter)))
    least = 0.0 if moment.idle else max(0.0, mean - abs(random.gauss(0, moment.jitter)))
    idle = moment.idle if mean >= 0.02 else ()
    return JobUsage(gpu=mean, gpu_min=least, xid=0, idle=idle)


class _Chain:
    """How figures come: with lost samples, holes, and a Prometheus that was restarted and repeats itself."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._until = 0.0
        self._repeats = False
        self._last: JobUsage | None = None

    def told(self, now: float, usage: JobUsage) -> dict[str, Any]:
        """Return the change that is told of a reading; nothing where it is as before."""
        if now >= self._until and self._random.random() < 1 / 1500:
            self._repeats = self._random.random() < 0.5
            self._until = now + (300 if self._repeats else self._random.uniform(60, 5400))
        if now < self._until:
            seen = self._last if self._repeats else None
        else:
            seen = None if self._random.random() < 0.01 else usage
        if seen == self._last:
            return {}
        self._last = seen
        return {"usage": seen}


class _Figures:
    """What is read out of a log: steps, losses, phases."""

    def __init__(self, random: Random, *, epochs: bool) -> None:
        self._random = random
        self._epochs = epochs
        self._next_epoch = 0.0
        self._progress: Progress | None = None
        self._step = 0

    def told(self, now: float, moment: Moment) -> dict[str, Any]:
        if self._epochs:
            if now < self._next_epoch or moment.mean == 0.0:
                return {}
            self._next_epoch = now + self._random.uniform(600, 1500)
        elif not moment.steps:
            if self._progress is None or self._progress.phase == moment.phase or not moment.phase:
                return {}
            self._progress = replace(self._progress, phase=moment.phase)
            return {"progress": self._progress}
        self._step += self._random.randint(20, 60)
        loss: Any = moment.loss or self._loss()
        self._progress = Progress(step=self._step, total=10**6, loss=loss, updated=at(now))
        return {"progress": self._progress}

    def _loss(self) -> float:
        """A loss that falls, wobbles, and spikes now and then."""
        spike = self._random.uniform(3, 30) if self._random.random() < 0.002 else 1.0
        return (0.5 + 8 / (1 + self._step / 500)) * self._random.uniform(0.8, 1.25) * spike
