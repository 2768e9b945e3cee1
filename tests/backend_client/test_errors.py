"""The style of error sentences, read in the source: what literals and f-strings tell of titles and hints."""

import ast
import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from backend_client import errors
from backend_client.errors import fragment, sentence

ROOT = Path(__file__).parents[2]
HOLE = "\0"
"""Stands for what an f-string puts in."""
COPIED = re.compile(
    rf"(?:^|: |Use |or )(?:traindeck |chmod |pip |kubectl |openssl |https://|sqlite://|TRAINDECK_|options=|--).*$|{HOLE}$"
)
"""The end of a hint that is a command, an address or a variable."""


def called(node: ast.expr) -> str:
    """The last word of a name or attribute: `errors.Refused` -> Refused."""
    return getattr(node, "id", getattr(node, "attr", ""))


class Call(NamedTuple):
    """A call that makes an error: where it stands, and what the names of its module can be."""

    place: str
    node: ast.Call
    names: dict[str, list[ast.expr]]


@functools.cache
def calls() -> list[Call]:
    """All of them. Read by the first test that asks, not by every worker that collects this file."""
    modules = {
        path.relative_to(ROOT): [*ast.walk(ast.parse(path.read_text()))]
        for package in ("tui", "backend", "backend_client")
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    classes = error_classes(itertools.chain.from_iterable(modules.values()))
    return [
        Call(f"{path}:{node.lineno}", node, names)
        for path, nodes in modules.items()
        for names in [assigned(nodes)]
        for node in nodes
        if isinstance(node, ast.Call) and (name := called(node.func)) in classes
        if ast.unparse(node.func) in (name, f"errors.{name}")
    ]


def error_classes(nodes: Iterable[ast.AST]) -> set[str]:
    """The classes of backend_client/errors.py, and those that the packages derive from them."""
    classes = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    defined = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return classes | {node.name for node in defined if classes & {called(base) for base in node.bases}}


def texts(node: ast.expr | None, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """The texts that an expression can be, as far as the source tells; `sentence` adds a stop."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else HOLE for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from itertools.chain(texts(body, names), texts(orelse, names))
        case ast.BoolOp(values=values):
            yield from itertools.chain.from_iterable(texts(value, names) for value in values)
        case ast.BinOp(left=left, right=right):
            yield from map("".join, itertools.product(texts(left, names), texts(right, names)))
        case ast.Name(id=name):
            yield from itertools.chain.from_iterable(texts(value, {}) for value in names.get(name, ()))
        case ast.Call(func=ast.Name(id="sentence"), args=[argument]):
            yield from map(sentence, texts(argument, names))


def assigned(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    names: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).append(node.value)
    return names


def raised(part: str) -> Iterator[tuple[str, str]]:
    """Where a title or a hint stands, and its text."""
    for place, node, names in calls():
        position = ("title", "hint").index(part) + (called(node.func) == "Invalid")
        by_name = {keyword.arg: keyword.value for keyword in node.keywords}
        argument = by_name.get(part) or next(iter(node.args[position:]), None)
        yield from ((place, text) for text in texts(argument, names) if text)


def is_list_of_fields(title: str) -> bool:
    return re.match(r"[a-z]+: ", title) is not None


def titles() -> list[tuple[str, str]]:
    return [item for item in raised("title") if not is_list_of_fields(item[1])]


def is_title(text: str) -> bool:
    begins = not text[0].islower() or text.startswith("traindeck ")
    return begins and (text.endswith((".", "?")) or not text.strip(HOLE))


def is_hint(text: str) -> bool:
    begins = not text[0].islower() or text.startswith(("traindeck ", "chmod ", "pip "))
    return begins and (text.endswith((".", "?")) or COPIED.search(text) is not None)


def test_a_title_is_a_sentence():
    found = titles()
    assert len(found) > 120
    assert [item for item in found if not is_title(item[1])] == []


def test_a_hint_is_a_sentence_or_ends_with_what_is_copied():
    found = [*raised("hint")]
    assert len(found) > 60
    assert [item for item in found if not is_hint(item[1])] == []


def test_a_title_begins_with_a_word_that_a_fragment_lowers():
    first = {title.partition(" ")[0] for _, title in titles()}
    assert {word for word in first if word.isalpha() and word.istitle()} == errors._OPENERS


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("There is no job x.", "there is no job x"),
        ("Alice is the last admin.", "Alice is the last admin"),
        ("TLS needs both.", "TLS needs both"),
        ("10.0.0.1:6443 does not answer.\nCheck the VPN.", "10.0.0.1:6443 does not answer.\nCheck the VPN"),
        ("the server ended", "the server ended"),
        ("", ""),
    ],
)
def test_a_fragment_has_no_stop_and_keeps_names(title: str, expected: str):
    assert fragment(title) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the watch ended", "The watch ended."),
        ('pods "x" is forbidden', 'pods "x" is forbidden.'),
        ("try it again?", "try it again?"),
        (" It holds.\n", "It holds."),
        ("", ""),
    ],
)
def test_a_sentence_has_one_stop_and_keeps_the_words_of_others(text: str, expected: str):
    assert sentence(text) == expected
