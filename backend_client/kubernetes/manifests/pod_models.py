"""The check of a pod template by the models of the `kubernetes` package, offline and with the path.

They find fields that are not there, wrong types and what is missing. What they accept wrongly, `64Gigs` or
`restartPolicy: Sometimes`, a cluster's dry run finds. Their import takes a second: `load` does it beforehand.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

_MOST = 8
"""Errors that are told."""


@cache
def load() -> Any:
    """Import the model of a pod template; a second the first time, and 65 MiB, so only where a patch is."""
    from kubernetes.client.models.v1_pod_template_spec import V1PodTemplateSpec  # noqa: PLC0415  dear

    return V1PodTemplateSpec


def errors(template: Mapping[str, Any]) -> Iterator[str]:
    """Find what is wrong with a pod template: each a path, and what is wrong there."""
    from pydantic import ValidationError  # noqa: PLC0415  comes with the models

    try:
        load().model_validate(template)
    except ValidationError as error:
        seen = dict.fromkeys(
            f"{path_text(found['loc'], template)}: {_words(found)}"
            for found in error.errors(include_url=False)
        )
        yield from list(seen)[:_MOST]


def path_text(location: tuple[int | str, ...], template: Any) -> str:
    """Return a path as people write it, an item of a list by its name: spec.containers[main].env[A].value."""
    text, value = "", template
    for step in location:
        value = _inside(value, step)
        if isinstance(step, int):
            name = value.get("name") or value.get("mountPath") if isinstance(value, Mapping) else None
            text += f"[{name if isinstance(name, str) else step}]"
        else:
            text += f".{step}"
    return text.lstrip(".")


def _inside(value: Any, step: int | str) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _words(found: Mapping[str, Any]) -> str:
    kind = str(found["type"])
    expected = {
        "string_type": "text",
        "int_type": "a whole number",
        "bool_type": "true or false",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
    }
    if kind == "extra_forbidden":
        return "a pod has no such field there"
    if kind == "missing":
        return "is missing"
    if kind in expected:
        quotes = "; put it in quotes" if kind == "string_type" and _is_scalar(found.get("input")) else ""
        return f"write {expected[kind]}{quotes}"
    return str(found["msg"])[:200]


def _is_scalar(value: object) -> bool:
    return isinstance(value, bool | int | float)
