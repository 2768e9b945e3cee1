"""Why a cluster starts no command in a container, in words.

What stands in the answers is measured, as no page tells it: docs/FACTS.md, "Exec".
"""

import asyncio
import re

from backend_client.errors import BackendError, Forbidden, NotFound, Refused, Unreachable, sentence
from backend_client.kubernetes.access import EXEC_VERBS, ResourceRule, is_allowed
from backend_client.kubernetes.api.errors import error_from_status, parse_status
from backend_client.kubernetes.api.transport import Response, Transport
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.resources.status import Status

_DENIED = re.compile(r'cannot (\w+) resource "pods/exec"')
_BOTH = "A command in a container takes both get and create on pods/exec; the role edit has them."


async def refusal(transport: Transport, container: Container, response: Response) -> BackendError:
    """Return the error for an answer that is no WebSocket; without a reason, ask which right is missing."""
    status = parse_status(response.status, response.body)
    if status.code == 403 and status.message.endswith(" is forbidden: "):
        return await _forbidden_without_reason(transport, container)
    return _refusal(status, container, response)


def _refusal(status: Status, container: Container, response: Response) -> BackendError:
    if status.code == 401:
        return error_from_status(status, "GET", container.exec_path, response.headers)
    if status.code == 403 and (denied := _DENIED.search(status.message)):
        return _forbidden(container, denied[1])
    if status.code == 403 and not response.body:  # it knows none of the subprotocols
        return Refused(
            "The cluster runs no commands as traindeck asks for them.",
            "It, or a proxy before it, knows neither v5 nor v4 of channel.k8s.io.",
        )
    if status.code == 404:
        return NotFound(sentence(status.message or f"There is no pod {container.pod}"))
    if status.code == 200 or "pgrade request required" in status.message:
        return Refused(
            "A proxy before the cluster passes no WebSockets, so no command can be run.",
            "Ask whoever runs it to let Upgrade through.",
        )
    said = status.message or f"status {status.code}"
    title = sentence(f"The cluster runs no command in {container}: {said}")
    return Refused(title) if 400 <= status.code < 500 and status.code != 429 else Unreachable(title)


async def _forbidden_without_reason(transport: Transport, container: Container) -> BackendError:
    rules = [ResourceRule(verb, "", "pods", container.namespace, "exec") for verb in EXEC_VERBS]
    allowed = await asyncio.gather(*(is_allowed(transport, rule) for rule in rules))
    missing = [rule.verb for rule, granted in zip(rules, allowed, strict=True) if not granted]
    if missing:
        return _forbidden(container, *missing)
    return Forbidden(f"You may not run a command in {container}; the cluster does not say why.")


def _forbidden(container: Container, *verbs: str) -> Forbidden:
    return Forbidden(f"You may not {' and '.join(verbs)} pods/exec in {container.namespace}.", _BOTH)
