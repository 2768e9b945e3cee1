"""Samples of what an attempt uses, and their sums of an hour (pure). What was not told is in no sum."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from backend_client.models import JobUsage

_Number = TypeVar("_Number", int, float)
STEPS = 20
"""Of a histogram: each is a twentieth of the whole."""


class Sample(Struct, frozen=True, kw_only=True):
    """What one attempt uses at one moment."""

    utilisations: tuple[float, ...] = ()
    """Of each GPU that was measured, 0 to 1."""
    least: float | None = None
    """Of the GPU that did least."""
    idle: float = 0.0
    """GPUs that did nothing; of several pods together the part of each."""
    all_idle: bool = False
    """All GPUs of the whole job did nothing."""
    memory_shares: tuple[float, ...] = ()
    memory_peak: int | None = None
    memory_total: int | None = None
    memory_share: float | None = None
    watts: float | None = None
    cores: float | None = None
    rss: int | None = None


def of_job(usage: JobUsage, gpus: int, pods: int) -> Sample:
    """Return what one of the pods of a job uses, by the sum over all of them: each its part."""
    share, total = usage.gpu_memory_max, usage.gpu_memory_total
    return Sample(
        utilisations=(usage.gpu,) * gpus if usage.gpu is not None else (),
        least=usage.gpu_min if usage.gpu_min is not None else usage.gpu,
        idle=usage.gpus_idle / pods if usage.gpus_idle else 0.0,
        all_idle=usage.gpus_idle is not None and usage.gpus_idle >= gpus * pods,
        memory_shares=(usage.gpu_memory,) * gpus if usage.gpu_memory is not None else (),
        memory_peak=round(share * total) if share is not None and total is not None else None,
        memory_total=total,
        memory_share=share if share is not None else usage.gpu_memory,
        watts=usage.power / pods if usage.power is not None else None,
        cores=usage.cpu / pods if usage.cpu is not None else None,
        rss=round(usage.memory / pods) if usage.memory is not None else None,
    )


def _histogram() -> list[float]:
    return [0.0] * STEPS


class HourSums(Struct, kw_only=True):
    """The sums of one attempt and hour; the fields are the columns of `usage_hours`."""

    samples: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    idle: float = 0.0
    wall: float = 0.0
    least: float = 0.0
    all_idle: float = 0.0
    histogram: list[float] = field(default_factory=_histogram)
    memory_peak: int | None = None
    memory_total: int | None = None
    memory_share: float | None = None
    memory_histogram: list[float] = field(default_factory=_histogram)
    energy: float | None = None
    cpu_seconds: float | None = None
    cpu_covered: float = 0.0
    rss_peak: int | None = None

    def add(self, sample: Sample, seconds: float) -> None:
        """Add a sample that stands for some seconds."""
        count = len(sample.utilisations)
        self.samples += count
        self.seconds += count * seconds
        self.busy += sum(sample.utilisations) * seconds
        self.idle += min(count, sample.idle) * seconds
        if sample.least is not None:
            self.wall += seconds
            self.least += sample.least * seconds
            self.all_idle += seconds * sample.all_idle
        _count(self.histogram, sample.utilisations, seconds)
        _count(self.memory_histogram, sample.memory_shares, seconds)
        self.memory_peak = _larger(self.memory_peak, sample.memory_peak)
        self.memory_total = _larger(self.memory_total, sample.memory_total)
        self.memory_share = _larger(self.memory_share, sample.memory_share)
        self.rss_peak = _larger(self.rss_peak, sample.rss)
        if sample.watts is not None:
            self.energy = (self.energy or 0.0) + sample.watts * seconds
        if sample.cores is not None:
            self.cpu_seconds = (self.cpu_seconds or 0.0) + sample.cores * seconds
            self.cpu_covered += seconds

    def merge(self, other: "HourSums") -> None:
        """Add the sums of another time, or of another attempt."""
        for name in ("samples", "seconds", "busy", "idle", "wall", "least", "all_idle", "cpu_covered"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("memory_peak", "memory_total", "memory_share", "rss_peak"):
            setattr(self, name, _larger(getattr(self, name), getattr(other, name)))
        for name in ("energy", "cpu_seconds"):
            if (more := getattr(other, name)) is not None:
                setattr(self, name, (getattr(self, name) or 0.0) + more)
        for name in ("histogram", "memory_histogram"):
            pairs = zip(getattr(self, name), getattr(other, name), strict=True)
            setattr(self, name, [one + more for one, more in pairs])


def _larger(one: _Number | None, other: _Number | None) -> _Number | None:
    return other if one is None else one if other is None else max(one, other)


def _count(histogram: list[float], shares: Sequence[float], seconds: float) -> None:
    for share in shares:
        histogram[max(0, min(STEPS - 1, int(share * STEPS)))] += seconds


def percentile(histogram: Sequence[float], share: float) -> float | None:
    """Return the value below which this share of a histogram lies, to a step; None for an empty one."""
    total, below = sum(histogram), 0.0
    if total <= 0:
        return None
    for step, seconds in enumerate(histogram):
        if seconds and below + seconds >= share * total - 1e-9:
            return (step + (share * total - below) / seconds) / len(histogram)
        below += seconds
    return 1.0


def encode_histogram(histogram: Sequence[float]) -> str:
    """Encode a histogram for its column: whole seconds; nothing for an empty one."""
    return (
        msgspec.json.encode([round(seconds, 1) for seconds in histogram]).decode() if any(histogram) else ""
    )


def decode_histogram(text: str) -> list[float]:
    """Decode what `encode_histogram` made."""
    return msgspec.json.decode(text, type=list[float]) if text else _histogram()
