"""Choices for the fields `queue` and `queue_priority`: what is free in each, what a priority is worth."""

import asyncio
from collections.abc import Sequence

from backend_client.errors import NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.queue.kueue_objects import cluster_queue_info, local_queue_info, priorities_of
from backend_client.kubernetes.watch.kueue_lists import queue_types
from backend_client.kubernetes.watch.lists import list_all, list_if_allowed
from backend_client.protocol import Choice
from backend_client.queues import ClusterQueueInfo, LocalQueueInfo, QueueBoard, borrowable, loan


async def queue_choices(transport: Transport, namespace: str) -> Sequence[Choice]:
    """Return the LocalQueues of a namespace with their headroom. Raises a BackendError."""
    types = await queue_types(transport)
    if types is None:
        return ()
    try:
        local_queues, cluster_queues = await asyncio.gather(
            list_all(transport, types.local_queues, namespace),
            list_if_allowed(transport, types.cluster_queues),
        )
    except NotFound:
        return ()
    board = QueueBoard(
        cluster_queues=tuple(map(cluster_queue_info, cluster_queues)),
        local_queues=tuple(map(local_queue_info, local_queues)),
    )
    ordered = sorted(board.local_queues, key=lambda queue: queue.name)
    return [Choice(queue.name, headroom(board, queue)) for queue in ordered]


async def queue_priority_choices(transport: Transport) -> Sequence[Choice]:
    """Return the WorkloadPriorityClasses, the highest first. Raises Forbidden where they are hidden."""
    types = await queue_types(transport)
    if types is None:
        return ()
    found = priorities_of(await list_all(transport, types.priorities))
    return [Choice(item.name, f"{item.value}: {item.about}".rstrip(": ")) for item in found]


def headroom(board: QueueBoard, queue: LocalQueueInfo) -> str:
    """Describe what is free for jobs of a LocalQueue; where that is hidden, what its jobs hold."""
    if queue.stopped:
        return "stopped by an administrator"
    if queue.trouble:
        return queue.trouble
    owner = next((each for each in board.cluster_queues if each.name == queue.cluster_queue), None)
    parts = _free(board, owner) if owner else _held(queue)
    waiting = f"{queue.waiting} waiting" if queue.waiting else ""
    return "; ".join(filter(None, (*parts, waiting)))


def _free(board: QueueBoard, owner: ClusterQueueInfo) -> list[str]:
    """Return a text for each flavor of GPUs: "8 of 16 a100 free, team-b lends 8".

    What is lent counts as not free, though the queue may take it back.
    """
    if owner.stopped:
        return ["stopped by an administrator"]
    texts = []
    for quota in owner.quotas:
        if "/" in quota.resource and (quota.nominal or quota.used):
            lent = loan(board, owner, quota)
            free = quota.idle - (lent.amount if lent else 0)
            taken = f", {lent.amount} lent to {' and '.join(lent.to)}" if lent else ""
            loans = "".join(
                f", {name} lends {most}" for name, most in borrowable(board, owner, quota).items()
            )
            texts.append(f"{free} of {quota.nominal} {quota.flavor} free{taken}{loans}")
    return texts


def _held(queue: LocalQueueInfo) -> list[str]:
    held = [f"{use.used} {use.flavor}" for use in queue.usage if "/" in use.resource and use.used]
    return [f"its jobs hold {' and '.join(held)}"] if held else []
