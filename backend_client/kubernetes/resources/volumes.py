"""v1 PersistentVolumeClaims and PersistentVolumes, as far as they say where a pod can run."""

from backend_client.kubernetes.resources.core import KubeStruct, Object
from backend_client.kubernetes.resources.resource_types import ResourceType
from backend_client.kubernetes.resources.scheduling import NodeSelector


class ClaimSpec(KubeStruct, frozen=True):
    """The spec of a claim; without a volume it is not bound yet."""

    volume_name: str = ""
    access_modes: tuple[str, ...] = ()


class Claim(Object, frozen=True):
    """v1 PersistentVolumeClaim."""

    spec: ClaimSpec = ClaimSpec()

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
