"""YAML that people write: read as kubectl reads it, or refused where it does not mean what it looks like."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client.yaml_reader import YamlFault, read_first, read_one

NINE = ", ".join(["*{0}"] * 9)
BOMB = "a: &a [x]\n" + "".join(
    f"{this}: &{this} [{NINE.format(last)}]\n" for last, this in zip("abcdefghi", "bcdefghij", strict=True)
)
MERGE_BOMB = "a: &a {k: 1}\n" + "".join(
    f"{this}: &{this} {{<<: [{NINE.format(last)}], {this}{this}: 1}}\n"
    for last, this in zip("abcdefghijklmnop", "bcdefghijklmnopq", strict=True)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name: x\ngpus: 1\n", {"name": "x", "gpus": 1}),
        ("name: x\r\ngpus: 1\r\n", {"name": "x", "gpus": 1}),
        ("\ufeffname: x", {"name": "x"}),
        ("name: x".encode("utf-16"), {"name": "x"}),
        ('{"gpus": 1, "env": {"A": "012"}}', {"gpus": 1, "env": {"A": "012"}}),
        ('a: "012"', {"a": "012"}),
        ("a: 1e5", {"a": "1e5"}),
        ("a: 0.1", {"a": 0.1}),
        ("ingress: off", {"ingress": False}),
        ("read_only: true", {"read_only": True}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("base: &b {x: 1}\nd: {<<: *b, y: 2}", {"base": {"x": 1}, "d": {"x": 1, "y": 2}}),
        ("", None),
        ("# nothing", None),
    ],
)
def test_what_is_read(text, value):
    assert read_one(text if isinstance(text, bytes) else text.encode()) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "line 3: a stands in line 1 already"),
        ("env:\n  A: x\n  A: y", "line 3: A stands in line 2 already"),
        ('"a": 1\na: 2', "line 2: a stands in line 1 already"),
        ("name: 2026-01-01", "line 1: 2026-01-01 is a date to YAML; put it in quotes"),
        ("a: 2026-01-01 10:00:00", "is a date to YAML; put it in quotes"),
        ("env: {A: yes}", "line 1: YAML reads a bare yes as true; put it in quotes"),
        ("env:\n  A: No", "line 2: YAML reads a bare No as false; put it in quotes"),
        ("env: {C: 012}", "line 1: YAML reads 012 as 10; put it in quotes"),
        ("a: 0x1F", "reads 0x1F as 31"),
        ("a: 1_000", "reads 1_000 as 1000"),
        ("ports: [22:22]", "reads 22:22 as 1342"),
        ("version: 1.10", "reads 1.10 as 1.1; put it in quotes"),
        ("a: .inf", "reads .inf as inf"),
        ("a: +1", "reads [+]1 as 1"),
        ("no: 1", "line 1: a key is text; put no in quotes"),
        ("2026-01-01: 1", "a key is text"),
        ("? [a]\n: 1", "a key is text"),
        ("a:\n\tb: 1", "is no YAML in line 2: it is indented by a tab; YAML takes blanks"),
        ("a: 1\n---\nb: 2", "has several documents"),
        ("a: [", "is no YAML in line 2"),
        ("a: 1 b: 2", "is no YAML in line 1"),
        ("a: \x00", "is no YAML"),
        (b"a: \xfc", "is no YAML"),
        (b"\xff\xfe\xff", "is no YAML"),
        ("a: !!python/object:os.system x", "is no YAML in line 1"),
        ("a: !!bool perhaps", "does not fit its tag|is no YAML"),
        ("a: !!int x", "x is no number"),
        ("a: !!binary /w==", "holds no text"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(YamlFault, match=words):
        read_one(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "&a [*a]",
        "a: &a {b: *a}",
        "[" * 100_000,
        "- " * 400,
        "{a: " * 5000,
        "a: " + "9" * 900_000,
        "a: " + "1:" * 400_000 + "1",
        "a: 0x" + "f" * 900_000,
        "a: " + "9" * 900_000 + ".5",
    ],
    ids=range(10),
)
def test_what_would_take_long_or_much_is_refused_at_once(text):
    for read in (read_first, read_one):
        began = time.process_time()
        with pytest.raises(YamlFault):
            read(text.encode())
        assert time.process_time() - began < 3


def test_mappings_that_are_merged_again_and_again_take_no_time():
    began = time.process_time()
    with suppress(YamlFault):  # as PyYAML's version goes
        read_one(MERGE_BOMB.encode())
    assert time.process_time() - began < 3


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode(errors="replace")))
def test_whatever_is_read_is_a_value_or_a_fault(content):
    for read in (read_first, read_one):
        with suppress(YamlFault):
            read(content)


def test_binary_and_dates_are_text_to_kubectl():
    assert read_first(b"a: !!binary aGFsbG8=\nb: 2026-01-01") == {"a": "hallo", "b": "2026-01-01"}
    assert read_first(b"a: 1\n---\nb: [") == {"a": 1}
