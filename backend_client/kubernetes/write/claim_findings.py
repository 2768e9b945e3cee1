"""What a plan says of the claims of a job: those that are not there, or that not all its pods can mount."""

import asyncio

from backend_client.errors import Forbidden
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.manifests.storage import claims_of
from backend_client.kubernetes.resources.volumes import VOLUME_CLAIMS, Claim
from backend_client.kubernetes.write.field_errors import Findings
from backend_client.models import JobSpec
from backend_client.protocol import Diagnostic


async def check_claims(transport: Transport, spec: JobSpec, namespace: str) -> Findings:
    """Warn of claims that keep the pods of a job from running; of those that may not be read says nothing."""
    asked = dict.fromkeys(claims_of(spec))
    found = await asyncio.gather(*(_find(transport, namespace, claim) for _, claim in asked))
    pods = max(spec.nodes, spec.replicas)
    said = (
        Diagnostic(field, words)
        for (field, name), claim in zip(asked, found, strict=True)
        if (words := _words(name, namespace, claim, pods))
    )
    return Findings(warnings=tuple(said))


async def _find(transport: Transport, namespace: str, name: str) -> Claim | str | None:
    """Return a claim; None where there is none, "" where it may not be read."""
    try:
        answer = await transport.request("GET", VOLUME_CLAIMS.path(namespace, name), allow=(404,))
    except Forbidden:
        return ""
    return VOLUME_CLAIMS.decode_object(answer.body) if answer.status == 200 else None


def _words(name: str, namespace: str, claim: Claim | str | None, pods: int) -> str:
    if isinstance(claim, str):
        return ""
    if claim is None:
        return f"there is no claim {name} in {namespace}: it waits until there is one"
    if pods > 1 and not claim.is_for_many_nodes:
        modes = ", ".join(claim.spec.access_modes)
        return f"the claim {name} is for one node at a time ({modes}): pods on other nodes wait"
    return ""
