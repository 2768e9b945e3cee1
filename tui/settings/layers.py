"""One source of settings, a file or an environment variable, and where in it each key stands."""

from typing import Any

KeyPath = tuple[str, ...]
"""The parts of a dotted key: ("local", "gpus")."""


class Layer:
    """What one source says. `lines` finds the line of a key in a file's text; a variable has none."""

    def __init__(self, name: str, data: dict[str, Any], text: str = "") -> None:
        self.name = name
        self.data = data
        self.text = text

    def holds(self, path: KeyPath) -> bool:
        """True where this source says something at `path`."""
        here: Any = self.data
        for part in path:
            if not isinstance(here, dict) or part not in here:
                return False
            here = here[part]
        return True

    def drop(self, path: KeyPath) -> None:
        """Forget what is said at `path`."""
        here = self.data
        for part in path[:-1]:
            here = here[part]
        del here[path[-1]]

    def place(self, path: KeyPath) -> str:
        """Where a person finds it: "FILE line 3", or the variable's name."""
        return f"{self.name} line {line_of(self.text, path)}" if self.text else self.name


def line_of(text: str, path: KeyPath) -> int:
    """The number of the line that sets `path` in a TOML text, or the parent it stands in; else 1."""
    section: KeyPath = ()
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


def _dotted(words: str) -> KeyPath:
    return tuple(part.strip(" \t\"'") for part in words.split(".") if part.strip())
