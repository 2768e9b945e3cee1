"""The scheduler's message about a pod that fits nowhere -> one sentence and its cause (pure).

The wording is that of its FitError (Kubernetes 1.37, pkg/scheduler/framework/types.go) and of its plugins.
"""

import re

from backend_client.kubernetes.status.cause import cause
from backend_client.kubernetes.status.message_parsers import resource_label
from backend_client.why import Cause

_NODES = re.compile(r"0/(\d{1,9}) nodes are available: (.*)", re.DOTALL)
_CLAUSE = re.compile(r"(\d{1,9}) (.+?)(?=, \d+ |\.(?:\s|$)|$)", re.DOTALL)
_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" (not found|is being deleted)')
_TAINT = re.compile(r"node\(s\) had untolerated taint(?:\(s\))?(?: \{(.*)\})?", re.DOTALL)
_SELECTOR = "schedule.selector"
_EARLY = frozenset({_SELECTOR, "schedule.cordoned", "schedule.taint", "schedule.sick"})
"""What the scheduler asks first of a node: of one that fails there it tells nothing else."""
_FIXED = {
    "node(s) were unschedulable": ("schedule.cordoned", "cordoned"),
    "node(s) didn't match Pod's node affinity/selector": (_SELECTOR, "not of the kind asked for"),
    "node(s) had volume node affinity conflict": ("volume.far", "too far from its volume"),
    "node(s) didn't match PersistentVolume's node affinity": ("volume.far", "too far from its volume"),
    "node(s) didn't find available persistent volumes to bind": (
        "volume.none",
        "without a volume for its claim",
    ),
    "node(s) didn't have free ports for the requested pod ports": ("schedule.port", "with the port in use"),
    "Too many pods": ("schedule.full", "without room for more pods"),
    "node(s) didn't match pod affinity rules": ("schedule.affinity", "far from the pods that it wants near"),
    "node(s) didn't match pod anti-affinity rules": (
        "schedule.anti-affinity",
        "with pods that it keeps away from",
    ),
    "node(s) didn't satisfy existing pods anti-affinity rules": (
        "schedule.anti-affinity",
        "with pods that keep it away",
    ),
    "node(s) didn't match pod topology spread constraints": (
        "schedule.spread",
        "where its pods would not be spread evenly",
    ),
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by "
    "another pod": ("volume.in-use", "where another pod has its volume, which one alone may have"),
}
"""A plugin's reason -> id and words."""
_RESOURCES = {
    "GPUs": "schedule.gpus",
    "CPU": "schedule.cpu",
    "memory": "schedule.memory",
    "disk": "schedule.disk",
}
_SICK = ("node.kubernetes.io/", "node.cloudprovider")
"""Beginnings of taints that the cluster itself sets on a node that is not ready."""
_PASSING = re.compile(
    r"were unschedulable|node\.kubernetes\.io/|node\.cloudprovider|Too many pods|free ports"
)
"""What keeps a pod off a node for a while only: it is cordoned, sick, starting or full."""


def unschedulable(message: str) -> Cause | None:
    """Parse the scheduler's message: "no node fits: of 36, 33 without free GPUs, 3 cordoned"."""
    if claim := _CLAIM.search(message):
        return _claim_cause(claim[1], gone=claim[2] == "not found", raw=message)
    if "unbound immediate PersistentVolumeClaims" in message:
        return cause("volume.unbound", "its volume claim has no volume yet", raw=message)
    if "no nodes available to schedule pods" in message:
        return cause("schedule.no-nodes", "the cluster has no nodes", raw=message)
    match = _NODES.search(message)
    if not match:
        return None
    total, rest = match.groups()
    own, _, preemption = rest.partition(" preemption: ")
    clauses = sorted(_CLAUSE.findall(own), key=lambda clause: -int(clause[0]))
    never = f"0/{total} nodes are available: {total} Preemption is not helpful" in preemption
    lacking = {reason for _, reason in clauses if reason.startswith("Insufficient ")}
    too_small = never and len(lacking) == 1
    told = [_clause(reason, too_small=too_small) for _, reason in clauses]
    if not told:
        return None
    is_final = too_small and not _PASSING.search(own)
    counted = ", ".join(f"{count} {words}" for (count, _), (_, words) in zip(clauses, told, strict=True))
    verdict = "no node can ever hold it" if is_final else "no node fits"
    id_ = "schedule.too-big" if is_final else _id_of([id_ for id_, _ in told])
    return cause(id_, f"{verdict}: of {total}, {counted}", raw=message)


def _claim_cause(name: str, *, gone: bool, raw: str) -> Cause:
    about = f"persistentvolumeclaim/{name}"
    if gone:
        return cause("volume.claim", f'the volume claim "{name}" does not exist', about, raw=raw)
    return cause("volume.claim-deleted", f'the volume claim "{name}" is being deleted', about, raw=raw)


def _id_of(ids: list[str]) -> str:
    """Return the id of several clauses: that of the nodes that came furthest, if they agree."""
    kinds = set(ids)
    furthest = kinds - _EARLY or kinds - {_SELECTOR} or {_SELECTOR}
    return furthest.pop() if len(furthest) == 1 else "schedule.mixed"


def _clause(reason: str, *, too_small: bool) -> tuple[str, str]:
    """Return the id and the words for why some nodes do not fit.

    `too_small`: they have less in all, so no end of others helps. The scheduler then calls preemption of no
    help (pkg/scheduler/framework/plugins/noderesources/fit.go).
    """
    if reason.startswith("Insufficient "):
        resource = resource_label(reason.removeprefix("Insufficient "))
        few = "little" if resource in ("CPU", "memory", "disk") else "few"
        id_ = _RESOURCES.get(resource, "schedule.device")
        return id_, f"with too {few} {resource} in all" if too_small else f"without free {resource}"
    if taint := _TAINT.fullmatch(reason):
        words = (taint[1] or "").replace(": ", "=").removesuffix("=")
        told = f"with the taint {words}" if words else "with a taint that it does not tolerate"
        return "schedule.sick" if words.startswith(_SICK) else "schedule.taint", told
    return _FIXED.get(reason, ("", reason))
