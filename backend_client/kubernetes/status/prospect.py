"""What would become of a job with another spec: where it would fit, and whether quotas and queues allow it.

Pure. All ranks or replicas of the job count together, in place of the job as it is: what its own pods hold
counts as free.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from backend_client.kubernetes.manifests.pod_template import job_labels, limits, render_pod_template
from backend_client.kubernetes.manifests.scheduling import ClusterFacts
from backend_client.kubernetes.resources.core import PodSpec
from backend_client.kubernetes.resources.node_gpus import product_label
from backend_client.kubernetes.resources.pod_requests import Amounts, amounts, requests_of
from backend_client.kubernetes.resources.scheduling import AskingPod, AskingSpec
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.fit import Candidates, Fit, candidates
from backend_client.kubernetes.status.machines import Machine
from backend_client.kubernetes.status.queue_room import QueueRoom, admits
from backend_client.models import JobSpec


class Known(Struct, frozen=True, kw_only=True):
    """What could be read of a cluster for the offers to one job."""

    site: KubernetesSettings
    facts: ClusterFacts
    machines: tuple[Machine, ...] | None = None
    """The nodes that the job's volumes can be reached from, less what others hold; None where unknown."""
    holds_nodes: bool = False
    """Pods of the job hold a part of the machines, which counts as free."""
    quota_allows: Callable[[JobSpec], bool] = lambda _: True
    added: Amounts = {}
    """What admission has added to the requests of each of its pods."""
    selector: Mapping[str, str] = {}
    """Labels of nodes that admission has added to its pods."""
    own_queue: str = ""
    """The queue that the job is in."""
    queues: tuple[QueueRoom, ...] | None = None
    """None where the caller may not see what they have."""


class Prospect:
    """The prospects of one job, by its spec; a spec's nodes are looked for once for each GPU type."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self._pods: dict[tuple[str, bool], AskingPod | None] = {}
        self._nodes: dict[tuple[str, bool], Candidates] = {}
        self._fits: dict[tuple[tuple[str, bool], frozenset[tuple[str, int]]], Fit] = {}

    def fit(self, spec: JobSpec) -> Fit:
        """Return where pods of a job fit; nowhere, where its GPU type is not there or no node is known."""
        pod = self.pod(spec)
        if pod is None or self.known.machines is None:
            return Fit(Candidates((), ()), {})
        key, requests = _key(spec), self.requests(spec)
        if key not in self._nodes:
            self._nodes[key] = candidates(pod, self.known.machines)
        asked = (key, frozenset(requests.items()))
        if asked not in self._fits:
            self._fits[asked] = Fit(self._nodes[key], requests)
        return self._fits[asked]

    def places(self, spec: JobSpec) -> tuple[str, ...]:
        """Return a node for each of the job's pods now; () where not all of them fit."""
        return self.fit(spec).places(pod_count(spec))

    def could_run(self, spec: JobSpec) -> bool:
        """Return whether all pods of a job would fit were the nodes empty."""
        return self.fit(spec).room_ever >= pod_count(spec)

    def admitted_by(self, spec: JobSpec, room: QueueRoom) -> str:
        """Return the flavors that a queue would give to a job at once; "" where it would not."""
        pod, each = self.pod(spec), self.requests(spec)
        if pod is None or (self.known.machines is not None and not self.could_run(spec)):
            return ""
        count = pod_count(spec) if spec.kind == "job" else 1  # a deployment waits pod by pod
        total = {name: amount * count for name, amount in each.items()}
        return admits(room, pod.spec, {**total, "pods": count})

    def requests(self, spec: JobSpec) -> dict[str, int]:
        """Return what each pod of a job requests."""
        own = amounts(limits(spec, self.known.site))
        added = self.known.added
        return {name: own.get(name, 0) + added.get(name, 0) for name in {*own, *added}}

    def products(self) -> list[str]:
        """List the GPU products of the nodes, by name."""
        resource = self.known.site.gpu_resource
        nodes = (machine.node for machine in self.known.machines or () if machine.total.get(resource))
        return sorted({product_label(node)[1] for node in nodes} - {""})

    def pod(self, spec: JobSpec) -> AskingPod | None:
        """Return a pod of a job as it asks for a node; None where its GPU type is not there."""
        key = _key(spec)
        if key not in self._pods:
            self._pods[key] = self._render(spec)
        return self._pods[key]

    def _render(self, spec: JobSpec) -> AskingPod | None:
        try:
            template = render_pod_template(spec, self.known.site, self.known.facts)
        except ValueError:
            return None
        pod = asking_spec(template["spec"])
        pod = replace(pod, node_selector={**pod.node_selector, **self.known.selector})
        return AskingPod(self.known.facts.namespace, {**spec.labels, **job_labels(spec)}, pod)


def _key(spec: JobSpec) -> tuple[str, bool]:
    return spec.gpu_type, bool(spec.gpus)


def asking_spec(pod: Mapping[str, Any]) -> AskingSpec:
    """Return the spec of a manifest's pod as it asks for a node."""
    return msgspec.convert(pod, AskingSpec)


def pod_count(spec: JobSpec) -> int:
    """Count the pods of a job that run at once."""
    return spec.nodes if spec.kind == "job" else spec.replicas


def added_by_admission(spec: JobSpec, site: KubernetesSettings, pod: PodSpec) -> dict[str, int]:
    """Return what a pod of a job requests beyond its spec: defaults of a LimitRange, a webhook's sidecar."""
    own = amounts(limits(spec, site))
    return {
        name: amount - own.get(name, 0)
        for name, amount in requests_of(pod).items()
        if amount > own.get(name, 0)
    }
