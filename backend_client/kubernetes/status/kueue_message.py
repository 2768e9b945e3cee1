"""Parsers of what Kueue's scheduler says of a Workload that waits: each gives a cause and a sentence (pure).

The wordings are those of Kueue 0.17 to 0.19 (pkg/scheduler/scheduler.go, pkg/scheduler/flavorassigner/,
pkg/controller/core/workload_controller.go, pkg/cache/scheduler/tas_flavor_snapshot.go), all but the rarest
seen on a real one (tests/backend_client/kubernetes/test_queues_live.py). docs/FACTS.md, "Kueue".
"""

import re
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from backend_client.kubernetes.status.message_parsers import resource_label

NEVER = frozenset({"queue.never", "queue.flavor", "queue.missing", "queue.namespace"})
"""Causes that no end of other jobs removes."""


class Waiting(NamedTuple):
    """Why a job waits: the id of its cause, and a sentence."""

    id: str
    sentence: str


class Question(NamedTuple):
    """What the sentences name beside the message: who waits, and for what kind of GPU."""

    queue: str
    namespace: str = ""
    asked_type: str = ""
    """The GPU type that the job asks for; "" where it asks for none."""
    topology: str = ""
    """The label of nodes within which its pods have to be together."""


_UNUSED = re.compile(r"insufficient unused quota for (\S+) in flavor ([^\s,]+), (\S{1,40}) more needed")
_MOST = re.compile(
    r"insufficient quota for (\S+) in flavor ([^\s,]+), previously considered podsets requests "
    r"\((\S{1,40})\) \+ current podset request \((\S{1,40})\) > maximum capacity \((\S{1,40})\)"
)
_OTHER_KIND = re.compile(r"flavor ([^\s,]+) doesn't match node affinity")
_TAINT = re.compile(r"untolerated taint \{(\S+) ?(\S*) (\w+) [^}]*\} in flavor ([^\s,]+)")
_NO_RESOURCE = re.compile(r"resource (\S+) unavailable in ClusterQueue")
_PREEMPTING = re.compile(r"Pending the preemption of (\d{1,9}) workload")
_TOPOLOGY = re.compile(
    r"""topology "([^"]+)" (?:allows to fit only (\d{1,9}) out of|doesn't allow to fit any of) (\d{1,9}) """
)
_NO_QUEUE = re.compile(
    r"(LocalQueue|ClusterQueue) (\S+) (?:doesn't exist|is terminating or missing|not found)"
)
_INACTIVE = re.compile(r"(LocalQueue|ClusterQueue) (\S+) is inactive")
_GPU_NAME = re.compile(r"(?:a|b|gb|gh|h|l|mi|p|rtx|t|v)\d{1,4}[a-z]{0,2}")
"""Names of flavors that are those of GPUs: a100, h100, l40s, mi300x."""
_TYPED = {
    "NoMatchingFlavor": "queue.flavor",
    "WaitingForQuota": "queue.quota",
    "ExceedsMaxQuota": "queue.never",
    "TopologyPlacementFailed": "queue.topology",
    "WaitingForPreemptedWorkloads": "queue.preempting",
    "Misconfigured": "queue.missing",
    "Suspended": "queue.stopped",
    "PendingEvaluation": "queue.behind",
    "WaitingForPodsReady": "queue.others",
}
"""Reasons of QuotaReserved with the gate UnadmittedWorkloadsObservability (Kueue 0.18 on)."""


def waiting(reason: str, message: str, question: Question) -> Waiting:
    """Return why a job waits, by the condition QuotaReserved: its reason where that is typed, else its prose.

    The id is "" for a message that no parser knows: it stands as it is.
    """
    typed = _TYPED.get(reason, "")
    found = next(filter(None, (parse(message, question) for parse in _PARSERS)), None)
    return Waiting(typed or found.id, found.sentence) if found else Waiting(typed, message)


def flavor_amount(amount: str, resource: str, flavor: str, *, more: bool = False) -> str:
    """Return an amount in words: "8 more A100", "8 GPUs in spot", "4 CPU in a100"."""
    label, count = resource_label(resource), f"{amount} more" if more else amount
    if label == "GPUs" and _GPU_NAME.fullmatch(flavor):
        return f"{count} {flavor.upper()}"
    return f"{count} {_singular(label) if amount == '1' else label} in {flavor}"


def _singular(label: str) -> str:
    return "GPU" if label == "GPUs" else label


def flavor_label(flavor: str) -> str:
    """Return a flavor as it is shown: A100 for a100."""
    return flavor.upper() if _GPU_NAME.fullmatch(flavor) else flavor


def _preempting(message: str, _question: Question) -> Waiting | None:
    match = _PREEMPTING.search(message)
    if not match:
        return None
    count = int(match[1])
    who = "1 job that gives way has" if count == 1 else f"{count} jobs that give way have"
    return Waiting("queue.preempting", f"waits until {who} stopped")


