"""Jobs to begin with, out of the settings: [templates.NAME] has fields as a spec file writes them."""

from collections.abc import Mapping
from typing import Any

from backend_client.errors import NotFound
from backend_client.models.fields import field_text, parse_field
from backend_client.models.names import closest_match

Templates = Mapping[str, Mapping[str, Any]]
"""Name -> field -> what was written; the settings have looked at it."""


def template(templates: Templates, name: str) -> dict[str, Any]:
    """What one of them says. Raises NotFound, which names the nearest or all."""
    if name not in templates:
        likely = closest_match(name, templates)
        known = f"There are: {', '.join(templates)}." if templates else "The settings have none."
        raise NotFound(f"There is no template {name}.", f"Did you mean {likely}?" if likely else known)
    return dict(templates[name])


def texts(said: Mapping[str, Any]) -> dict[str, str]:
    """Field -> its text, as the form shows it."""
    return {name: field_text(name, parse_field(name, raw)) for name, raw in said.items()}


def words(said: Mapping[str, Any]) -> str:
    """What it says, on one line."""
    return ", ".join(f"{name} {text}" for name, text in texts(said).items())


def joined(name: str, below: Any, above: Any) -> Any:
    """A field that was written twice: mappings are joined, of all else the upper one counts."""
    if name not in ("env", "labels", "annotations") or not below:
        return above
    return {**parse_field(name, below), **parse_field(name, above)}
