"""How much less, or more, is certain to help a job: the search for the change, and its words (pure)."""

from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING

from msgspec.structs import replace

from backend_client.kubernetes.resources.quantities import parse_quantity
from backend_client.kubernetes.status.prospect import pod_count
from backend_client.models import JobSpec
from backend_client.models.fields import field_text
from backend_client.why import Offer

Check = Callable[[JobSpec], str]
"""Says where a job would be with such a spec, "on gpu-1 now"; "" where it is not certain to help."""

GI = 2**30
MOST_TYPES = 2
"""GPU types that are offered."""
_SMALLEST_PART = 4
"""A job is offered no less than a quarter of the CPU or memory that it asks for."""


def changed(spec: JobSpec, **fields: object) -> dict[str, str]:
    """Return fields as a form and a flag take them."""
    return {name: field_text(name, value) for name, value in fields.items() if getattr(spec, name) != value}


def gpus_text(spec: JobSpec) -> str:
    """Return the GPUs of a job in words: "4 GPUs", "4 GPUs for each of 8 ranks"."""
    count = pod_count(spec)
    gpus = f"{spec.gpus} GPU{'s' * (spec.gpus != 1)}"
    if count == 1:
        return gpus
    return f"{gpus} for each of {count} {'ranks' if spec.kind == 'job' else 'replicas'}"


def smaller(spec: JobSpec, check: Check) -> Iterator[Offer]:
    """Offer fewer nodes, and fewer GPUs on each."""
    if spec.kind == "job" and spec.nodes > 1:
        nodes = largest(1, spec.nodes - 1, lambda count: bool(check(replace(spec, nodes=count))))
        if nodes:
            fewer = replace(spec, nodes=nodes)
            count = f"{nodes} node{'s' * (nodes > 1)} of {spec.nodes}"
            words = f"{count}: {_asks(fewer)} {_fit(fewer, check)}"
            yield Offer(id="fewer-nodes", sentence=words, changes=changed(spec, nodes=nodes))
    gpus = largest(1, spec.gpus - 1, lambda count: bool(check(replace(spec, gpus=count))))
    if gpus:
        fewer = replace(spec, gpus=gpus)
        yield Offer(
            id="fewer-gpus",
            sentence=f"{gpus_text(fewer)} {_fit(fewer, check)}",
            changes=changed(spec, gpus=gpus),
        )


def _asks(spec: JobSpec) -> str:
    return gpus_text(spec) if spec.gpus else "its pods" if pod_count(spec) > 1 else "its pod"


def _fit(spec: JobSpec, check: Check) -> str:
    single = pod_count(spec) == 1 and spec.gpus == 1
    return f"{'fits' if single else 'fit'} {check(spec)}"


def less_cpu_and_memory(spec: JobSpec, check: Check) -> Iterator[Offer]:
    """Offer less CPU or less memory, where one of the two is enough; else less of both."""
    cpus, gibs = whole(spec.cpu), whole(spec.memory, GI)
    cpu = largest(least(cpus), cpus - 1, lambda count: bool(check(replace(spec, cpu=str(count)))))
    gib = largest(least(gibs), gibs - 1, lambda count: bool(check(replace(spec, memory=f"{count}Gi"))))
    if cpu:
        yield _less(spec, check, cpu=str(cpu))
    if gib:
        yield _less(spec, check, memory=f"{gib}Gi")
    if cpu or gib or not (least(cpus) and least(gibs)):
        return
    smallest = replace(spec, memory=f"{least(gibs)}Gi")
    cpu = largest(least(cpus), cpus - 1, lambda count: bool(check(replace(smallest, cpu=str(count)))))
    if cpu:
        less = replace(spec, cpu=str(cpu))
        gib = largest(least(gibs), gibs - 1, lambda count: bool(check(replace(less, memory=f"{count}Gi"))))
        yield _less(spec, check, cpu=str(cpu), memory=f"{gib}Gi")


def _less(spec: JobSpec, check: Check, **fields: str) -> Offer:
    """Offer less CPU, memory, or both; `fields` as in JobSpec."""
    smaller = replace(spec, **fields)
    words = {"cpu": "CPUs", "memory": "of memory"}
    amounts = [f"{value} {words[name]} instead of {getattr(spec, name)}" for name, value in fields.items()]
    name = "-and-".join(fields)
    return Offer(
        id=f"less-{name}",
        sentence=f"with {' and '.join(amounts)} it fits {check(smaller)}",
        changes=changed(spec, **fields),
    )


def whole(quantity: str, unit: int = 1) -> int:
    """Return a quantity in a unit, rounded up; 0 for ""."""
    return int((parse_quantity(quantity) / unit).to_integral_value(ROUND_CEILING)) if quantity else 0


def least(amount: int) -> int:
    """Return the smallest amount that is offered in place of this one."""
    return -(-amount // _SMALLEST_PART)


def largest(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the largest number that holds, of those from low to high; what is smaller holds too. 0: none."""
    if low < 1 or high < low or not holds(low):
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low
