"""What the scheduler reads of pods: what those on nodes hold, and what one that waits asks of a node.

Structs of their own beside `core.Pod`: whoever counts what is free reads every pod of the cluster, and needs
neither its status nor what it runs.
"""

from msgspec import field

from backend_client.kubernetes.resources.core import KubeStruct, Object, ResourceRequirements, no_entries
from backend_client.kubernetes.resources.selectors import LabelSelector


class Port(KubeStruct, frozen=True):
    """A port of a container, with the port of the node that it takes (0: none)."""

    host_port: int = 0
    host_ip: str = field(default="", name="hostIP")
    protocol: str = "TCP"


class AskingContainer(KubeStruct, frozen=True):
    """A container, as far as it takes something of a node."""

    resources: ResourceRequirements = ResourceRequirements()
    ports: tuple[Port, ...] = ()
    restart_policy: str = ""
    """"Always" makes an init container a sidecar."""


class PodAffinityTerm(KubeStruct, frozen=True):
    """A term of a pod's affinity, or anti-affinity, to other pods."""

    label_selector: LabelSelector | None = None
    topology_key: str = ""
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None


class PodAntiAffinity(KubeStruct, frozen=True):
    """Pods that must not run beside this one."""

    required: tuple[PodAffinityTerm, ...] = field(
        default=(), name="requiredDuringSchedulingIgnoredDuringExecution"
    )


class PlacedAffinity(KubeStruct, frozen=True):
    """The part of an affinity that binds others too."""

    pod_anti_affinity: PodAntiAffinity | None = None


class SelectingSpec(KubeStruct, frozen=True):
    """The labels that a pod asks of its node."""

    node_selector: dict[str, str] = field(default_factory=no_entries)


class PlacedSpec(SelectingSpec, frozen=True):
    """What a pod takes of its node."""

    node_name: str = ""
    containers: tuple[AskingContainer, ...] = ()
    init_containers: tuple[AskingContainer, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    """Of the pod as a whole (KEP-2837); it goes before the sum of its containers."""
    overhead: dict[str, str] = field(default_factory=no_entries)
    """What its RuntimeClass takes beside."""
    affinity: PlacedAffinity | None = None


class PlacedStatus(KubeStruct, frozen=True):
    """Whether a pod still holds what it took."""

    phase: str = "Pending"
    nominated_node_name: str = ""


class PlacedPod(Object, frozen=True):
    """v1 Pod, as far as others must make do with what it leaves."""

    spec: PlacedSpec = PlacedSpec()
    status: PlacedStatus = PlacedStatus()

    @property
    def node(self) -> str:
        """The node on which it holds its share, or where room is being made for it; "" for none."""
        if self.status.phase in ("Succeeded", "Failed"):
            return ""
        return self.spec.node_name or self.status.nominated_node_name


class NodeRequirement(KubeStruct, frozen=True):
    """An expression about a node; `operator`: In, NotIn, Exists, DoesNotExist, Gt, Lt."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class NodeSelectorTerm(KubeStruct, frozen=True):
    """Expressions all of which must hold; a term without any holds for no node."""

    match_expressions: tuple[NodeRequirement, ...] = ()
    match_fields: tuple[NodeRequirement, ...] = ()


class NodeSelector(KubeStruct, frozen=True):
    """Terms of which one must hold."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class NodeAffinity(KubeStruct, frozen=True):
    """Which nodes a pod may run on."""

    required: NodeSelector | None = field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")


class AskingAffinity(PlacedAffinity, frozen=True):
    """The affinity of a pod that waits; `pod_affinity` is not read, only that there is one."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PlacedAffinity | None = None


class PodToleration(KubeStruct, frozen=True):
    """A taint that a pod tolerates; without a key all, without an effect every effect."""

    key: str = ""
    operator: str = "Equal"
    """Equal, Exists, or of numbers Lt and Gt (KEP-5471)."""
    value: str = ""
    effect: str = ""


class AskingSpec(PlacedSpec, frozen=True):
    """What a pod asks of the node that it waits for."""

    affinity: AskingAffinity | None = None
    tolerations: tuple[PodToleration, ...] = ()
    topology_spread_constraints: tuple[PlacedAffinity, ...] = ()
    resource_claims: tuple[PlacedAffinity, ...] = ()
    """DRA (KEP-4381); neither of these two is read, only that there are some."""


class AskingPod(KubeStruct, frozen=True):
    """The template of a pod that waits for a node."""

    namespace: str = ""
    labels: dict[str, str] = field(default_factory=no_entries)
    spec: AskingSpec = AskingSpec()
