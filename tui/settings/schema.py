"""The settings as a pydantic-settings model, for validation.

The settings themselves are msgspec structs, so that a start with an unchanged cache imports no pydantic,
which costs as much as Textual. pydantic-settings reads TOML files and nested environment variables, and
words what is wrong with a value, but only for models of its own. They are built from the structs when
something has to be validated, so that every setting is named in one place.
"""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, get_args, get_origin

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import TypedDict

from backend_client.models.alert_thresholds import THRESHOLDS, parse_threshold
from backend_client.models.fields import FIELD_NAMES, parse_field
from tui.actions import ACTIONS
from tui.settings.model import AlertRules, Settings, Template, split_annotation
from tui.settings.paths import PREFIX


class SettingsBase(BaseSettings):
    """Settings without unknown keys and infinite numbers; variables are TRAINDECK_SECTION__KEY."""

    model_config = SettingsConfigDict(
        extra="forbid", allow_inf_nan=False, env_prefix=PREFIX, env_nested_delimiter="__"
    )


def pydantic_model(struct: type[msgspec.Struct], base: type[BaseModel]) -> Any:
    """Build the pydantic model of a struct. Fields with a default there are optional here, and then None."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        kind, meta = split_annotation(field.type)
        kind = _keymap_type() if kind == dict[str, str] else _pydantic_type(kind)
        fields[field.name] = (kind, ...) if field.required else (kind | None, Field(None, ge=meta.ge))
    return create_model(struct.__name__, __base__=base, **fields)


def _pydantic_type(kind: Any) -> Any:
    """Return a type with a pydantic model in place of every struct in it."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return pydantic_model(kind, _section_base())
    if kind == AlertRules:
        return _typed_dict(
            "Alerts", {name: Annotated[str, AfterValidator(_alert_validator(name))] for name in THRESHOLDS}
        )
    if kind == Template:
        return _typed_dict(
            "Template",
            {name: Annotated[Any, BeforeValidator(_field_validator(name))] for name in FIELD_NAMES},
        )
    parts = tuple(_pydantic_type(part) for part in get_args(kind))
    return get_origin(kind)[parts] if parts else kind


def _section_base() -> type[BaseModel]:
    return type("_Section", (BaseModel,), {"model_config": ConfigDict(extra="forbid", allow_inf_nan=False)})


def _keymap_type() -> Any:
    key = Annotated[str, Field(pattern=r"^[!-~]+$")]
    return _typed_dict("Keymap", {action.id: key for action in ACTIONS})


def _typed_dict(name: str, fields: dict[str, Any]) -> Any:
    mapping = TypedDict(name, fields, total=False)  # type: ignore[misc]  # made at run time
    mapping.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return mapping


def _field_validator(field: str) -> Callable[[object], object]:
    """Return a validator that checks what a template says of a field, and leaves it as it is written."""

    def check(raw: object) -> object:
        parse_field(field, raw)
        return msgspec.json.decode(msgspec.json.encode(raw))  # the cache's JSON has no dates

    return check


def _alert_validator(name: str) -> Callable[[str], str]:
    """Return a validator of what is written for an alert."""

    def check(text: str) -> str:
        try:
            parse_threshold(name, text)
        except ValueError as error:
            raise ValueError(str(error).removeprefix(name).lstrip(": ")) from None
        return text

    return check


@cache
def settings_model() -> type[SettingsBase]:
    """Return the pydantic-settings model of all settings, built on the first call."""
    model: type[SettingsBase] = pydantic_model(Settings, SettingsBase)
    return model
