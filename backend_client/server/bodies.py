"""The bodies of requests and answers, beside the streams: problems, the body of a create, capabilities.

Both server and client import this, so both mean the same.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from backend_client import errors
from backend_client.alerts.alert import ChannelKind
from backend_client.errors import BackendError, Invalid
from backend_client.models import Event, JobSpec
from backend_client.models.fields import DEFAULTS, FIELD_NAMES
from backend_client.models.secret import Secret
from backend_client.protocol import Choice, FieldRule, FreshnessState

PROBLEM = "application/problem+json"
STATUS: Mapping[type[BackendError], int] = {
    errors.Refused: 400,
    errors.LoginNeeded: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Invalid: 422,
    errors.Unreachable: 503,
}
"""The HTTP status of each error."""
_KINDS = {kind.__name__: kind for kind in STATUS}
_BY_STATUS = {status: kind for kind, status in STATUS.items()}
_LONGEST = 2000


class Problem(Struct, frozen=True, kw_only=True):
    """RFC 9457 problem+json of a `BackendError`."""

    type: str = "about:blank"
    title: str = ""
    status: int = 500
    detail: str = ""
    """The hint: what to do next."""
    kind: str = ""
    """The error's class."""
    fields: dict[str, str] = {}
    request_id: str = ""


class ClusterInfo(Struct, frozen=True, kw_only=True):
    """One cluster of GET /api/clusters: how it is, and what it makes of features and fields."""

    name: str
    state: FreshnessState = FreshnessState.LIVE
    since: datetime | None = None
    why: str = ""
    features: tuple[str, ...] = ()
    """Of `protocol.Feature`; a newer server may know more."""
    lacks: dict[str, str] = {}
    """Absent feature -> why."""
    fields: dict[str, FieldRule] = {}
    code_limit: int = 0
    """Bytes that packed code may have."""


class Clusters(Struct, frozen=True):
    """The answer of GET /api/clusters."""

    items: tuple[ClusterInfo, ...]


class VisibleJobs(Struct, frozen=True):
    """The body of POST /api/look: the jobs that one screen shows, the weightiest first."""

    screen: Annotated[str, Meta(max_length=64)]
    """Any text that other screens do not say."""
    uids: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=1000)]


class Events(Struct, frozen=True):
    """The answer of GET /api/jobs/{name}/events, oldest first."""

    items: tuple[Event, ...]


class Choices(Struct, frozen=True):
    """The answer of GET /api/choices."""

    items: tuple[Choice, ...]


class NewLimit(Struct, frozen=True):
    """The body of POST /api/jobs/{name}/extend."""

    max_runtime: Annotated[int, Meta(ge=1, le=315_360_000)]
    """Seconds from its start; ten years at most."""


class NewPriority(Struct, frozen=True):
    """The body of POST /api/jobs/{name}/priority."""

    priority: Annotated[str, Meta(min_length=1, max_length=253)]


class NewQueue(Struct, frozen=True):
    """The body of POST /api/jobs/{name}/queue."""

    queue: Annotated[str, Meta(min_length=1, max_length=253)]


class Snooze(Struct, frozen=True):
    """The body of POST /api/alerts/{id}/snooze."""

    until: datetime
    """Until when nothing is told of it."""


class NewChannel(Struct, frozen=True):
    """The body of POST /api/alerts/channels."""

    name: Annotated[str, Meta(min_length=1, max_length=40)]
    kind: ChannelKind
    address: Annotated[str, Meta(min_length=1, max_length=2000)]
    """A mail address, a URL, or the name of a target of the site."""


class Me(Struct, frozen=True):
    """The answer of GET /api/auth/me, as far as the Protocol needs it."""

    user: str
    role: str = ""


def problem_of(error: BackendError, request_id: str = "") -> Problem:
    """Return an error as problem+json. `Unreachable.retry_after` travels as the header Retry-After."""
    kind = next(kind for kind in type(error).__mro__ if kind in STATUS or kind is BackendError)
    return Problem(
        title=error.title,
        status=STATUS.get(kind, 500),
        detail=error.hint,
        kind=kind.__name__,
        fields=error.fields,
        request_id=request_id,
    )


def error_of(problem: Problem, status: int, retry_after: float | None = None) -> BackendError:
    """Return the error of a problem; its kind decides, else the HTTP status."""
    title = problem.title[:_LONGEST] or f"The server answers {status}."
    hint = problem.detail[:_LONGEST]
    kind = _KINDS.get(problem.kind) or _BY_STATUS.get(status)
    if kind is Invalid:
        return Invalid(problem.fields, title, hint)
    if kind is errors.Unreachable or (kind is None and (status == 429 or status >= 500)):
        return errors.Unreachable(title, hint, retry_after=retry_after)
    return (kind or errors.Refused)(title, hint, fields=problem.fields)


def create_body(spec: JobSpec, secrets: Mapping[str, Secret]) -> bytes:
    """Return the body of POST /api/jobs and /api/plan: the kind, and fields that differ from their default.

    `secrets` is NAME -> value there; a name without a value has null, and the server says it is missing.
    """
    values = msgspec.to_builtins(spec)
    body = {name: values[name] for name in FIELD_NAMES if getattr(spec, name) != getattr(DEFAULTS, name)}
    secret_values = {name: secrets[name].reveal() if name in secrets else None for name in spec.secrets}
    return msgspec.json.encode(
        {**body, "kind": spec.kind} | ({"secrets": secret_values} if secret_values else {})
    )


def split_secrets(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Secret]]:
    """Split a create's body into what `parse_spec` takes and the values of its secrets. Raises Invalid."""
    secrets = body.get("secrets") or {}
    if isinstance(secrets, str | list):
        return dict(body), {}
    if not isinstance(secrets, Mapping) or any(
        not isinstance(value, str | None) for value in secrets.values()
    ):
        raise Invalid({"secrets": "write NAME: value for each"})
    values = {str(name): Secret(value) for name, value in secrets.items() if value is not None}
    return {**body, "secrets": list(secrets)}, values
