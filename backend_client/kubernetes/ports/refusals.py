"""Why a cluster opens no connection to a port of a pod, in words."""

import asyncio
import re

from backend_client.errors import BackendError, Conflict, Forbidden, Refused, Unreachable, sentence
from backend_client.kubernetes.access import ResourceRule, is_allowed
from backend_client.kubernetes.api.errors import error_from_status, parse_status
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.resources.core import Pod

VERBS = ("get", "create")
"""Both are needed: a WebSocket is opened by a GET, and since Kubernetes 1.35 the other is checked as well."""
_DENIED = re.compile(r'cannot (\w+) resource "pods/portforward"')
_BOTH = "A connection to a port takes both get and create on pods/portforward; the role edit has them."


async def refusal(transport: Transport, pod: Pod, path: str, response: Response) -> BackendError:
    """Return the error for an answer that is no WebSocket; without a reason, ask which right is missing."""
    status = parse_status(response.status, response.body)
    said = status.message or f"status {status.code}"
    title = sentence(f"The cluster connects to no port of pod {pod.name}: {said}")
    if status.code == 401:
        return error_from_status(status, "GET", path, response.headers)
    if status.code == 403:
        return await _forbidden(transport, pod, status.message) or Refused(title)
    if status.code == 404:
        return Conflict(f"The pod {pod.name} is gone.")
    if status.code == 200 or "pgrade request required" in status.message:
        return Refused(
            "A proxy before the cluster passes no WebSockets, so no port can be reached.",
            "Ask whoever runs it to let Upgrade through.",
        )
    return Refused(title) if 400 <= status.code < 500 and status.code != 429 else Unreachable(title)


async def _forbidden(transport: Transport, pod: Pod, message: str) -> BackendError | None:
    """Return which right is missing; None where the words of the answer say it better."""
    namespace = pod.metadata.namespace
    if denied := _DENIED.search(message):
        return Forbidden(f"You may not {denied[1]} pods/portforward in {namespace}.", _BOTH)
    rules = [ResourceRule(verb, "", "pods", namespace, "portforward") for verb in VERBS]
    allowed = await asyncio.gather(*(is_allowed(transport, rule) for rule in rules))
    missing = [rule.verb for rule, granted in zip(rules, allowed, strict=True) if not granted]
    if missing:
        return Forbidden(f"You may not {' and '.join(missing)} pods/portforward in {namespace}.", _BOTH)
    if not message:  # it knows none of the subprotocols
        return Refused(
            "The cluster opens no ports as traindeck asks for them.",
            "It, or a proxy before it, does not know v4.channel.k8s.io.",
        )
    return None