def _no_queue(message: str, question: Question) -> Waiting | None:
    match = _NO_QUEUE.match(message)
    if not match:
        return None
    kind, name = match.groups()
    if kind == "LocalQueue":
        return Waiting(
            "queue.missing", f"there is no queue {name} in the namespace {question.namespace}".rstrip()
        )
    return Waiting(
        "queue.missing", f"the queue {question.queue} leads to the ClusterQueue {name}, which does not exist"
    )


def _inactive(message: str, question: Question) -> Waiting | None:
    match = _INACTIVE.match(message)
    if not match:
        return None
    kind, name = match.groups()
    if kind == "LocalQueue":
        return Waiting("queue.stopped", f"the queue {name} is stopped")
    who = "an administrator has stopped it, or has to set it right"
    return Waiting("queue.stopped", f"the queue {question.queue} is inactive ({name}): {who}")


def _wrong_namespace(message: str, question: Question) -> Waiting | None:
    if message != "Workload namespace doesn't match ClusterQueue selector":
        return None
    return Waiting(
        "queue.namespace", f"the queue {question.queue} takes no jobs of the namespace {question.namespace}"
    )


def _topology(message: str, question: Question) -> Waiting | None:
    match = _TOPOLOGY.search(message)
    if not match or _UNUSED.search(message):
        return None
    name, room, pods = match.groups()
    label = question.topology
    where = "one host" if label == "kubernetes.io/hostname" else f"one {label or f'domain of {name}'}"
    fits = f"room for {room} of its {pods} pods only" if room else f"no room for any of its {pods} pods"
    return Waiting("queue.topology", f"its quota is free, but on {where} there is {fits}")


def _others(message: str, _question: Question) -> Waiting | None:
    if "workloads to be in PodsReady condition" not in message:
        return None
    return Waiting("queue.others", "waits until the jobs that were let in before it are ready")


def _quota(message: str, _question: Question) -> Waiting | None:
    """Describe what is missing in each flavor that others may free; one that is too small is left out."""
    impossible = {flavor for _, flavor, *_ in _MOST.findall(message)}
    lacking: defaultdict[str, list[str]] = defaultdict(list)
    for resource, flavor, amount in _UNUSED.findall(message):
        if flavor not in impossible:
            lacking[flavor].append(flavor_amount(amount, resource, flavor, more=True))
    if not lacking:
        return _too_much(message)
    only = " (the only kind that it allows)" if len(lacking) == 1 and _OTHER_KIND.search(message) else ""
    needs = " or ".join(" and ".join(amounts) for amounts in lacking.values())
    return Waiting("queue.quota", f"needs {needs}{only}")


def _too_much(message: str) -> Waiting | None:
    entries = _MOST.findall(message)
    if not entries:
        return None
    resource, _, before, own, _ = entries[0]
    # A job of several pod sets has asked for some before this one; figures with a unit are left apart.
    asked = str(int(before) + int(own)) if before.isdecimal() and own.isdecimal() else own
    most = {flavor: capacity for name, flavor, _, _, capacity in entries if name == resource}
    label = _singular(resource_label(resource)) if asked == "1" else resource_label(resource)
    largest = " or ".join(flavor_amount(capacity, resource, flavor) for flavor, capacity in most.items())
    return Waiting(
        "queue.never",
        f"can never start here: asks {asked} {label}, its queue has at most {largest}",
    )


def _no_flavor(message: str, question: Question) -> Waiting | None:
    """Describe that no kind of the queue fits, whatever is free."""
    others = [flavor_label(flavor) for flavor in _OTHER_KIND.findall(message)]
    taints = [
        f"{flavor_label(flavor)} has the taint {key}{f'={value}' * bool(value)}, which it does not tolerate"
        for key, value, _effect, flavor in _TAINT.findall(message)
    ]
    if missing := _NO_RESOURCE.search(message):
        return Waiting("queue.flavor", f"can never start here: its queue has no {resource_label(missing[1])}")
    if not others and not taints:
        return None
    asks = f", it asks for {question.asked_type}" if question.asked_type else ", it asks for another kind"
    kinds = [f"its queue has {' and '.join(others)}{asks}"] if others else []
    return Waiting("queue.flavor", f"can never start here: {'; '.join(kinds + taints)}")


def _lost_round(message: str, _question: Question) -> Waiting | None:
    if not message.startswith("Workload no longer fits after processing another workload"):
        return None
    return Waiting("queue.behind", "another job was let in before it")


_PARSERS: tuple[Callable[[str, Question], Waiting | None], ...] = (
    _inactive,
    _no_queue,
    _wrong_namespace,
    _preempting,
    _others,
    _topology,
    _quota,
    _no_flavor,
    _lost_round,
)
"""In this order: what ends by itself first last, since one message can hold several."""
