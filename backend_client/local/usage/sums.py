"""What one job uses in sum, of what its one rank does (pure)."""

from collections.abc import Iterable

from backend_client.models import JobUsage
from backend_client.usage import UNUSED, RankUsage, idle_parts


def job_usage(rank: RankUsage) -> JobUsage:
    """Return the sum of a rank. A figure that no GPU tells is None; power is that of all, or none."""
    gpus = rank.gpus
    shares = [gpu.utilisation for gpu in gpus if gpu.utilisation is not None]
    full = [
        (gpu.memory / gpu.memory_total, gpu.memory_total)
        for gpu in gpus
        if gpu.memory is not None and gpu.memory_total
    ]
    fullest, size = max(full, default=(None, None))
    powers = [gpu.power for gpu in gpus]
    told = bool(shares or full or any(power is not None for power in powers))
    return JobUsage(
        gpu=_mean(shares),
        gpu_min=min(shares, default=None),
        gpu_memory=_mean([share for share, _ in full]),
        gpu_memory_max=fullest,
        gpu_memory_total=size,
        gpus_idle=sum(share < UNUSED for share in shares) if shares else None,
        power=sum(powers) if powers and all(power is not None for power in powers) else None,  # type: ignore[arg-type]
        cpu=rank.cpu,
        memory=rank.memory,
        idle=idle_parts(((f"{rank.rank}/{gpu.gpu}", gpu.utilisation) for gpu in gpus), _mean(shares)),
        xid=_xid([gpu.xid for gpu in gpus]),
        source="NVML, /proc" if told else "/proc",
        as_of=min(filter(None, [rank.as_of, *(gpu.as_of for gpu in gpus)]), default=None),
    )


def _mean(shares: list[float]) -> float | None:
    return sum(shares) / len(shares) if shares else None


def _xid(xids: Iterable[int | None]) -> int | None:
    """Return an error that is not 0, where there is one; 0 only where every GPU is known to have none."""
    told = list(xids)
    errors = [xid for xid in told if xid]
    return errors[0] if errors else 0 if told and None not in told else None
