"""Why a job waits in a Kueue queue, out of its Workload (pure; facts 3.4)."""

from backend_client.kubernetes.endings import condition
from backend_client.kubernetes.surroundings import Workload


def queue_words(queue: str, workload: Workload | None) -> str:
    """One sentence. A Workload that was not looked at yet may have no condition at all."""
    waits = f"waits in the queue {queue}"
    if workload is None:
        return waits
    conditions = workload.status.conditions
    evicted, reserved = condition(conditions, "Evicted"), condition(conditions, "QuotaReserved")
    if not workload.spec.active:
        return f"taken out of the queue {queue}" + (f": {evicted.message}" if evicted else "")
    if reserved and reserved.true:
        return f"has its quota from the queue {queue}, and is about to be started"
    if reserved and reserved.message:
        return f"{waits}: {reserved.message}"
    return f"{waits}, behind others"
