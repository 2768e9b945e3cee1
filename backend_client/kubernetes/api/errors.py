"""Errors of an API server in words: metav1.Status -> BackendError."""

import re
from collections.abc import Mapping

import msgspec

from backend_client import errors
from backend_client.errors import sentence
from backend_client.kubernetes.resources import resource_types
from backend_client.kubernetes.resources.status import Status


class Expired(errors.Refused):
    """410: the resourceVersion or the page is too old; list again."""


class ServerFailed(errors.Unreachable):
    """The server answered that it failed itself: 500 and the like."""


_VERBS = {"GET": "read", "POST": "create", "PUT": "update", "PATCH": "change", "DELETE": "delete"}
_DENIED = re.compile(r'cannot (?P<verb>[\w-]+) resource "(?P<resource>[^"]+)"')
_PATH = re.compile(
    r"^/api(?:s/[^/]+)?/[^/]+(?:/namespaces/(?P<namespace>[^/]+)(?=/.))?/(?P<what>[^/]+(?:/[^/]+)?)"
)
_RETRY_LATER = 300.0


def parse_status(code: int, body: bytes) -> Status:
    """Return the Status in a body; where it holds none (a proxy's page), one made of the body's text."""
    try:
        status = resource_types.decode(resource_types.decode_status, body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = Status()
    if status.code or status.message:
        return status if status.code else msgspec.structs.replace(status, code=code)
    text = " ".join(body[:400].decode(errors="replace").split())
    return Status(code=code, message=text)


def error_from_status(
    status: Status, method: str, path: str, headers: Mapping[str, str]
) -> errors.BackendError:
    """Return the error that a refused request raises. `headers`: names in lower case."""
    request = describe_request(method, path)
    message = status.message or status.reason or f"status {status.code}"
    match status.code:
        case 401:
            return errors.LoginNeeded(f"The cluster does not accept the login ({request}).", "Log in again.")
        case 403:
            return _forbidden(status, method, path)
        case 404:
            unknown_path = f"The server does not know how to {request} ({message}); is it one of Kubernetes?"
            return errors.NotFound(sentence(message) if status.reason else unknown_path)
        case 409:
            return errors.Conflict(sentence(message))
        case 410:
            return Expired(sentence(message))
        case 422:
            return errors.Invalid(_field_errors(status), title=sentence(message))
        case 429 | 503:
            wait = retry_after(status, headers)
            return errors.Unreachable(
                sentence(f"The cluster is busy ({request}): {message}"), "Try again.", retry_after=wait
            )
        case code if 400 <= code < 500:
            return errors.Refused(sentence(f"The cluster refused to {request}: {message}"))
        case _:
            wait = retry_after(status, headers)
            return ServerFailed(sentence(f"The cluster failed to {request}: {message}"), retry_after=wait)


def describe_request(method: str, path: str) -> str:
    """Describe a request in words: "create pods in team-a", "read nodes/gpu-1"."""
    return f"{_VERBS.get(method, method)} {_describe_path(path)}"


def _describe_path(path: str) -> str:
    match = _PATH.match(path)
    if not match:
        return path
    return f"{match['what']} in {match['namespace']}" if match["namespace"] else match["what"]


def _forbidden(status: Status, method: str, path: str) -> errors.BackendError:
    """Return the error for a 403. RBAC's message names a verb; quota and admission answer 403 as well, and
    those are no matter of permission.
    """
    denied = _DENIED.search(status.message)
    if denied or method == "GET":
        verb = denied["verb"] if denied else "read"
        return errors.Forbidden(f"You may not {verb} {_describe_path(path)}.", sentence(status.message))
    reason = status.message.partition(" is forbidden: ")[2] or status.message
    return errors.Refused(sentence(reason or f"the cluster refused to {describe_request(method, path)}"))


def _field_errors(status: Status) -> dict[str, str]:
    causes = {cause.field: cause.message for cause in status.details.causes if cause.field}
    return causes or {status.details.kind or "object": status.message}


def retry_after(status: Status, headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asks to wait, at most 5 minutes; None where it asks for none."""
    header = headers.get("retry-after", "")
    seconds = float(header) if header.isdecimal() else float(status.details.retry_after_seconds)
    return min(seconds, _RETRY_LATER) or None
