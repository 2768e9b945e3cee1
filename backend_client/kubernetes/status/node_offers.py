"""Offers that nodes and quotas decide: another GPU type, less of something, more of what ran out (pure)."""

import re
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from backend_client.gpu_nodes import is_type
from backend_client.kubernetes.status.offer_search import (
    GI,
    MOST_TYPES,
    Check,
    changed,
    gpus_text,
    largest,
    less_cpu_and_memory,
    smaller,
    whole,
)
from backend_client.kubernetes.status.prospect import Prospect, pod_count
from backend_client.models import JobSpec
from backend_client.why import Offer

_SLICES = ("-mig-", "-shared")
"""What is in the product of a part of a GPU; it does not do the work of a whole one."""


def for_nodes(spec: JobSpec, prospect: Prospect) -> Iterator[Offer]:
    """Offer what fits on the nodes as they are, else what could fit at all."""
    check = _fits_now(prospect)
    if check(spec):  # the scheduler is about to find it
        return
    found = [*less_cpu_and_memory(spec, check), *_other_types(spec, prospect, check), *smaller(spec, check)]
    if not found and not prospect.could_run(spec):
        found = [*less_cpu_and_memory(spec, _could_run(prospect)), *smaller(spec, _could_run(prospect))]
    yield from found


def _fits_now(prospect: Prospect) -> Check:
    later = ", once this job is deleted" if prospect.known.holds_nodes else ""

    def check(spec: JobSpec) -> str:
        places = prospect.places(spec)
        if not places or not prospect.known.quota_allows(spec):
            return ""
        return f"{_on(places)} now{later}"

    return check


def _on(places: Sequence[str]) -> str:
    nodes = sorted(set(places))
    return f"on {nodes[0]}" if len(nodes) == 1 else f"on {len(nodes)} nodes"


def _could_run(prospect: Prospect) -> Check:
    def check(spec: JobSpec) -> str:
        if not prospect.could_run(spec) or not prospect.known.quota_allows(spec):
            return ""
        node = prospect.fit(spec).ever[0][0]
        return "once nodes are free" if pod_count(spec) > 1 else f"on {node} once it is free"

    return check


def _other_types(spec: JobSpec, prospect: Prospect, check: Check) -> Iterator[Offer]:
    """Offer other products that are free for the whole job, those with the most room first."""
    if not spec.gpus or not spec.gpu_type or prospect.known.selector:
        return
    found = []
    for product in prospect.products():
        is_slice = any(part in product.lower() for part in _SLICES)
        if is_slice or is_type(product, spec.gpu_type):
            continue
        other = replace(spec, gpu_type=product)
        if where := check(other):
            found.append((-prospect.fit(other).room, product, where))
    for _, product, where in sorted(found)[:MOST_TYPES]:
        words = f"{gpus_text(spec)} {product} fit {where}"
        yield Offer(id="other-type", sentence=words, changes=changed(spec, gpu_type=product))


def for_quota(spec: JobSpec, prospect: Prospect, raw: str) -> Iterator[Offer]:
    """Offer what is within the ResourceQuotas. `raw`: the words of the API server that refused a pod."""
    check = _within_quota(prospect, raw)
    yield from less_cpu_and_memory(spec, check)
    yield from smaller(spec, check)


_QUOTA = re.compile(r"exceeded quota: ([^\s,]+)")


def _within_quota(prospect: Prospect, raw: str) -> Check:
    """Check quotas, and where nodes are known the nodes too."""
    match = _QUOTA.search(raw)
    words = f"within the quota {match[1]}" if match else "within the quota"
    on_nodes = _fits_now(prospect)

    def check(spec: JobSpec) -> str:
        if not prospect.known.quota_allows(spec):
            return ""
        if prospect.known.machines is None:
            return words
        where = on_nodes(spec)
        return f"{words}, and {where}" if where else ""

    return check


def more_memory(spec: JobSpec, prospect: Prospect) -> Iterator[Offer]:
    """Offer twice the memory, or as much of that as a node has and quotas allow."""
    before = whole(spec.memory, GI)
    check = _could_run(prospect)
    gib = largest(before + 1, 2 * before, lambda count: bool(check(replace(spec, memory=f"{count}Gi"))))
    if before and gib:
        words = f"{gib}Gi of memory instead of {spec.memory}: there are nodes that have it"
        yield Offer(id="more-memory", sentence=words, changes=changed(spec, memory=f"{gib}Gi"))


_FIRST_SHM = "8Gi"
"""Offered to a job that has the 64 MiB which containers have without asking."""


def more_shm(spec: JobSpec, prospect: Prospect) -> Iterator[Offer]:
    """Offer a larger /dev/shm: twice as large, where nodes have the memory for it."""
    gib = 2 * whole(spec.shm_size, GI)
    size = f"{gib}Gi" if gib else _FIRST_SHM
    if _could_run(prospect)(replace(spec, shm_size=size)):
        before = spec.shm_size or "the 64 MiB that containers have without asking"
        words = f"{size} of /dev/shm instead of {before}"
        yield Offer(id="more-shm", sentence=words, changes=changed(spec, shm_size=size))
