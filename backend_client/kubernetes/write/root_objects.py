"""The anchor that a JobRef means, its pods, and the Job that they are."""

import msgspec

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.resource_types import CREATED_KINDS, ROOT_TYPES
from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.kubernetes.status.job_status import job_of, read_only, root_key
from backend_client.kubernetes.status.pod_reason import RelatedObjects
from backend_client.kubernetes.status.spec_from_objects import RootObject
from backend_client.kubernetes.watch import listing
from backend_client.kubernetes.write.object_client import ObjectClient, key_of, name_of, uid_of
from backend_client.models import Job, JobRef


async def find_own_root(hands: ObjectClient, ref: JobRef) -> Manifest:
    """The anchor, by uid. Raises NotFound, and Forbidden for what others made."""
    if ref.kind not in CREATED_KINDS:
        raise Forbidden(f"{ref.name} was not made by traindeck")
    found = await hands.find(ROOT_TYPES[ref.kind], ref.namespace, ref.name)
    if found is None or uid_of(found) != ref.uid:
        raise NotFound(f"there is no job {ref} ({ref.uid})")
    if why := read_only(to_root_object(found)):
        raise Forbidden(f"{ref.name} was {why}")
    return found


def to_root_object(anchor: Manifest) -> RootObject:
    """As status and readback want it."""
    kind, _, _ = key_of(anchor)
    found: RootObject = kind.decode_object(msgspec.json.encode(anchor))
    return found


async def pods_of(transport: Transport, anchor: Manifest) -> list[Pod]:
    """Its pods; none where they may not be listed."""
    where = anchor["kind"], anchor["metadata"]["namespace"], name_of(anchor)
    try:
        found = await listing.pods_of(transport, to_root_object(anchor))
    except Forbidden:
        return []
    return [pod for pod in found if root_key(pod) == where]


async def load_job(transport: Transport, anchor: Manifest, context: str, site: KubernetesSettings) -> Job:
    """As it stands."""
    pods = await pods_of(transport, anchor)
    return job_of(to_root_object(anchor), pods, context, RelatedObjects(site=site))
