"""What a pod requests of its node, as whole numbers: millicores of CPU, bytes, devices (pure).

The sums are those of k8s.io/component-helpers (resource.PodRequests): sidecars count with the containers, an
init container only where it takes more than all that run later.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING
from functools import lru_cache

from backend_client.kubernetes.resources.core import PodSpec, ResourceRequirements
from backend_client.kubernetes.resources.quantities import parse_quantity
from backend_client.kubernetes.resources.scheduling import PlacedSpec

Amounts = Mapping[str, int]
"""By resource; CPU in thousandths."""


@lru_cache(4096)
def amount_of(resource: str, quantity: str) -> int:
    """Return a quantity as a whole number, rounded up: of CPU in thousandths."""
    number = parse_quantity(quantity) * (1000 if resource == "cpu" else 1)
    return int(number.to_integral_value(ROUND_CEILING))


def amounts(quantities: Mapping[str, str]) -> dict[str, int]:
    """Return quantities as whole numbers."""
    return {name: amount_of(name, quantity) for name, quantity in quantities.items()}


def requests_of(spec: PlacedSpec | PodSpec) -> dict[str, int]:
    """Return what a pod requests; what is 0 is left out. A limit without its request is one."""
    total: dict[str, int] = {}
    for container in spec.containers:
        _add(total, _requests(container.resources))
    if spec.init_containers:
        total = _with_init_containers(total, spec)
    total.update(_requests(spec.resources))
    _add(total, amounts(spec.overhead))
    return {name: asked for name, asked in total.items() if asked > 0}


def _with_init_containers(running: dict[str, int], spec: PlacedSpec | PodSpec) -> dict[str, int]:
    """Return what a pod takes at most: while its init containers run one by one, or all that runs later."""
    sidecars: dict[str, int] = {}
    peaks: list[dict[str, int]] = []
    for container in spec.init_containers:
        own = _requests(container.resources)
        if container.restart_policy == "Always":
            _add(sidecars, own)
            _add(running, own)
        else:
            _add(own, sidecars)
            peaks.append(own)
    names = {name for amounts_ in (running, *peaks) for name in amounts_}
    return {name: max(peak.get(name, 0) for peak in (running, *peaks)) for name in names}


def _add(total: dict[str, int], more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _requests(resources: ResourceRequirements) -> dict[str, int]:
    if resources.requests == resources.limits:
        return amounts(resources.limits)
    return amounts({**resources.limits, **resources.requests})
