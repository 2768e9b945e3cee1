"""Why a job waits in a Kueue queue, out of its Workload (pure; facts 3.4)."""

import re

from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.status.message_parsers import resource_label

_INSUFFICIENT_UNUSED = re.compile(
    r"insufficient unused quota for (\S+) in flavor ([^\s,]+), (\S+) more needed"
)
_INSUFFICIENT = re.compile(
    r"insufficient quota for (\S+) in flavor ([^\s,]+), [^>]*> maximum capacity \((\S+)\)"
)


def queue_reason(queue: str, workload: Workload | None, unknown_because: str = "") -> str:
    """One sentence. A Workload that was not looked at yet may have no condition at all.

    `hidden`: why Workloads are not known.
    """
    waiting = f"waits in the queue {queue}"
    if workload is None:
        return f"{waiting}; why is hidden: {unknown_because}" if unknown_because else waiting
    evicted, reserved = workload.condition("Evicted"), workload.condition("QuotaReserved")
    if not workload.spec.active:
        return f"taken out of the queue {queue}" + (f": {evicted.message}" if evicted else "")
    if reserved and reserved.true:
        return f"has its quota from the queue {queue}, and is about to be started"
    if reserved and reserved.message:
        return f"{waiting}: {quota_reason(reserved.message)}"
    return f"{waiting}, behind others"


def quota_reason(message: str) -> str:
    """What is missing in each flavor, the ones that may come free first; else the message itself."""
    lacking = [
        f"{count} {resource_label(name)} more in {flavor}"
        for name, flavor, count in _INSUFFICIENT_UNUSED.findall(message)
    ]
    impossible = [
        f"{most} {resource_label(name)} in {flavor}" for name, flavor, most in _INSUFFICIENT.findall(message)
    ]
    if lacking:
        return f"needs {' or '.join(lacking)}"
    return f"it can never fit, there are only {', '.join(impossible)}" if impossible else message
