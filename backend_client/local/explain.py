"""Why a local job waits or has failed: the causes of this machine, as a chain, and what would help."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from backend_client.local import slots
from backend_client.local.causes import cause_of_failure, waits_by_itself
from backend_client.local.devices import Device
from backend_client.local.slots import SlotHolder, Wait, gpu_count
from backend_client.local.store import JobStore
from backend_client.models import Job, JobState
from backend_client.why import Cause, Explanation, MayName, Offer

Devices = Callable[[], Sequence[Device]]


def explain(store: JobStore, job: Job, devices: Devices, may_name: MayName) -> Explanation:
    """Explain a job of a store; empty where all is well. Blocks for as long as the disk and the driver do.

    `devices` lists the GPUs of this machine; it is called for a job that waits for some.
    """
    waits = job.state is JobState.QUEUED and job.spec.gpus and not job.read_only
    if waits and not waits_by_itself(job):
        return _why_it_waits(store, job, devices(), may_name)
    if not job.reason or job.state in (JobState.SUCCEEDED, JobState.STOPPED):
        return Explanation()
    return Explanation(sentence=job.reason, chain=(cause_of_failure(job),))


def _why_it_waits(store: JobStore, job: Job, devices: Sequence[Device], may_name: MayName) -> Explanation:
    ids = [device.id for device in devices]
    wait = slots.look(store.root, job.ref.uid, ids, [device.id for device in devices if device.foreign])
    asked = gpu_count(job.spec.gpus)
    name = f"{job.ref.kind}/{job.name}"
    if job.spec.gpus > len(ids):
        sentence = f"asks for {asked}; {store.host} has {len(ids)} now"
        return Explanation(
            sentence=sentence,
            chain=(Cause(id="local.too-many", sentence=sentence, object=name, since=job.queued),),
            offers=_fewer(job, wait),
        )
    waits = f"waits for {asked}; {len(wait.free)} of {len(ids)} free"
    blocks = (
        [_ahead(store, wait.ahead, may_name)] if wait.ahead else list(_holders(store, wait.holders, may_name))
    )
    named = all(may_name(uid) for uid in {wait.ahead, *(holder.uid for holder in wait.holders)} - {""})
    return Explanation(
        sentence=job.reason if named and job.reason else waits,
        chain=(
            Cause(id="local.slots", sentence=waits, object=name, since=job.queued),
            *blocks,
        ),
        offers=_fewer(job, wait),
    )


def _ahead(store: JobStore, uid: str, may_name: MayName) -> Cause:
    """Describe the first job of the queue: GPUs are given first come, first served."""
    job = store.job(uid)
    count = f", for {gpu_count(job.spec.gpus)}" if job else ""
    if job is None or not may_name(uid):
        return Cause(id="local.behind", sentence=f"another job waits before it{count}", object="job")
    name = f"{job.ref.kind}/{job.name}"
    return Cause(
        id="local.behind", sentence=f"{job.name} waits before it{count}", object=name, since=job.queued
    )


def _holders(store: JobStore, holders: Sequence[SlotHolder], may_name: MayName) -> Iterator[Cause]:
    """Describe who holds the slots, each once."""
    whose: dict[tuple[str, int], list[SlotHolder]] = {}
    for holder in holders:
        whose.setdefault((holder.uid, holder.pid), []).append(holder)
    for (uid, pid), held in whose.items():
        if not uid and not pid:
            yield from (_foreign(holder) for holder in held)
        elif pid:
            yield _left(store, held, may_name)
        else:
            yield _held(store, uid, len(held), may_name)


def _foreign(holder: SlotHolder) -> Cause:
    return Cause(
        id="local.foreign",
        sentence=f"a process of another user uses the GPU {holder.slot}",
        object=f"gpu/{holder.slot}",
    )


def _left(store: JobStore, held: Sequence[SlotHolder], may_name: MayName) -> Cause:
    job = store.job(held[0].uid)
    whose = f", left by {job.name}," if job and may_name(held[0].uid) else ""
    return Cause(
        id="local.left",
        sentence=f"process {held[0].pid} ({held[0].program}){whose} holds {gpu_count(len(held))}",
        object=f"process/{held[0].pid}",
        since=job.finished if job else None,
    )


def _held(store: JobStore, uid: str, count: int, may_name: MayName) -> Cause:
    job = store.job(uid)
    named = job is not None and may_name(uid)
    until = f", until {ends:%H:%M} UTC at the latest" if job and (ends := latest_end(job)) else ""
    return Cause(
        id="local.held",
        sentence=f"{job.name if job and named else 'another job'} holds {gpu_count(count)}{until}",
        object=f"{job.ref.kind}/{job.name}" if job and named else "job",
        since=job.started if job else None,
    )


def latest_end(job: Job) -> datetime | None:
    """Return when its own time limit ends a job that runs; None without one."""
    if not job.started or not job.spec.max_runtime:
        return None
    return job.started + timedelta(seconds=job.spec.max_runtime)


def _fewer(job: Job, wait: Wait) -> tuple[Offer, ...]:
    """Offer the GPUs that are free: where nobody else waits, as all who wait come first."""
    count = len(wait.free)
    if wait.ahead or wait.behind or not 0 < count < job.spec.gpus:
        return ()
    verb = "is" if count == 1 else "are"
    return (
        Offer(
            id="fewer-gpus",
            sentence=f"{gpu_count(count)} {verb} free: with so many it starts at once, in place of this one",
            changes={"gpus": str(count)},
        ),
    )
