"""Offers that the queues of Kueue decide (pure)."""

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from backend_client.gpu_nodes import is_type
from backend_client.kubernetes.resources.node_gpus import SOURCES
from backend_client.kubernetes.resources.pod_requests import amount_of
from backend_client.kubernetes.resources.quantities import parse_whole
from backend_client.kubernetes.status.message_parsers import resource_label
from backend_client.kubernetes.status.offer_search import (
    GI,
    MOST_TYPES,
    Check,
    changed,
    gpus_text,
    least,
    smaller,
    whole,
)
from backend_client.kubernetes.status.prospect import Prospect, pod_count
from backend_client.kubernetes.status.queue_room import QueueRoom
from backend_client.models import JobSpec
from backend_client.why import Offer

_MOST_NAMES = 3
"""Queues that are offered where one is missing."""


def for_queue(spec: JobSpec, prospect: Prospect) -> Iterator[Offer]:
    """Offer what queues could admit now: another one, another GPU type, fewer nodes or GPUs."""
    rooms = prospect.known.queues or ()
    own = next((room for room in rooms if room.name == prospect.known.own_queue), None)
    for room in rooms:
        if room is not own and not room.waiting and (flavors := prospect.admitted_by(spec, room)):
            words = f"the queue {room.name} has room for it now, in {flavors}, and nobody waits there"
            yield Offer(id="other-queue", sentence=words, changes=changed(spec, queue=room.name))
    if own and own.waiting <= 1:
        check = _admitted(prospect, own)
        yield from _other_flavors(spec, prospect, own)
        yield from smaller(spec, check)


def _admitted(prospect: Prospect, room: QueueRoom) -> Check:
    def check(spec: JobSpec) -> str:
        flavors = prospect.admitted_by(spec, room)
        return f"into what the queue {room.name} has idle, in {flavors}" if flavors else ""

    return check


def _other_flavors(spec: JobSpec, prospect: Prospect, room: QueueRoom) -> Iterator[Offer]:
    """Offer the products of the queue's other flavors that have room for the whole job."""
    if not spec.gpus or not spec.gpu_type:
        return
    products = {
        value
        for group in room.groups
        for flavor in group
        for label, value in flavor.flavor.spec.node_labels.items()
        if label in SOURCES
        and flavor.free.get(prospect.known.site.gpu_resource, 0) > 0
        and not is_type(value, spec.gpu_type)
    }
    for product in sorted(products)[:MOST_TYPES]:
        if flavors := prospect.admitted_by(replace(spec, gpu_type=product), room):
            words = f"the queue {room.name} has {gpus_text(spec)} of {product} idle, in {flavors}"
            yield Offer(id="other-type", sentence=words, changes=changed(spec, gpu_type=product))


_MAXIMUM = re.compile(r"insufficient quota for (\S+) in flavor ([^\s,]+), [^>]*> maximum capacity \((\S+?)\)")


def below_maximum(spec: JobSpec, raw: str, gpu_resource: str) -> Iterator[Offer]:
    """Offer no more than a queue can ever give, of the one resource of which the job asks for more."""
    most: dict[str, tuple[int, str, str]] = {}
    for resource, flavor, quantity in _MAXIMUM.findall(raw):
        most[resource] = max(
            most.get(resource, (0, "", "")), (amount_of(resource, quantity), quantity, flavor)
        )
    if len(most) != 1:
        return
    [(resource, (amount, quantity, flavor))] = most.items()
    count = pod_count(spec) if spec.kind == "job" else 1
    label = "GPUs" if resource == gpu_resource else resource_label(resource)
    can_give = f"no more than the {quantity} {label} that {flavor} has in all"
    if resource == gpu_resource:
        if spec.kind == "job" and 0 < (nodes := amount // spec.gpus) < spec.nodes:
            yield Offer(
                id="fewer-nodes",
                sentence=f"{nodes} node{'s' * (nodes > 1)} of {spec.nodes} ask for {can_give}",
                changes=changed(spec, nodes=nodes),
            )
        if 0 < (gpus := amount // count) < spec.gpus:
            words = f"{gpus_text(replace(spec, gpus=gpus))}: {can_give}"
            yield Offer(id="fewer-gpus", sentence=words, changes=changed(spec, gpus=gpus))
    elif resource == "cpu" and least(whole(spec.cpu)) <= (cpus := amount // count // 1000):
        yield Offer(id="less-cpu", sentence=f"{cpus} CPUs: {can_give}", changes=changed(spec, cpu=str(cpus)))
    elif resource == "memory" and spec.memory:
        shm = parse_whole(spec.shm_size) if spec.shm_size else 0
        gib = (amount // count - shm) // GI
        if least(whole(spec.memory, GI)) <= gib:
            words = f"{gib}Gi of memory: {can_give}"
            yield Offer(id="less-memory", sentence=words, changes=changed(spec, memory=f"{gib}Gi"))


def other_queues(spec: JobSpec, names: Sequence[str]) -> Iterator[Offer]:
    """Offer the queues that there are in place of one that is not there."""
    for name in names[:_MOST_NAMES]:
        yield Offer(
            id="other-queue", sentence=f"there is the queue {name}", changes=changed(spec, queue=name)
        )
