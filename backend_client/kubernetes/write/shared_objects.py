"""Claims and pull secrets in a namespace that many people share: whose they are stands in an annotation.

RBAC cannot tell people apart there, as a server acts for all of them with one account. So whoever makes a
claim or a pull secret names who may use it: `traindeck.dev/owner: ann`, several with commas between, or `*`.
Only metadata is read.
"""

from collections.abc import Iterator, Mapping

from backend_client.kubernetes import labels
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.storage import claims_of
from backend_client.kubernetes.resources import core as o
from backend_client.kubernetes.resources.resource_types import CLAIMS, SECRETS, ResourceType
from backend_client.models import JobSpec

_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
EVERYBODY = "*"


def is_for(item: o.Object, owner: str) -> bool:
    """Tell whether an object of a shared namespace is for this person."""
    named = {name.strip().casefold() for name in item.metadata.annotations.get(labels.OWNER, "").split(",")}
    return bool(named & {owner.casefold(), EVERYBODY})


async def not_theirs(transport: Transport, spec: JobSpec, namespace: str, owner: str) -> Mapping[str, str]:
    """Return field -> why, for the claims and pull secrets of a spec that are not for this person."""
    wrong: dict[str, str] = {}
    for field, resource_type, name in _used(spec):
        if field not in wrong and not await _may_use(transport, resource_type, namespace, name, owner):
            wrong[field] = (
                f"{name} is not there, or not yours: its annotation {labels.OWNER} names who may use it"
            )
    return wrong


def _used(spec: JobSpec) -> Iterator[tuple[str, ResourceType[o.Object], str]]:
    for field, claim in claims_of(spec):
        yield field, CLAIMS, claim
    for name in spec.image_pull_secrets:
        yield "image_pull_secrets", SECRETS, name


async def _may_use(
    transport: Transport, resource_type: ResourceType[o.Object], namespace: str, name: str, owner: str
) -> bool:
    path = resource_type.path(namespace, name)
    answer = await transport.request("GET", path, accept=_METADATA, allow=(404,))
    return answer.status == 200 and is_for(resource_type.decode_object(answer.body), owner)
