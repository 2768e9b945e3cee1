"""The field `pod`, a patch of the pod template: JSON or a mapping -> plain JSON values, bounded."""

from collections.abc import Mapping
from typing import Any

import msgspec

DEEPEST = 24
"""Levels of a patch; a pod template has 12."""
MOST_CHARACTERS = 128 * 1024
_PARTS = {"metadata": ("labels", "annotations"), "spec": ()}


def parse_pod(raw: object) -> dict[str, Any]:
    """Parse a patch of a pod template. Raises ValueError, with the path of what is wrong."""
    if isinstance(raw, str):
        raw = _decode(raw)
    if not isinstance(raw, Mapping):
        raise ValueError('write a mapping: {"spec": {"nodeName": "gpu-1"}}')
    patch: dict[str, Any] = _plain(raw, "")
    for name, part in patch.items():
        if name not in _PARTS:
            raise ValueError(f"{name[:80]}: a pod template has {' and '.join(_PARTS)}")
        if not isinstance(part, dict):
            raise ValueError(f"{name}: write a mapping")
        if alien := next((key for key in part if _PARTS[name] and key not in _PARTS[name]), ""):
            raise ValueError(f"{name}.{alien[:80]}: its {name} has {' and '.join(_PARTS[name])}")
    if (size := len(msgspec.json.encode(patch))) > MOST_CHARACTERS:
        raise ValueError(f"{size} characters; at most {MOST_CHARACTERS}")
    return patch


def _decode(text: str) -> object:
    try:
        return msgspec.json.decode(text[: MOST_CHARACTERS + 1])
    except (msgspec.DecodeError, RecursionError):
        raise ValueError('is no JSON, as {"spec": {"hostname": "a"}} is; in a spec file write YAML') from None


def _plain(value: object, path: str, depth: int = 0) -> Any:
    """Return a value as JSON has it. Raises ValueError where JSON has no such thing, or none so deep."""
    if depth > DEEPEST:
        raise ValueError(f"{path[:80]}…: more than {DEEPEST} levels")
    if isinstance(value, Mapping):
        return {
            _key(key, path): _plain(item, f"{path}.{key}"[-300:], depth + 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        raise ValueError(f"{_shown(path)}: no such number: it has more than 18 digits")
    if isinstance(value, str) and not value.isascii():
        _check_text(value, path)
    if (
        value is None
        or isinstance(value, bool | int | str)
        or (isinstance(value, float) and _is_finite(value))
    ):
        return value
    raise ValueError(f"{_shown(path)}: put it in quotes")


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{_shown(path)}: {str(key)[:80]} is a name here; put it in quotes")
    if key.startswith("$"):
        raise ValueError(f"{_shown(f'{path}.{key}')}: directives are not known here; null takes a field away")
    _check_text(key, path)
    return key


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{_shown(path)}: is not valid UTF-8") from None


def _is_finite(value: float) -> bool:
    return abs(value) != float("inf") and value == value  # noqa: PLR0124  not a number is not itself


def _shown(path: str) -> str:
    return path.lstrip(".")[:200] or "a patch"
