"""The OpenAPI document: FastAPI's own, with the models that msgspec describes."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from backend.clusters.registration import ClusterRegistration
from backend_client import protocol
from backend_client.alerts.alert import Alert, AlertList, AlertWishes, Channel, Delivery
from backend_client.gpu_nodes import GpuNodes
from backend_client.history import HistoryPage
from backend_client.models import Event, Job, JobSpec
from backend_client.queues import QueueBoard
from backend_client.server.bodies import (
    Choices,
    Events,
    NewChannel,
    NewLimit,
    NewPriority,
    NewQueue,
    Problem,
    Snooze,
    VisibleJobs,
)
from backend_client.server.measured_clusters import MeasuredClusters
from backend_client.usage import Usage, UsageHistory, UsageTable
from backend_client.usage_report import Receipt, UsageReport
from backend_client.why import Explanation

STRUCTS = (
    *(
        Job,
        JobSpec,
        Event,
        Events,
        MeasuredClusters,
        Choices,
        VisibleJobs,
        Problem,
        HistoryPage,
        ClusterRegistration,
    ),
    *(Usage, UsageHistory, UsageTable, UsageReport, Receipt),
    *(Explanation, GpuNodes, QueueBoard, NewLimit, NewPriority, NewQueue),
    *(Alert, AlertList, AlertWishes, Channel, Delivery, NewChannel, Snooze),
    *(protocol.Plan, protocol.Page, protocol.Capacity, protocol.AccessReview, protocol.AccessDecision),
)
"""Bodies that are no pydantic models (see routes/bodies): `#/components/schemas/<name>` in the document."""
TAGS = [
    {"name": "jobs", "description": "Jobs of one's own: make, list, watch, stop, delete, read the log."},
    {"name": "queues", "description": "What jobs wait for, in which order; how one's own are queued."},
    {"name": "alerts", "description": "What one is told of one's jobs, and where."},
    {"name": "clusters", "description": "Where jobs run."},
    {"name": "auth", "description": "Who calls: log in and out, tokens, password."},
    {"name": "people", "description": "Accounts and audit log, for admins."},
    {"name": "server", "description": "The server itself; public."},
]


_SCHEMA_NAMES = {
    "AccessDecision": "Verdict",
    "AccessReview": "Ask",
    "ClusterRegistration": "Wanted",
    "Diagnostic": "Notice",
    "FreshnessState": "LinkState",
    "HistoryEntry": "Past",
    "HistoryPage": "PastPage",
    "VisibleJobs": "Look",
}
"""Class -> name of its schema in the document, where clients know it by another name."""


def describe(app: FastAPI) -> None:
    """Make `app` serve the document with the msgspec structs in it."""

    def document() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, tags=TAGS)
    _, structs = msgspec.json.schema_components(STRUCTS, ref_template="#/components/schemas/{name}")
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in _with_schema_names(structs).items():
        schemas.setdefault(name, schema)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    return document


def _with_schema_names(structs: dict[str, Any]) -> dict[str, Any]:
    """Rename components, titles and references to their names in the document."""
    text = msgspec.json.encode(structs).decode()
    for name, public in _SCHEMA_NAMES.items():
        text = text.replace(f'"{name}"', f'"{public}"').replace(f'/{name}"', f'/{public}"')
    renamed: dict[str, Any] = msgspec.json.decode(text)
    return renamed


def struct_response(struct: type) -> dict[str, Any]:
    """Return the entry of a route's `responses=` for one of `STRUCTS`."""
    return {"content": {"application/json": {"schema": _schema(struct)}}}


def struct_body(struct: type, *, several: bool = False) -> dict[str, Any]:
    """Return a route's `openapi_extra=` for a body that is one of `STRUCTS`, or a list of them."""
    schema = {"type": "array", "items": _schema(struct)} if several else _schema(struct)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _schema(struct: type) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{_SCHEMA_NAMES.get(struct.__name__, struct.__name__)}"}
