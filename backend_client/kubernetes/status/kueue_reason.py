"""Why a job waits in a Kueue queue, or was ended by it, out of its Workload (pure).

The order: ended by its queue, admission checks, the time of the next try, a stopped queue, what can never
start, jobs that give way, quota and place. Conditions: kueue.sigs.k8s.io/docs/concepts/workload and
pkg/controller/core/workload_controller.go. docs/FACTS.md, "Kueue".
"""

import re
from datetime import datetime

from msgspec.structs import replace

from backend_client.kubernetes.resources.core import Condition
from backend_client.kubernetes.resources.kueue import AdmissionCheckState, Workload
from backend_client.kubernetes.status.kueue_history import NameOf, Past, ending, eviction, nobody, past
from backend_client.kubernetes.status.kueue_message import NEVER, Question, Waiting, waiting
from backend_client.models import QueuePlace
from backend_client.why import Cause

_UNPLACED = NEVER | {"queue.stopped"}
"""Causes beside which a place in the queue says nothing."""
_RESET = "Reset to Pending after eviction"
"""What a check's message is after the job was sent back; the check's own words are gone."""


_GPU_LABEL = re.compile(r"gpu|accelerator")
"""What the labels of nodes have in their keys that tell a kind of GPU."""


def ordinal(number: int) -> str:
    """Return a place in words: 1st, 2nd, 3rd, 11th, 21st."""
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 < number % 100 < 14 else suffix}"


def queue_cause(
    queue: str,
    workload: Workload | None,
    unknown_because: str = "",
    *,
    place: QueuePlace | None = None,
    gpu_type: str = "",
    last_reason: str = "",
    name_of: NameOf = nobody,
    now: datetime | None = None,
) -> Cause:
    """Return why a job waits in a queue, or how the queue ended it.

    `unknown_because`: why Workloads cannot be read. `place`: where it stands, as far as that is known;
    without one the sentence has no place in it.
    `last_reason`: why its pods were not ready, as was seen before its queue took them away. `name_of`: the
    job that it gave way to, where that may be named.
    """
    if workload is None:
        hidden = f"; why is hidden: {unknown_because}" if unknown_because else ""
        name = "queue.hidden" if unknown_because else "queue.untried"
        return Cause(id=name, sentence=f"waits in the queue {queue}{hidden}", object=f"localqueue/{queue}")
    reserved, evicted = workload.condition("QuotaReserved"), workload.condition("Evicted")
    if ended := ending(workload, now=now, last_reason=last_reason):
        return _cause(workload, ended.id, ended.sentence, evicted)
    if reserved and reserved.true and not eviction(workload):  # else its pods are on their way out
        return _reserved(workload, queue, reserved)
    before = past(workload, now=now, last_reason=last_reason, name_of=name_of)
    if (at := workload.status.requeue_state.requeue_at) and not workload.has_condition("Requeued"):
        return _requeued(workload, before, at, evicted)
    return _waiting(workload, queue, before, place, gpu_type)


def held_amount(workload: Workload | None) -> str:
    """Describe what an admitted job holds of its queue although no pod of it runs; "" where it is nothing."""
    if workload is None or not workload.has_condition("Admitted"):
        return ""
    used = [
        amount
        for assignment in workload.status.admission.pod_set_assignments
        for resource, amount in assignment.resource_usage.items()
        if resource.endswith("/gpu") and amount.isdecimal() and len(amount) < 10
    ]
    gpus = sum(map(int, used))
    return f"holds {gpus} GPU{'s' * (gpus > 1)} of its queue meanwhile" if gpus else ""


def _cause(workload: Workload, name: str, sentence: str, condition: Condition | None) -> Cause:
    return Cause(
        id=name,
        sentence=sentence,
        object=f"workload/{workload.name}",
        since=condition.last_transition_time if condition else workload.metadata.creation_timestamp,
        raw=condition.message if condition else "",
    )


