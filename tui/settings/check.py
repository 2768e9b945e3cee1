"""Validation: pydantic-settings over the model, one source per file and per variable.

Every complaint is taken out of the source that it came from and becomes a warning that names it, until
what is left is right. So a wrong key costs that key alone.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)
from typing_extensions import TypedDict

from backend_client.models.fields import FIELD_NAMES, parse_field
from backend_client.models.names import closest_match
from tui.actions import ACTIONS
from tui.settings.loaded import Loaded
from tui.settings.model import Settings, Template, describe, imposed, keys, template_paths
from tui.settings.paths import PREFIX
from tui.ui.sanitize import clean

Path_ = tuple[str, ...]


class _Base(BaseSettings):
    model_config = SettingsConfigDict(
        extra="forbid", allow_inf_nan=False, env_prefix=PREFIX, env_nested_delimiter="__"
    )


class Layer:
    """What one source says. `lines` finds the line of a key in a file's text; a variable has none."""

    def __init__(self, name: str, data: dict[str, Any], text: str = "") -> None:
        self.name = name
        self.data = data
        self.text = text

    def holds(self, path: Path_) -> bool:
        """True where this source says something at `path`."""
        here: Any = self.data
        for part in path:
            if not isinstance(here, dict) or part not in here:
                return False
            here = here[part]
        return True

    def drop(self, path: Path_) -> None:
        """Forget what is said at `path`."""
        here = self.data
        for part in path[:-1]:
            here = here[part]
        del here[path[-1]]

    def place(self, path: Path_) -> str:
        """Where a person finds it: "FILE line 3", or the variable's name."""
        return f"{self.name} line {line_of(self.text, path)}" if self.text else self.name


def line_of(text: str, path: Path_) -> int:
    """The number of the line that sets `path` in a TOML text, or the parent it stands in; else 1."""
    section: Path_ = ()
    found, depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if words.startswith("["):
            here = section = _dotted(words.strip("[]# "))
        else:
            here = (*section, *_dotted(words.partition("=")[0]))
        if depth < len(here) <= len(path) and path[: len(here)] == here:
            found, depth = number, len(here)
    return found


def _dotted(words: str) -> Path_:
    return tuple(part.strip(" \t\"'") for part in words.split(".") if part.strip())


def model(struct: type[msgspec.Struct], base: type[BaseModel]) -> Any:
    """The pydantic model of a plain type."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        kind, meta = describe(field.type)
        kind = _keymap() if kind == dict[str, str] else _plain(kind)
        fields[field.name] = (kind, ...) if field.required else (kind | None, Field(None, ge=meta.ge))
    return create_model(struct.__name__, __base__=base, **fields)


def _plain(kind: Any) -> Any:
    """A type, with a pydantic model in place of every struct in it."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return model(kind, _section())
    if kind == Template:
        return _mapping(
            "Template", {name: Annotated[Any, BeforeValidator(_parses(name))] for name in FIELD_NAMES}
        )
    parts = tuple(_plain(part) for part in get_args(kind))
    return get_origin(kind)[parts] if parts else kind


def _section() -> type[BaseModel]:
    return type("_Section", (BaseModel,), {"model_config": ConfigDict(extra="forbid", allow_inf_nan=False)})


def _keymap() -> Any:
    key = Annotated[str, Field(pattern=r"^[!-~]+$")]
    return _mapping("Keymap", {action.id: key for action in ACTIONS})


def _mapping(name: str, fields: dict[str, Any]) -> Any:
    mapping = TypedDict(name, fields, total=False)  # type: ignore[misc]  # made at run time
    mapping.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
    return mapping


def _parses(field: str) -> Callable[[object], object]:
    """Checks what a template says of a field, and leaves it as it is written."""

    def check(raw: object) -> object:
        parse_field(field, raw)
        return msgspec.json.decode(msgspec.json.encode(raw))  # the cache's JSON has no dates

    return check


@cache
def _model() -> type[_Base]:
    built: type[_Base] = model(Settings, _Base)
    return built


