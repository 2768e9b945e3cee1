"""Validation of settings: what is wrong in a file or variable becomes a warning, and that key its default.

pydantic-settings validates all sources together. Whatever it finds wrong is taken out of the source that
it came from and becomes a warning that names it, until the rest is right. So a wrong key costs that key
alone.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

from backend_client.models.fields import FIELD_NAMES
from backend_client.models.names import closest_match
from backend_client.text.sanitize import clean
from tui.settings.layers import KeyPath, Layer
from tui.settings.loaded import LoadedSettings
from tui.settings.model import Settings, apply_site, setting_keys, template_paths
from tui.settings.paths import PREFIX
from tui.settings.schema import SettingsBase, settings_model


class SettingsCheck:
    """One validation of all sources, those that weigh most first."""

    def __init__(self, variables: dict[str, str], user_file: Path, site_file: Path) -> None:
        self.warnings: list[str] = []
        self.force_read_only = False
        self.site = str(site_file)
        layers = [self._variable_layer(name, value) for name, value in variables.items()]
        layers += [self._file_layer(user_file), self._file_layer(site_file)]
        self.layers = [layer for layer in layers if layer]
        for layer in self.layers:
            self._drop_site_section(layer)

    def warn(self, location: str, sentence: str, *keys: str) -> None:
        """Add a warning; one that may concern where jobs go, or the key read_only, forces that on.

        So what somebody set and cannot be used never becomes a job in another place.
        """
        self.force_read_only |= any(_holds_read_only(path) for path in keys)
        self.warnings.append(clean(f"{location}: {sentence}"))

    def _variable_layer(self, name: str, value: str) -> Layer | None:
        source = EnvSettingsSource(settings_model())
        source.env_vars = {name.lower(): value}
        path = tuple(name.lower().removeprefix(PREFIX.lower()).split("__"))
        try:
            data = source()
        except SettingsError:
            self.warn(name, f"set its parts one by one, like {name}__NAME", *path)
            return None
        if not data:
            self._warn_unknown(name, path, as_variable=True)
            return None
        return Layer(name, data)

    def _file_layer(self, path: Path) -> Layer | None:
        try:
            text = path.read_text(encoding="utf-8")
            return Layer(str(path), TomlConfigSettingsSource(settings_model(), path)(), text)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.warn(str(path), f"{error.strerror}; nothing of it is used, and read_only holds", "read_only")
        except ValueError as error:  # TOML and UTF-8 both
            self.warn(str(path), f"{error}; nothing of it is used, and read_only holds", "read_only")
        return None

    def _drop_site_section(self, layer: Layer) -> None:
        if layer.name != self.site and layer.data.pop("site", None) is not None:
            self.warn(layer.location(("site",)), f"[site] counts in {self.site} only; it is left out")

    def run(self) -> LoadedSettings:
        """Validate, taking out what is wrong, until nothing is."""
        while True:
            try:
                valid = self._model_of_layers()()
            except ValidationError as error:
                for problem in error.errors(include_url=False):
                    path, message = tuple(map(str, problem["loc"])), problem["msg"]
                    if problem["type"] == "literal_error":
                        message = _unknown_choice(problem["input"], problem["ctx"]["expected"])
                    self._take_out(path, problem["type"], message)
            else:
                return self._result(valid.model_dump(exclude_none=True))

    def _model_of_layers(self) -> type[SettingsBase]:
        layers = self.layers

        class Sourced(settings_model()):  # type: ignore[misc]  # made at run time
            @classmethod
            def settings_customise_sources(
                cls, settings_cls: type[BaseSettings], **_: Any
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return tuple(InitSettingsSource(settings_cls, layer.data) for layer in layers)

        return Sourced

    def _take_out(self, path: KeyPath, problem: str, message: str) -> None:
        while not (layer := next((layer for layer in self.layers if layer.has(path)), None)):
            path = path[:-1]  # a key that is missing, or a place in a list
        layer.drop(path)
        if problem == "extra_forbidden":
            self._warn_unknown(layer.location(path), path, as_variable=not layer.text)
            return
        sentence = message.removeprefix("Input ").removeprefix("Value error, ").split(", unable")[0]
        if problem in ("model_type", "model_attributes_type", "dict_type"):
            sentence = "is a group of settings; set them one by one"
        if path[0] == "keys" and problem == "string_pattern_mismatch":
            sentence = "should be the name of a key, without spaces"
        self.warn(layer.location(path), f"{'.'.join(path)} {sentence}; it is left out", ".".join(path))

    def _warn_unknown(self, location: str, path: KeyPath, *, as_variable: bool) -> None:
        names = [key.name for key in setting_keys()]
        name = ".".join(path)
        names += ["context"] if as_variable else []
        likely = closest_match(name, names) or closest_match(
            path[-1], [key for key in names if "." not in key]
        )
        if path[0] == "templates" and len(path) > 1:
            likely = ".".join((*path[:2], field)) if (field := closest_match(path[-1], FIELD_NAMES)) else ""
        shown = PREFIX + likely.upper().replace(".", "__") if as_variable else likely
        hint = f"; did you mean {shown}?" if likely else ""
        self.warn(location, f"there is no setting {name}{hint}", name, likely)

    def _result(self, values: dict[str, Any]) -> LoadedSettings:
        if self.force_read_only:
            values["read_only"] = True
        settings = apply_site(msgspec.convert(values, Settings))
        origins = {}
        for path in (*(key.path for key in setting_keys()), *template_paths(settings)):
            layer = next((layer for layer in self.layers if layer.has(path)), None)
            if layer:
                origins[".".join(path)] = layer.location(path)
        if self.force_read_only:
            origins["read_only"] = "held, because a setting could not be read"
        if settings.site.read_only:
            origins["read_only"] = origins["site.read_only"]
        if settings.site.hide_local:
            origins["local.enabled"] = origins["site.hide_local"]
        return LoadedSettings(settings, tuple(self.warnings), origins)


def _holds_read_only(key: str) -> bool:
    first, *_, last = key.split(".") * 2
    return last == "read_only" or first == "site" or key in ("local.enabled", "context")


def _unknown_choice(word: object, expected: str) -> str:
    """Return the warning for a word that is none of those expected."""
    choices = re.findall(r"'([^']+)'", expected)
    likely = closest_match(str(word), choices)
    hint = f"did you mean {likely}?" if likely else f"there are {', '.join(choices)}"
    return f"has no {word} ({hint})"


def check(variables: dict[str, str], user_file: Path, site_file: Path) -> LoadedSettings:
    """Return the settings from variables and files, with a warning for everything that is wrong."""
    return SettingsCheck(variables, user_file, site_file).run()
