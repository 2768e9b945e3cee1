"""A Prometheus in the cluster, asked through the proxy of its API server: nothing else has to be reachable.

What that proxy shows is unfiltered: who has the right sees what all jobs of the cluster use.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from backend_client.errors import BackendError, Forbidden, NotFound, Refused, Unreachable, sentence
from backend_client.kubernetes.access import ResourceRule, is_allowed
from backend_client.kubernetes.api.errors import error_from_status, parse_status
from backend_client.kubernetes.api.transport import Transport
from backend_client.prometheus.client import MOST_BYTES, Answer

_FORM = "application/x-www-form-urlencoded"
_HOW = "Name it as NAMESPACE/NAME:PORT, with https: before NAME where it serves TLS."


class ServiceAddress(Struct, frozen=True):
    """A Service as `kubernetes.prometheus.service` names it."""

    namespace: str
    name: str
    """As it stands in the URL, and so in a rule's `resourceNames`: [https:]NAME:PORT."""

    @property
    def path(self) -> str:
        """The path of its proxy."""
        return f"/api/v1/namespaces/{quote(self.namespace, '')}/services/{quote(self.name, ':')}/proxy"

    @property
    def plain_name(self) -> str:
        """The name of the Service itself."""
        parts = self.name.split(":")
        return parts[1] if parts[0] in ("http", "https") and len(parts) > 1 else parts[0]

    @property
    def rule(self) -> ResourceRule:
        """The right that it takes."""
        return ResourceRule("get", "", "services", self.namespace, "proxy", self.name)


def parse_service(text: str) -> ServiceAddress:
    """Return a Service by "NAMESPACE/NAME:PORT". Raises Refused."""
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise Refused(f"The setting kubernetes.prometheus.service names no Service: {text}.", _HOW)
    return ServiceAddress(namespace, name)


class _Kind(Struct, frozen=True):
    kind: str = ""


_KIND = msgspec.json.Decoder(_Kind)


class ServiceProxy:
    """Asks a Service of a cluster."""

    def __init__(self, transport: Callable[[], Awaitable[Transport]], service: ServiceAddress) -> None:
        """Ask nothing yet."""
        self._transport = transport
        self._service = service
        self._allowed = False

    async def __call__(self, method: str, path: str, params: Mapping[str, str], seconds: float) -> Answer:
        """Send a request (`prometheus.client.Ask`). Raises Forbidden, which names the right."""
        transport = await self._transport()
        await self._check(transport)
        url = self._service.path + path
        if method == "GET":
            response = await transport.request(
                "GET",
                url,
                query=params,
                timeout=seconds,
                allow=range(300, 600),
                most_bytes=MOST_BYTES,
            )
        else:
            form = urlencode(params).encode()
            response = await transport.request(
                method,
                url,
                body=form,
                content_type=_FORM,
                timeout=seconds,
                allow=range(300, 600),
                most_bytes=MOST_BYTES,
            )
        if response.status >= 300 and _is_status(response.body):
            raise self._refusal(response.status, response.body, method, url, response.headers)
        return Answer(response.status, response.body)

    async def _check(self, transport: Transport) -> None:
        """Ask once whether the caller may. Raises Forbidden."""
        if self._allowed:
            return
        if not await is_allowed(transport, self._service.rule):
            raise self._forbidden(self._service.rule)
        self._allowed = True

    def _forbidden(self, rule: ResourceRule) -> Forbidden:
        return Forbidden(
            f"You may not {rule}.",
            "It shows what all jobs of the cluster use; a traindeck server may read it for everybody.",
        )

    def _refusal(
        self, code: int, body: bytes, method: str, path: str, headers: Mapping[str, str]
    ) -> BackendError:
        """Return the error for what the API server itself says of the Service."""
        service, status = self._service, parse_status(code, body)
        named = f"{service.namespace}/{service.plain_name}"
        if status.code == 403:
            self._allowed = False
            return self._forbidden(replace(service.rule, verb="get" if method == "GET" else "create"))
        if status.code == 404:
            return NotFound(f"There is no Service {named}.", _HOW)
        if status.code == 503 and "no endpoints available" in status.message:
            return Unreachable(
                f"No pod serves {service.name} in {service.namespace}.",
                "There may be no such Service or port, or its pods do not run.",
            )
        if status.code >= 500:
            return Unreachable(sentence(f"The Service {named} gave no answer: {status.message}"))
        return error_from_status(status, method, path, headers)


def _is_status(body: bytes) -> bool:
    """Return whether an answer is the API server's own, and not what the Service said."""
    try:
        return _KIND.decode(body).kind == "Status"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return not body.lstrip().startswith(b"{")
