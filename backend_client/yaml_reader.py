"""Read YAML that a person or another program wrote: text stays as it was written, faults are sentences.

YAML 1.1 has values that mislead people: a bare 2026-01-01 is a date, 012 is ten, 22:22 is 1342. `read_first`
reads as kubectl does, `read_one` refuses what does not mean what it looks like.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import yaml

LARGEST = 100_000
"""Values that one document may have, repeated ones (aliases) counted each time."""
_DEEPEST = 100
_MOST_DIGITS = 100
"""Python takes quadratic time for digits, and for YAML's 1:1:1 (base 60)."""
_BASE: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"true", "false"}


class YamlFault(ValueError):
    """A document that cannot be read: a fragment that begins with `is no YAML`, or with the line."""


class _Reader(_BASE):  # type: ignore[misc]  # whichever there is
    """Dates are text, and so is !!binary, decoded: as kubectl's reader has them."""

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own way
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _BASE.yaml_implicit_resolvers.items()
    }

    def decoded_text(self, node: yaml.Node) -> str:
        """Return the text of a !!binary value."""
        data: bytes = self.construct_yaml_binary(node)
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise YamlFault(f"line {_line(node)}: !!binary holds no text") from None

    def number(self, node: yaml.Node) -> int | float:
        """Return a number of a length that a number has."""
        if len(node.value) > _MOST_DIGITS:
            raise YamlFault(f"line {_line(node)}: no number has {len(node.value)} digits; put it in quotes")
        construct = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        try:
            value: int | float = construct(node)
        except ValueError:  # an explicit tag: !!int x
            raise YamlFault(f"line {_line(node)}: {_written(node)} is no number") from None
        return value

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > LARGEST:
            raise YamlFault("has too many values; its aliases (*name) repeat themselves")


_Reader.add_constructor("tag:yaml.org,2002:binary", _Reader.decoded_text)
for _tag in ("int", "float"):
    _Reader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Reader.number)


class _StrictReader(_Reader):
    """Refuses a key that stands twice, and a bare word that YAML takes for something else than it looks."""

    yaml_implicit_resolvers = _BASE.yaml_implicit_resolvers

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:merge"):
                raise YamlFault(f"line {_line(key)}: a key is text; put {_written(key)} in quotes")
            if key.value in first and not key.tag.endswith(":merge"):
                raise YamlFault(f"line {_line(key)}: {key.value} stands in line {first[key.value]} already")
            first[key.value] = _line(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping

    def number(self, node: yaml.Node) -> int | float:
        """Return a number that is written as Python writes it."""
        value = super().number(node)
        if str(value) != node.value:
            raise YamlFault(f"line {_line(node)}: YAML reads {_written(node)} as {value}; put it in quotes")
        return value

    def truth(self, node: yaml.Node) -> bool:
        """Return a truth value; a bare yes is one to some readers of YAML, and text to others. A field whose
        words are on and off takes both; every other refuses a truth value."""
        value: bool = self.construct_yaml_bool(node)
        if node.value.lower() not in _WORDS | {"on", "off"}:
            raise YamlFault(
                f"line {_line(node)}: YAML reads a bare {_written(node)} as {str(value).lower()}; "
                "put it in quotes, or write true or false"
            )
        return value

    def date(self, node: yaml.Node) -> str:
        """Refuse a date: no field of ours is one."""
        raise YamlFault(f"line {_line(node)}: {_written(node)} is a date to YAML; put it in quotes")


for _tag, _constructor in (
    ("int", _StrictReader.number),
    ("float", _StrictReader.number),
    ("bool", _StrictReader.truth),
    ("timestamp", _StrictReader.date),
):
    _StrictReader.add_constructor(f"tag:yaml.org,2002:{_tag}", _constructor)


def read_first(content: bytes) -> Any:
    """Read the first document, as kubectl reads a kubeconfig; None for an empty file. Raises YamlFault."""
    return _read(content, _Reader)[0]


def read_one(content: bytes) -> Any:
    """Read the only document of a file, None for an empty one. Raises YamlFault.

    Refuses keys that stand twice, several documents, and words that do not mean what they look like.
    """
    document, *more = _read(content, _StrictReader)
    if more:
        raise YamlFault("has several documents (---); one is read at a time")
    return document


def _read(content: bytes, reader: type[Any]) -> list[Any]:
    """Return the first document, and a second one if there is one."""
    try:
        documents = list(
            itertools.islice(yaml.load_all(content, reader), 2 if reader is _StrictReader else 1)
        )
    except yaml.YAMLError as error:
        raise YamlFault(_sentence(error, content)) from None
    except RecursionError:
        raise YamlFault("is no YAML: it is nested too deeply") from None
    except YamlFault:
        raise
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError):  # PyYAML's, of a tag
        raise YamlFault("is no YAML: a value does not fit its tag (!!name)") from None
    for document in documents:
        _measure(document, {}, 0)
    return documents or [None]


def _measure(value: Any, sizes: dict[int, int], depth: int) -> int:
    """Return how many values a value holds, each alias counted. Raises YamlFault where that is too many."""
    if not isinstance(value, Mapping | list):
        return 1
    if depth > _DEEPEST:
        raise YamlFault("is nested too deeply")
    if id(value) not in sizes:
        inner = value.values() if isinstance(value, Mapping) else value
        sizes[id(value)] = 1 + sum(_measure(item, sizes, depth + 1) for item in inner)
    if sizes[id(value)] > LARGEST:
        raise YamlFault("has too many values; its aliases (*name) repeat themselves")
    return sizes[id(value)]


def _sentence(error: yaml.YAMLError, content: bytes) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", "") or getattr(error, "reason", "") or "").split())
    if mark is None:
        return f"is no YAML: {problem or 'it is no UTF-8 text'}"
    lines = content.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else b""
    if b"\t" in line[: len(line) - len(line.lstrip())]:
        problem = "it is indented by a tab; YAML takes blanks"
    return f"is no YAML in line {mark.line + 1}{f': {problem}' if problem else ''}"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _written(node: yaml.Node) -> str:
    text = str(node.value) if isinstance(node, yaml.ScalarNode) else "this one"
    return text if len(text) <= 40 else f"{text[:37]}..."
