"""Why a job waits in a Kueue queue, out of its Workload (pure; facts 3.4)."""

import re

from backend_client.kubernetes.resources.kueue import Workload
from backend_client.kubernetes.status.message_parsers import resource

_LACKS = re.compile(r"insufficient unused quota for (\S+) in flavor ([^\s,]+), (\S+) more needed")
_NEVER = re.compile(r"insufficient quota for (\S+) in flavor ([^\s,]+), [^>]*> maximum capacity \((\S+)\)")


def queue_reason(queue: str, workload: Workload | None, hidden: str = "") -> str:
    """One sentence. A Workload that was not looked at yet may have no condition at all.

    `hidden`: why Workloads are not known.
    """
    waits = f"waits in the queue {queue}"
    if workload is None:
        return f"{waits}; why is hidden: {hidden}" if hidden else waits
    evicted, reserved = workload.condition("Evicted"), workload.condition("QuotaReserved")
    if not workload.spec.active:
        return f"taken out of the queue {queue}" + (f": {evicted.message}" if evicted else "")
    if reserved and reserved.true:
        return f"has its quota from the queue {queue}, and is about to be started"
    if reserved and reserved.message:
        return f"{waits}: {quota_reason(reserved.message)}"
    return f"{waits}, behind others"


def quota_reason(message: str) -> str:
    """What is missing in each flavor, the ones that may come free first; else the message itself."""
    lacking = [
        f"{count} {resource(name)} more in {flavor}" for name, flavor, count in _LACKS.findall(message)
    ]
    never = [f"{most} {resource(name)} in {flavor}" for name, flavor, most in _NEVER.findall(message)]
    if lacking:
        return f"needs {' or '.join(lacking)}"
    return f"it can never fit, there are only {', '.join(never)}" if never else message