def _reserved(workload: Workload, queue: str, reserved: Condition) -> Cause:
    """Return what an admitted job still waits for: its admission checks, which can take days."""
    open_checks = [check for check in workload.status.admission_checks if check.state != "Ready"]
    if workload.has_condition("Admitted") or not open_checks:
        return _cause(
            workload,
            "queue.admitted",
            f"has its quota from the queue {queue}, and is about to be started",
            workload.condition("Admitted") or reserved,
        )
    names = " and ".join(check.name for check in open_checks)
    said = "; ".join(filter(None, map(_said, open_checks)))
    sentence = f"has its quota reserved; waits for the check{'s' * (len(open_checks) > 1)} {names}"
    at = workload.status.requeue_state.requeue_at
    again = (
        f"is tried again at {at:%H:%M:%S} UTC" if at and any(c.state == "Retry" for c in open_checks) else ""
    )
    whole = "; ".join(filter(None, (f"{sentence}: {said}" if said else sentence, again)))
    return _cause(workload, "queue.check", whole, reserved)


def _said(check: AdmissionCheckState) -> str:
    """Return a check's own words, or that it has sent the job back before."""
    if not check.message.startswith(_RESET):
        return check.message
    times = f"{check.retry_count} times" if check.retry_count > 1 else "before"
    return f"it has sent the job back {times}" if check.retry_count else ""


def _requeued(workload: Workload, before: Past | None, at: datetime, evicted: Condition | None) -> Cause:
    count = workload.status.requeue_state.count
    times = f", for the {ordinal(count)} time" if count > 1 else ""
    again = f"is tried again at {at:%H:%M:%S} UTC{times}"
    sentence = f"{before.sentence}; {again}" if before else again
    return _cause(workload, before.id if before and before.id else "queue.requeue", sentence, evicted)


def _waiting(
    workload: Workload, queue: str, before: Past | None, place: QueuePlace | None, gpu_type: str
) -> Cause:
    reserved = workload.condition("QuotaReserved")
    now = _now(workload, queue, reserved, gpu_type)
    standing = _standing(queue, place) if place and now.id not in _UNPLACED else ""
    if before and before.id == "queue.drained" and now.id == "queue.stopped":
        return _cause(
            workload,
            before.id,
            f"{before.sentence}; starts again when it is opened",
            workload.condition("Evicted"),
        )
    sentence = "; ".join(filter(None, (before.sentence if before else "", now.sentence, standing)))
    if not before and not now.sentence and not (place and place.position):
        sentence = f"waits in the queue {queue}, behind others"
    cause = _cause(
        workload, before.id if before and before.id and now.id not in NEVER else now.id, sentence, reserved
    )
    evicted = eviction(workload)
    said = dict.fromkeys(filter(None, (evicted.message if evicted else "", cause.raw)))
    return replace(cause, raw="\n".join(said))


def _now(workload: Workload, queue: str, reserved: Condition | None, gpu_type: str) -> Waiting:
    evicted = eviction(workload)
    if reserved is None or reserved.true or not (reserved.message or reserved.reason):
        return Waiting("queue.behind", "")
    if evicted and reserved.message == evicted.message:  # what was said of its end; nobody has looked since
        return Waiting("queue.behind", "")
    pod_sets = workload.spec.pod_sets
    selectors = [
        value
        for pods in pod_sets
        for key, value in pods.template.spec.node_selector.items()
        if _GPU_LABEL.search(key)
    ]
    question = Question(
        queue=queue,
        namespace=workload.namespace,
        asked_type=gpu_type or " and ".join(dict.fromkeys(selectors)),
        topology=next(
            (pods.topology_request.required for pods in pod_sets if pods.topology_request.required), ""
        ),
    )
    return waiting(reserved.reason, reserved.message, question)


def _standing(queue: str, place: QueuePlace) -> str:
    """Return where a job stands: "3rd of 12 in team-a", else the queue that it waits in."""
    if place.position is None:
        return f"waits in the queue {queue}"
    of = f" of {place.waiting}" if place.waiting else ""
    return f"{ordinal(place.position)}{of} in {place.cluster_queue or place.queue}"
