"""One source of settings, a file or an environment variable, and where in it each key stands."""

from typing import Any

KeyPath = tuple[str, ...]
"""The parts of a dotted key: ("local", "gpus")."""


class Layer:
    """One source: its name, its data, and a file's text, in which lines are found. A variable has none."""

    def __init__(self, name: str, data: dict[str, Any], text: str = "") -> None:
        self.name = name
        self.data = data
        self.text = text

    def has(self, path: KeyPath) -> bool:
        """Return True if this source has a value at `path`."""
        node: Any = self.data
        for part in path:
            if not isinstance(node, dict) or part not in node:
                return False
            node = node[part]
        return True

    def drop(self, path: KeyPath) -> None:
        """Remove the value at `path`."""
        node = self.data
        for part in path[:-1]:
            node = node[part]
        del node[path[-1]]

    def location(self, path: KeyPath) -> str:
        """Return where a person finds `path`: "FILE line 3", or the variable's name."""
        return f"{self.name} line {find_line(self.text, path)}" if self.text else self.name


def find_line(text: str, path: KeyPath) -> int:
    """Return the number of the line that sets `path` in a TOML text, or its nearest parent; else 1."""
    section: KeyPath = ()
    best, depth = 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            key_path = section = _split_dotted(stripped.strip("[]# "))
        else:
            key_path = (*section, *_split_dotted(stripped.partition("=")[0]))
        if depth < len(key_path) <= len(path) and path[: len(key_path)] == key_path:
            best, depth = number, len(key_path)
    return best


def _split_dotted(text: str) -> KeyPath:
    return tuple(part.strip(" \t\"'") for part in text.split(".") if part.strip())
