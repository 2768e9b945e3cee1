"""The anchor that a JobRef means, its pods, and the Job that they are."""

from typing import Any

import msgspec

from backend_client.errors import Forbidden, NotFound
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.render import Manifest
from backend_client.kubernetes.resources.core import Pod
from backend_client.kubernetes.resources.resource_types import DEPLOYMENTS, JOBS, Kind
from backend_client.kubernetes.settings import Site
from backend_client.kubernetes.status.job_status import anchor_of, job_of, read_only
from backend_client.kubernetes.status.pod_reason import Around
from backend_client.kubernetes.status.spec_from_objects import Anchor
from backend_client.kubernetes.watch import listing
from backend_client.kubernetes.write.object_client import Hands, name_of, place_of, uid_of
from backend_client.models import Job, JobRef

KIND_OF: dict[str, Kind[Any]] = {"job": JOBS, "deployment": DEPLOYMENTS}
"""JobSpec's and JobRef's kind -> the anchor's."""


async def find_mine(hands: Hands, ref: JobRef) -> Manifest:
    """The anchor, by uid. Raises NotFound, and Forbidden for what others made."""
    if ref.kind not in KIND_OF:
        raise Forbidden(f"{ref.name} was not made by traindeck")
    found = await hands.find(KIND_OF[ref.kind], ref.namespace, ref.name)
    if found is None or uid_of(found) != ref.uid:
        raise NotFound(f"there is no job {ref} ({ref.uid})")
    if why := read_only(typed(found)):
        raise Forbidden(f"{ref.name} was {why}")
    return found


def typed(anchor: Manifest) -> Anchor:
    """As status and readback want it."""
    kind, _, _ = place_of(anchor)
    found: Anchor = kind.one(msgspec.json.encode(anchor))
    return found


async def pods_of(transport: Transport, anchor: Manifest) -> list[Pod]:
    """Its pods; none where they may not be listed."""
    where = anchor["kind"], anchor["metadata"]["namespace"], name_of(anchor)
    try:
        found = await listing.pods_of(transport, typed(anchor))
    except Forbidden:
        return []
    return [pod for pod in found if anchor_of(pod) == where]


async def job(transport: Transport, anchor: Manifest, context: str, site: Site) -> Job:
    """As it stands."""
    pods = await pods_of(transport, anchor)
    return job_of(typed(anchor), pods, context, Around(site=site))