class Check:
    """One pass over all sources, the weightiest first."""

    def __init__(self, variables: dict[str, str], user_file: Path, site_file: Path) -> None:
        self.warnings: list[str] = []
        self.closed = False
        self.site = str(site_file)
        layers = [self._variable(name, value) for name, value in variables.items()]
        layers += [self._file(user_file), self._file(site_file)]
        self.layers = [layer for layer in layers if layer]
        for layer in self.layers:
            self._only_the_site(layer)

    def warn(self, place: str, sentence: str, *about: str) -> None:
        """Note what is wrong; what may be about read_only closes."""
        self.closed |= any(path.split(".")[-1] == "read_only" for path in about)
        self.warnings.append(clean(f"{place}: {sentence}"))

    def _variable(self, name: str, value: str) -> Layer | None:
        source = EnvSettingsSource(_model())
        source.env_vars = {name.lower(): value}
        path = tuple(name.lower().removeprefix(PREFIX.lower()).split("__"))
        try:
            data = source()
        except SettingsError:
            self.warn(name, f"set its parts one by one, like {name}__NAME", *path)
            return None
        if not data:
            self._unknown(name, path, as_variable=True)
            return None
        return Layer(name, data)

    def _file(self, path: Path) -> Layer | None:
        try:
            text = path.read_text(encoding="utf-8")
            return Layer(str(path), TomlConfigSettingsSource(_model(), path)(), text)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.warn(str(path), f"{error.strerror}; nothing of it is used, and read_only holds", "read_only")
        except ValueError as error:  # TOML and UTF-8 both
            said = "read_only" if b"read_only" in path.read_bytes() else ""
            holds = ", and read_only holds" if said else ""
            self.warn(str(path), f"{error}; nothing of it is used{holds}", said)
        return None

    def _only_the_site(self, layer: Layer) -> None:
        if layer.name != self.site and layer.data.pop("site", None) is not None:
            self.warn(layer.place(("site",)), f"[site] counts in {self.site} only; it is left out")

    def run(self) -> Loaded:
        """Validate until nothing is wrong."""
        while True:
            try:
                valid = self._sourced()()
            except ValidationError as error:
                for problem in error.errors(include_url=False):
                    path, message = tuple(map(str, problem["loc"])), problem["msg"]
                    if problem["type"] == "literal_error":
                        message = _no_such(problem["input"], problem["ctx"]["expected"])
                    self._blame(path, problem["type"], message)
            else:
                return self._loaded(valid.model_dump(exclude_none=True))

    def _sourced(self) -> type[_Base]:
        layers = self.layers

        class Sourced(_model()):  # type: ignore[misc]  # made at run time
            @classmethod
            def settings_customise_sources(
                cls, settings_cls: type[BaseSettings], **_: Any
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return tuple(InitSettingsSource(settings_cls, layer.data) for layer in layers)

        return Sourced

    def _blame(self, path: Path_, problem: str, message: str) -> None:
        while not (layer := next((layer for layer in self.layers if layer.holds(path)), None)):
            path = path[:-1]  # a key that is missing, or a place in a list
        layer.drop(path)
        if problem == "extra_forbidden":
            self._unknown(layer.place(path), path, as_variable=not layer.text)
            return
        sentence = message.removeprefix("Input ").removeprefix("Value error, ").split(", unable")[0]
        if problem in ("model_type", "model_attributes_type", "dict_type"):
            sentence = "is a group of settings; set them one by one"
        if path[0] == "keys" and problem == "string_pattern_mismatch":
            sentence = "should be the name of a key, without spaces"
        self.warn(layer.place(path), f"{'.'.join(path)} {sentence}; it is left out", ".".join(path))

    def _unknown(self, place: str, path: Path_, *, as_variable: bool) -> None:
        known = [key.name for key in keys()]
        name = ".".join(path)
        likely = closest_match(name, known) or closest_match(
            path[-1], [key for key in known if "." not in key]
        )
        if path[0] == "templates" and len(path) > 1:
            likely = ".".join((*path[:2], field)) if (field := closest_match(path[-1], FIELD_NAMES)) else ""
        shown = PREFIX + likely.upper().replace(".", "__") if as_variable else likely
        hint = f"; did you mean {shown}?" if likely else ""
        self.warn(place, f"there is no setting {name}{hint}", name, likely)

    def _loaded(self, values: dict[str, Any]) -> Loaded:
        if self.closed:
            values["read_only"] = True
        settings = imposed(msgspec.convert(values, Settings))
        origins = {}
        for path in (*(key.path for key in keys()), *template_paths(settings)):
            layer = next((layer for layer in self.layers if layer.holds(path)), None)
            if layer:
                origins[".".join(path)] = layer.place(path)
        if self.closed:
            origins["read_only"] = "held, because a setting could not be read"
        if settings.site.read_only:
            origins["read_only"] = origins["site.read_only"]
        if settings.site.hide_local:
            origins["local.enabled"] = origins["site.hide_local"]
        return Loaded(settings, tuple(self.warnings), origins)


def _no_such(word: object, expected: str) -> str:
    """What to write instead of a word that is none of those expected."""
    known = re.findall(r"'([^']+)'", expected)
    likely = closest_match(str(word), known)
    hint = f"did you mean {likely}?" if likely else f"there are {', '.join(known)}"
    return f"has no {word} ({hint})"


def check(variables: dict[str, str], user_file: Path, site_file: Path) -> Loaded:
    """The settings out of variables and files, with a warning for everything that is wrong."""
    return Check(variables, user_file, site_file).run()
