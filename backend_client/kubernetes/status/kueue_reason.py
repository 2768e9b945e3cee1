"""Why a job waits in a Kueue queue, out of its Workload's conditions (pure).

Conditions: kueue.sigs.k8s.io/docs/concepts/workload and pkg/controller/core/workload_controller.go; the quota
messages: pkg/scheduler/flavorassigner/flavorassigner.go. docs/FACTS.md, "Kueue".
"""

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
    """Describe in one sentence why a job waits in a queue.

    `unknown_because`: why Workloads cannot be read. A Workload that was not tried yet may have no condition.
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
    """Describe the quota that is missing in each flavor, first what others may free; else the message."""
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
