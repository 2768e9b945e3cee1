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
from tui.settings.layers import KeyPath, Layer
from tui.settings.loaded import Loaded
from tui.settings.model import Settings, imposed, keys, template_paths
from tui.settings.paths import PREFIX
from tui.settings.schema import SettingsBase, settings_model
from tui.ui.sanitize import clean


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
        source = EnvSettingsSource(settings_model())
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
            return Layer(str(path), TomlConfigSettingsSource(settings_model(), path)(), text)
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

    def _sourced(self) -> type[SettingsBase]:
        layers = self.layers

        class Sourced(settings_model()):  # type: ignore[misc]  # made at run time
            @classmethod
            def settings_customise_sources(
                cls, settings_cls: type[BaseSettings], **_: Any
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return tuple(InitSettingsSource(settings_cls, layer.data) for layer in layers)

        return Sourced

    def _blame(self, path: KeyPath, problem: str, message: str) -> None:
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

    def _unknown(self, place: str, path: KeyPath, *, as_variable: bool) -> None:
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
