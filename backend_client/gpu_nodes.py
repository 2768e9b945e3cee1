"""GPUs by machine: what each has free, who holds the rest and until when, what keeps new jobs off it."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Whose(StrEnum):
    """Whose a job on a machine is, to the one who asks."""

    MINE = "mine"
    TEAM = "team"
    OTHER = "other"


class Holder(Struct, frozen=True, kw_only=True):
    """A job that holds GPUs of a machine."""

    gpus: int
    whose: Whose = Whose.OTHER
    uid: str = ""
    """"" where the job may not be told, as its name and owner."""
    name: str = ""
    namespace: str = ""
    """Where that tells two jobs of one name apart."""
    owner: str = ""
    """The person, as a server has it; a cluster does not say whose a job is."""
    until: datetime | None = None
    """When its own time limit ends it, at the latest."""


class GpuNode(Struct, frozen=True, kw_only=True):
    """The GPUs of one kind on one machine."""

    name: str
    cluster: str = ""
    """Of a server: the cluster that it is in."""
    product: str = ""
    resource: str = ""
    """As jobs ask for them: "nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "amd.com/gpu"."""
    usable: bool = True
    """False where jobs of this context ask for another resource, and so never get these."""
    total: int
    free: int
    """What a new job could get now; 0 where the machine takes none."""
    broken: int = 0
    """GPUs that the machine has and does not offer: their driver or plugin counts them out."""
    trouble: str = ""
    """What is wrong with the machine: "does not answer"; "" where nothing is."""
    cordoned: bool = False
    taints: tuple[str, ...] = ()
    """Taints that jobs of this context do not tolerate, as "KEY=VALUE:EFFECT"."""
    holders: tuple[Holder, ...] = ()


class GpuNodes(Struct, frozen=True):
    """The machines of a context that have GPUs, by name."""

    nodes: tuple[GpuNode, ...] = ()
    unknown_because: str = ""
    """Why they are unknown; empty where they are known."""
    unsure_because: str = ""
    """Why the figures may not be the whole truth; empty where nothing says so."""


def is_type(product: str, gpu_type: str) -> bool:
    """Check whether a product is of a GPU type, in upper or lower case: a100 is NVIDIA-A100-SXM4-80GB.

    Slices (MIG) and shared GPUs match only a type that names them: k8s-device-plugin appends `-MIG-1g.5gb` or
    `-SHARED` to the product.
    """
    have, want = (text.lower().replace("_", "-").replace(" ", "-") for text in (product, gpu_type))
    if any(suffix in have and suffix not in want for suffix in ("-mig-", "-shared")):
        return False
    return f"-{want}-" in f"-{have}-"
