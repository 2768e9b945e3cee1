"""The body of a create: JobSpec's own names, and the names that a deployment's REST API usually has."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from backend_client.errors import Invalid
from backend_client.models import JobSpec
from backend_client.models.fields import parse_fields
from backend_client.models.secret import Secret
from backend_client.server.bodies import split_secrets

ALIASES = {"deploymentName": "name", "imageName": "image"}
_RESOURCE_FIELDS = {"cpu": "cpu", "memory": "memory"}
_PORT = {"containerPort": "number", "port": "number", "targetPort": "target"}


def parse_job_body(body: bytes, gpu_resource: str) -> tuple[JobSpec, dict[str, Secret]]:
    """Parse a body of checked JSON: the spec, and the values of its secrets. Raises Invalid, by field.

    Without `kind` it is a deployment. `gpu_resource`: what a GPU is called in `resources`.
    """
    try:
        raw = msgspec.json.decode(body)
    except msgspec.ValidationError:
        raise Invalid({"body": "has a number that is larger than any field takes"}) from None
    if not isinstance(raw, dict):
        raise Invalid({"body": "write an object: name, image, command, …"})
    plain, secrets = split_secrets(_normalize(raw, gpu_resource))
    return parse_fields({"kind": "deployment"} | plain), secrets


def _normalize(raw: Mapping[str, Any], gpu_resource: str) -> dict[str, Any]:
    twice = {
        alias: f"says the same as {name}; write one"
        for alias, name in ALIASES.items()
        if {alias, name} <= raw.keys()
    }
    if twice:
        raise Invalid(twice)
    body = {ALIASES.get(name, name): value for name, value in raw.items() if name != "resources"}
    for name, value in _resources(raw.get("resources"), gpu_resource).items():
        if body.setdefault(name, value) != value:
            raise Invalid({"resources": f"{name} stands beside it, and differs"})
    if isinstance(body.get("ports"), list):
        body["ports"] = [_port(port) for port in body["ports"]]
    return body


def _resources(raw: object, gpu_resource: str) -> dict[str, object]:
    """Read limits and requests, of which a job has one: the limit counts where both are there."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping) or not raw.keys() <= {"limits", "requests"}:
        raise Invalid({"resources": "has limits and requests"})
    parts = [raw.get(part) or {} for part in ("requests", "limits")]
    if not all(isinstance(part, Mapping) for part in parts):
        raise Invalid({"resources": "write limits and requests as NAME: QUANTITY"})
    names = _RESOURCE_FIELDS | {gpu_resource: "gpus"}
    quantities = {name: value for part in parts for name, value in part.items()}
    if unknown := next((name for name in quantities if name not in names), None):
        raise Invalid({"resources": f"{unknown:.80}: there are {', '.join(names)}"})
    return {names[name]: value for name, value in quantities.items()}


def _port(raw: object) -> object:
    """Rename the keys of a port: a number, a text like 80:8080, or an object in Kubernetes' names or ours."""
    if not isinstance(raw, Mapping):
        return raw
    rename: Callable[[str], str] = lambda name: _PORT.get(name, name)  # noqa: E731  short
    return {rename(str(name)): value for name, value in raw.items()}
