"""A small language of rules for what may stand in a manifest, and the check of a manifest by it.

A rule is one of four: a mapping of the keys that may be there, each with its own rule; a list of one rule for
all items; a set of values; or a function. What a mapping does not name is refused.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[Any], str]
"""Says what speaks against a value; "" where nothing does."""
Rule: TypeAlias = "Mapping[str, Rule] | list[Rule] | frozenset[object] | Check"
Rules: TypeAlias = Mapping[str, Rule]
Violations: TypeAlias = Iterator[tuple[str, str]]
"""(path, message) of each value that a rule does not allow."""


def anything(_: object) -> str:
    """Allow every value: for what can do no harm, or what the server itself writes."""
    return ""


def one_of(*values: object) -> frozenset[object]:
    """Allow these values alone."""
    return frozenset(values)


def keys(names: Iterable[str]) -> dict[str, Rule]:
    """Allow these keys, with any value."""
    return dict.fromkeys(names, anything)


def violations(value: object, rule: Rule, path: str, required: frozenset[str]) -> Violations:
    """Yield (path, message) of all that a rule does not allow; no mapping may lack a `required` key."""
    if isinstance(rule, Mapping):
        yield from _mapping_violations(value, rule, path, required)
    elif isinstance(rule, list):
        for item in value if isinstance(value, list) else (None,):
            yield from violations(item, rule[0], path, required)
    elif isinstance(rule, frozenset):
        if value not in rule:
            yield path, f"{path}: {value!r:.80}"
    elif message := rule(value):
        yield path, message


def _mapping_violations(value: object, rules: Rules, path: str, required: frozenset[str]) -> Violations:
    if not isinstance(value, Mapping):
        yield path, f"{path}: {value!r:.80}"
        return
    for key, part in value.items():
        where = f"{path}.{key}"
        if key in rules:
            yield from violations(part, rules[key], where, required)
        else:
            yield where, where
    for key in (rules.keys() & required) - value.keys():
        yield f"{path}.{key}", f"{path} without {key}"
