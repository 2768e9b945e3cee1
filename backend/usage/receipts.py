"""The receipt of one job: what its attempts held and used, and at most one advice (pure)."""

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from backend.usage.held import Held
from backend.usage.report import ENOUGH
from backend.usage.samples import HourSums, percentile
from backend_client.models import JobRef, JobSpec
from backend_client.models.quantities import amount_of
from backend_client.usage import UNUSED
from backend_client.usage_report import Advice, Receipt

_GIB = 2**30
_LITTLE = 0.25
"""An advice names what was used to less than this share."""
_FULL = 0.95
_LONG_ENOUGH = 600.0
"""Seconds of figures before a job is given any advice."""


class JobFacts(Struct, frozen=True, kw_only=True):
    """What is known of a job beside its attempts."""

    ref: JobRef
    spec: JobSpec
    created: datetime
    ended: bool


def make_receipt(job: JobFacts, attempts: Sequence[tuple[Held, HourSums]], now: datetime) -> Receipt:
    """Add up the attempts of a job; each comes with the sums of all its hours."""
    held = [one for one, _ in attempts]
    whole = HourSums()
    for _, sums in attempts:
        whole.merge(sums)
    seconds = sum(_gpu_seconds(one, now) for one in held)
    coverage = min(1.0, whole.seconds / seconds) if seconds else 0.0
    enough = coverage >= ENOUGH and whole.seconds > 0
    receipt = Receipt(
        job=job.ref,
        spec=job.spec,
        final=job.ended and all(one.released for one in held),
        gpu_hours=seconds / 3600,
        gpu_types=tuple(sorted({one.gpu_type for one in held if one.gpus and one.gpu_type})),
        uncertain=sum(_uncertain(one) for one in held) / 3600,
        waited=_waited(job, held),
        preempted=sum(_gpu_seconds(one, now) for one in held if one.end in ("preempted", "evicted")) / 3600,
        attempts=max((one.number for one in held), default=0),
        utilisation=whole.busy / whole.seconds if enough else None,
        utilisation_p95=percentile(whole.histogram, 0.95) if enough else None,
        utilisation_min=_least(attempts) if enough else None,
        idle_minutes=_idle_minutes(job.spec, attempts) if enough else None,
        gpu_memory_peak=_peak_bytes(whole),
        gpu_memory_p95=_bytes(percentile(whole.memory_histogram, 0.95), whole.memory_total),
        gpu_memory_total=whole.memory_total,
        gpu_memory_share=whole.memory_share,
        cpu_asked=_amount(job.spec.cpu),
        cpu_used=whole.cpu_seconds / whole.cpu_covered if whole.cpu_seconds is not None else None,
        memory_asked=round(asked) if (asked := _amount(job.spec.memory)) else None,
        memory_peak=whole.rss_peak,
        energy=whole.energy / 3.6e6 if whole.energy is not None else None,
        coverage=coverage,
    )
    return _with_advice(receipt, max(whole.wall, whole.cpu_covered))


def _gpu_seconds(held: Held, now: datetime) -> float:
    return max(0.0, ((held.released or now) - held.allocated).total_seconds()) * held.gpus


def _uncertain(held: Held) -> float:
    if held.released is None or held.released_lo is None:
        return 0.0
    return (held.released - held.released_lo).total_seconds() * held.gpus


def _waited(job: JobFacts, held: Sequence[Held]) -> float | None:
    first = min((one.allocated for one in held), default=None)
    return max(0.0, (first - job.created).total_seconds()) if first else None


def _least(attempts: Sequence[tuple[Held, HourSums]]) -> float | None:
    """Return the mean utilisation of the GPU that did least, of the rank where that was lowest."""
    by_rank: defaultdict[int, HourSums] = defaultdict(HourSums)
    for held, sums in attempts:
        by_rank[held.rank].merge(sums)
    return min((sums.least / sums.wall for sums in by_rank.values() if sums.wall), default=None)


