"""The GPUs of this machine as lines, one for each product: what is free, who holds the rest (pure)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from backend_client.gpu_nodes import GpuNode, Holder, Whose
from backend_client.local.devices import Device
from backend_client.models import Job


def gpu_lines(
    host: str, devices: Sequence[Device], held: Mapping[str, str], jobs: Mapping[str, Job]
) -> tuple[GpuNode, ...]:
    """Return a line for each product. `held`: slot -> uid of its job; `jobs`: by uid, those that are known.

    A GPU that the driver has lost has no name: it counts to the product of the others where that is one.
    """
    products = list(dict.fromkeys(device.product for device in devices if not device.broken))
    broken = sum(device.broken for device in devices)
    lines = [_line(host, product, devices, held, jobs) for product in products]
    if broken and len(lines) != 1:
        return (*lines, GpuNode(name=host, total=0, free=0, broken=broken))
    return tuple(
        GpuNode(
            name=host,
            product=line.product,
            total=line.total,
            free=line.free,
            broken=broken,
            holders=line.holders,
        )
        for line in lines
    )


def _line(
    host: str, product: str, devices: Iterable[Device], held: Mapping[str, str], jobs: Mapping[str, Job]
) -> GpuNode:
    mine = [device for device in devices if device.product == product and not device.broken]
    of_jobs = Counter(held[device.id] for device in mine if device.id in held)
    foreign = sum(device.foreign for device in mine if device.id not in held)
    holders = [_holder(uid, count, jobs.get(uid)) for uid, count in of_jobs.items()]
    if foreign:
        holders.append(Holder(gpus=foreign, whose=Whose.OTHER))
    free = len(mine) - of_jobs.total() - foreign
    return GpuNode(name=host, product=product, total=len(mine), free=free, holders=tuple(holders))


def _holder(uid: str, count: int, job: Job | None) -> Holder:
    """Return a job of ours; a deleted one may have left a process that holds on."""
    if job is None:
        return Holder(gpus=count, whose=Whose.MINE, uid=uid)
    return Holder(gpus=count, whose=Whose.MINE, uid=uid, name=job.name, owner=job.owner, until=_until(job))


def _until(job: Job) -> datetime | None:
    """Return when its limit ends the start that goes on."""
    started = job.attempts[-1].started if job.attempts else None
    return started + timedelta(seconds=job.spec.max_runtime) if started and job.spec.max_runtime else None
