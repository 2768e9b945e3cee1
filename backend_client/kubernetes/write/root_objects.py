"""Root objects: the Deployment or Job that a JobRef names, its pods, and the Job model made from them."""

import msgspec

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.resource_types import CREATED_KINDS, ROOT_TYPES
from backend_client.kubernetes.resources.training import TrainingJob
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.job_status import job_of, read_only, root_key
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.kubernetes.watch import listing
from backend_client.kubernetes.write.retrying_client import RetryingClient, key_of, name_of, uid_of
from backend_client.models import Job, JobRef


async def find_own_root(client: RetryingClient, ref: JobRef) -> Manifest:
    """Find the root object of a job by uid. Raises NotFound, and Forbidden for one that others created."""
    if ref.kind not in CREATED_KINDS:
        raise Forbidden(f"{ref.name} was not made by traindeck.")
    root = await client.find(ROOT_TYPES[ref.kind], ref.namespace, ref.name)
    if root is None or uid_of(root) != ref.uid:
        raise NotFound(f"There is no job {ref} ({ref.uid}).")
    if why := read_only(to_root_object(root)):
        raise Forbidden(f"{ref.name} was {why}.")
    return root


def to_root_object(root: Manifest) -> RootObject:
    """Convert a mapping to the typed object that `status` reads."""
    kind, _, _ = key_of(root)
    typed: RootObject = kind.decode_object(msgspec.json.encode(root))
    return typed


async def pods_of(transport: Transport, root: Manifest) -> list[Pod]:
    """List the pods that belong to a root object; none where the caller may not list pods."""
    key = root["kind"], root["metadata"]["namespace"], name_of(root)
    typed = to_root_object(root)
    try:
        pods = await listing.pods_of(transport, typed)
    except Forbidden:
        return []
    if isinstance(typed, TrainingJob):
        return list(pods)
    return [pod for pod in pods if root_key(pod) == key]


async def load_job(transport: Transport, root: Manifest, context: str, site: KubernetesSettings) -> Job:
    """Load the pods of a root object, and return the job that they are."""
    pods = await pods_of(transport, root)
    return job_of(to_root_object(root), pods, context, RelatedObjects(site=site))
