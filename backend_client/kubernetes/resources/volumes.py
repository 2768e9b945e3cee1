"""v1 PersistentVolumeClaims and PersistentVolumes: where a pod with them can run, and how large they are."""

from collections.abc import Mapping

from backend_client.kubernetes.resources.core import KubeStruct, Object, ResourceRequirements
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.resources.scheduling import NodeSelector


class ClaimSpec(KubeStruct, frozen=True):
    """The spec of a claim; without a volume it is not bound yet."""

    volume_name: str = ""
    access_modes: tuple[str, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()


class ClaimStatus(KubeStruct, frozen=True):
    """The status of a claim: what it got."""

    phase: str = ""
    """Pending, Bound or Lost."""
    capacity: Mapping[str, str] = {}


class Claim(Object, frozen=True):
    """v1 PersistentVolumeClaim."""

    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def size(self) -> str:
        """What it got, else what it asks for: a Kubernetes quantity."""
        return self.status.capacity.get("storage") or self.spec.resources.requests.get("storage", "")

    @property
    def is_writable(self) -> bool:
        """Whether anybody can mount it to write."""
        return {*self.spec.access_modes} != {"ReadOnlyMany"}

    @property
    def is_for_many_nodes(self) -> bool:
        """Whether several nodes can mount it at once."""
        return bool({"ReadWriteMany", "ReadOnlyMany"} & {*self.spec.access_modes})


class VolumeNodeAffinity(KubeStruct, frozen=True):
    """The nodes that can reach a volume."""

    required: NodeSelector | None = None


class VolumeSpec(KubeStruct, frozen=True):
    """The spec of a volume."""

    node_affinity: VolumeNodeAffinity | None = None


class PersistentVolume(Object, frozen=True):
    """v1 PersistentVolume."""

    spec: VolumeSpec = VolumeSpec()


VOLUME_CLAIMS = ResourceType("/api/v1", "PersistentVolumeClaim", "persistentvolumeclaims", Claim)
VOLUMES = ResourceType("/api/v1", "PersistentVolume", "persistentvolumes", PersistentVolume, namespaced=False)
