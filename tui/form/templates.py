"""Jobs to begin with, out of the settings: [templates.NAME] has fields as a spec file writes them."""

from collections.abc import Mapping
from typing import Any

from backend_client.errors import NotFound
from backend_client.models.fields import field_text, parse_field
from backend_client.models.names import closest_match

Templates = Mapping[str, Mapping[str, Any]]
"""Name -> field -> raw value, which the settings have checked."""


def find_template(templates: Templates, name: str) -> dict[str, Any]:
    """Return the fields of a template. Raises NotFound, which names the closest match or all."""
    if name not in templates:
        likely = closest_match(name, templates)
        hint = f"There are: {', '.join(templates)}." if templates else "The settings have none."
        raise NotFound(f"There is no template {name}.", f"Did you mean {likely}?" if likely else hint)
    return dict(templates[name])


def texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return field -> its text, as the form shows it."""
    return {name: field_text(name, parse_field(name, raw)) for name, raw in fields.items()}


def summary(fields: Mapping[str, Any]) -> str:
    """Return the fields of a template on one line."""
    return ", ".join(f"{name} {text}" for name, text in texts(fields).items())


def merge(name: str, below: Any, above: Any) -> Any:
    """Merge two values of a field: mappings are joined, of all else the upper one counts."""
    if name not in ("env", "node_selector", "labels", "annotations", "alerts") or not below:
        return above
    return {**parse_field(name, below), **parse_field(name, above)}
