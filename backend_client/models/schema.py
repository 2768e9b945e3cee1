"""The JSON Schema of a spec file, derived from JobSpec: an editor completes and checks one with it.

`python -m backend_client.models.schema > examples/job.schema.json` writes it anew.
"""

import json
import sys
from typing import Any

import msgspec

from backend_client.models.alert_thresholds import THRESHOLDS
from backend_client.models.spec import JobSpec

_TEXT = {"type": "string"}
_ITEMS: dict[str, list[dict[str, Any]]] = {"ports": [{"type": "integer"}, _TEXT], "volumes": [_TEXT]}
"""Other ways to write one item of a list."""
_VALUES = {"type": ["string", "number"]}
_EACH = {
    "type": "object",
    "properties": {
        "each": {
            "type": "object",
            "additionalProperties": {"anyOf": [{"type": "array", "items": _VALUES}, _VALUES]},
        },
        "name": _TEXT,
        "at_once": {"type": "integer", "minimum": 0},
    },
    "required": ["each"],
    "additionalProperties": False,
}
"""The sweep of a file that makes many jobs."""


def spec_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12). Every field may be one line of text too, as in flags and forms."""
    _, definitions = msgspec.json.schema_components([JobSpec])
    spec = definitions.pop("JobSpec")
    properties = {name: _field(name, rule) for name, rule in spec["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "traindeck job",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": {name: _plain(rule) for name, rule in definitions.items()},
    }


def _field(name: str, rule: dict[str, Any]) -> dict[str, Any]:
    default = rule.pop("default")
    described = {"description": rule.pop("description"), "default": [] if default == () else default}
    if "items" in rule:
        rule["items"] = {"anyOf": [rule["items"], *_ITEMS[name]]} if name in _ITEMS else rule["items"]
    if name == "alerts":
        rule["propertyNames"] = {"enum": list(THRESHOLDS)}
        rule["additionalProperties"] = {"type": ["string", "number", "boolean"]}
    if rule.get("additionalProperties") == _TEXT:
        rule["additionalProperties"] = {"type": ["string", "number"]}
    if name == "sweep":
        return {**described, "anyOf": [rule, _EACH, _TEXT]}
    if rule == _TEXT:
        return {**described, "type": ["string", "number"]}
    return {**described, **rule} if "enum" in rule else {**described, "anyOf": [rule, _TEXT]}


def _plain(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a definition without its docstring, which is for readers of the code."""
    return {key: value for key, value in rule.items() if key != "description"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(spec_schema(), indent=2) + "\n")