def _idle_minutes(spec: JobSpec, attempts: Sequence[tuple[Held, HourSums]]) -> float:
    """Return for how long all GPUs of the job did nothing: its ranks say it of the same time."""
    ranks = max(1, spec.replicas if spec.kind == "deployment" else spec.nodes)
    return sum(sums.all_idle for _, sums in attempts) / ranks / 60


def _peak_bytes(sums: HourSums) -> int | None:
    return sums.memory_peak if sums.memory_peak is not None else _bytes(sums.memory_share, sums.memory_total)


def _bytes(share: float | None, total: int | None) -> int | None:
    return round(share * total) if share is not None and total else None


def _amount(text: str) -> float | None:
    return amount_of(text) if text else None


# Advice


def _with_advice(receipt: Receipt, measured: float) -> Receipt:
    if measured < _LONG_ENOUGH:
        return receipt
    advices = (_unused_gpus, _full_memory, _one_idle_gpu, _large_gpu, _unused_cpus, _unused_memory)
    found = next((advice for make in advices if (advice := make(receipt))), None)
    if found is None:
        return receipt
    values = {name: getattr(receipt, name) for name in Receipt.__struct_fields__}
    return Receipt(**values | {"advice": found})


def _unused_gpus(receipt: Receipt) -> Advice | None:
    if not receipt.spec.gpus or receipt.utilisation_p95 is None or receipt.utilisation is None:
        return None
    if receipt.utilisation >= UNUSED / 2 or receipt.utilisation_p95 > 1.5 * UNUSED + 0.05:
        return None
    return Advice(sentence="it never used its GPUs", changes={"gpus": "0"})


def _full_memory(receipt: Receipt) -> Advice | None:
    asked, peak = receipt.memory_asked, receipt.memory_peak
    if not asked or peak is None or peak < _FULL * asked:
        return None
    sentence = f"its memory was nearly full: {_gib(peak)} of {_gib(asked)} GiB"
    return Advice(sentence=sentence, changes={"memory": f"{math.ceil(1.25 * asked / _GIB)}Gi"})


def _one_idle_gpu(receipt: Receipt) -> Advice | None:
    gpus, least = receipt.spec.gpus, receipt.utilisation_min
    if gpus < 2 or least is None or least >= UNUSED or receipt.utilisation is None:
        return None
    changes = {"gpus": "1"} if gpus == 2 else {}
    return Advice(sentence=f"at least one of its {gpus} GPUs did nothing", changes=changes)


def _large_gpu(receipt: Receipt) -> Advice | None:
    share, total, peak = receipt.gpu_memory_share, receipt.gpu_memory_total, receipt.gpu_memory_peak
    if share is None or share >= _LITTLE:
        return None
    used = f"{_gib(peak)} of {_gib(total)} GiB" if total and peak is not None else f"{share:.0%}"
    return Advice(sentence=f"it used {used} of GPU memory at its peak: a smaller GPU would do")


def _unused_cpus(receipt: Receipt) -> Advice | None:
    asked, used = receipt.cpu_asked, receipt.cpu_used
    if not asked or asked < 2 or used is None or used >= _LITTLE * asked:
        return None
    sentence = f"asked for {asked:g} CPUs, used {used:.1f}"
    return Advice(sentence=sentence, changes={"cpu": str(max(1, math.ceil(2 * used)))})


def _unused_memory(receipt: Receipt) -> Advice | None:
    asked, peak = receipt.memory_asked, receipt.memory_peak
    if not asked or asked < 4 * _GIB or peak is None or peak >= _LITTLE * asked:
        return None
    sentence = f"asked for {_gib(asked)} GiB of memory, used {_gib(peak)} GiB at its peak"
    return Advice(sentence=sentence, changes={"memory": f"{max(1, math.ceil(1.5 * peak / _GIB))}Gi"})


def _gib(count: int) -> str:
    return f"{count / _GIB:.1f}".removesuffix(".0")
