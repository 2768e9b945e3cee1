"""Amounts that people write are read; those that nothing has are refused, by name and in no time."""

import time
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend_client.errors import Invalid
from backend_client.models.fields import FIELD_NAMES, parse_field, parse_spec
from backend_client.models.names import natural_key
from backend_client.models.parsers import LONGEST_WORD
from backend_client.models.quantities import memory_meaning

AT_ONCE = 0.5
"""Seconds of CPU: a hundred times what the slowest takes, and nothing beside what a blow-up takes."""


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("memory", "64Gi", "64Gi"),
        ("memory", "500Mi", "500Mi"),
        ("memory", "64G", "64G"),
        ("memory", "64gb", "64G"),
        ("memory", "64 GB", "64G"),
        ("memory", "64GiB", "64Gi"),
        ("memory", "1 TiB", "1Ti"),
        ("memory", "1.5 tib", "1.5Ti"),
        ("memory", "1K", "1k"),
        ("memory", "1Ki", "1Ki"),
        ("memory", "1Pi", "1Pi"),
        ("memory", "1e9", "1e9"),
        ("memory", 1024, "1024"),
        ("shm_size", "8 gib", "8Gi"),
        ("cpu", "500m", "500m"),
        ("cpu", "8 cores", "8"),
        ("cpu", 0.5, "0.5"),
        ("max_runtime", "2h30", 9000),
        ("max_runtime", "1.5h", 5400),
        ("max_runtime", "90m", 5400),
        ("max_runtime", "1d12h", 129600),
        ("max_runtime", "1d 12h", 129600),
        ("max_runtime", "2 hours", 7200),
        ("max_runtime", "1 week", 604800),
        ("max_runtime", "10 min", 600),
        ("max_runtime", "36:00:00", 129600),
        ("max_runtime", "1-12:00:00", 129600),
        ("max_runtime", "90", 90),
        ("max_runtime", "3650d", 315360000),
        ("gpus", "1024", 1024),
        ("nodes", 10_000, 10_000),
        ("retries", "1000", 1000),
    ],
)
def test_what_people_write_is_read(name, written, value):
    assert parse_field(name, written) == value


NOTHING_HAS = [
    *(
        (name, written, words)
        for name, example in (("cpu", "500m or 8"), ("memory", "64Gi"), ("shm_size", "64Gi"))
        for written, words in (
            ("1e99999999", f"write it like {example}"),
            ("1E+99999999", f"write it like {example}"),
            ("1e99", "no machine has that m"),
            ("9" * 50, "no machine has that m"),
            ("9" * 1_000_000, "at most|no amount"),
            ("1" + "0" * 63, "no machine"),
            ("999999999999999999999Ei", "no machine|not a"),
            ("-1", "write it like"),
            ("0", "more than 0"),
            ("0.0", "more than 0"),
            ("NaN", "write it like"),
            ("inf", "write it like"),
            ("\u0663", "write it like"),
            (10**5000, "no such number"),
            (float("inf"), "write it like"),
            (1e300, "write it like|no machine"),
            ([1], "write text here, not a list"),
            (date(2026, 1, 1), "a date or time; put it in quotes"),
        )
    ),
    ("memory", "500m", "write 500Mi"),
    ("memory", "2Pi", "at most 1Pi"),
    ("cpu", "0.0001", "1m"),
    ("cpu", "1n", "write it like"),
    ("cpu", "10001", "at most 10000"),
    ("max_runtime", "99999999999d", "ten years"),
    ("max_runtime", "3651d", "ten years"),
    ("max_runtime", "9" * 30, "ten years"),
    ("max_runtime", "9" * 100, "no time has"),
    ("max_runtime", "1e99", "write seconds"),
    ("max_runtime", "-5", "write seconds"),
    ("max_runtime", "0.5", "whole seconds"),
    ("max_runtime", "1d30", "write seconds"),
    ("max_runtime", "1:30", "write seconds"),
    ("max_runtime", "30m2h", "write seconds"),
    ("max_runtime", "2h30x", "write seconds"),
    ("gpus", 10**9, "at most 1024 GPUs"),
    ("gpus", 1025, "at most 1024 GPUs"),
    ("gpus", 10**30, "no such number"),
    ("gpus", "9" * 5000, "at most 1024 GPUs"),
    ("gpus", "1e3", "a whole number"),
    ("gpus", 0.5, "a whole number"),
    ("gpus", "\u0663", "a whole number"),
    ("nodes", 10**6, "at most 10000 nodes"),
    ("replicas", 10**9, "at most 10000 replicas"),
    ("retries", 2**31, "at most 1000 retries"),
    ("retries", -1, "0 or more"),
    ("ports", 10**5000, "no such number"),
    ("ports", "9" * 5000, "write 8080"),
    ("ports", [{"number": 10**5000}], "from 1 to 65535"),
    ("ports", -1, "write 8080"),
    ("ports", list(range(1, 1002)), "at most 1000"),
    ("name", "a" * 100_000, "at most 63 characters"),
    ("name", 10**5000, "no such number"),
    ("namespace", "A" * 100_000, "at most 63"),
    ("priority", "a" * 300, "at most 253"),
    ("priority", "a." * 50_000, "at most"),
    ("image", "a" * 513, "at most 512"),
    ("workdir", "/" * 5000, "at most 4096"),
    ("labels", {"a": "b" * 64}, "at most 63"),
    ("labels", {"a" * 100_000: "b"}, "at most 63"),
    ("labels", {f"{'a.' * 50_000}/x": "b"}, "at most 63"),
    ("annotations", {"a": "b" * 300_000}, "256 KiB"),
    ("env", {"A": "x" * (LONGEST_WORD + 1)}, "bytes; a program is given"),
    ("env", {f"A{n}": "x" * 100_000 for n in range(9)}, "bytes in all"),
    ("env", {"A" * 300: "x"}, "a variable is letters"),
    ("env", {"A": None}, 'A: write text here, not nothing; write "" for an empty one'),
    ("env", {"A": 10**5000}, "A: no such number"),
    ("command", ["x", "y" * (LONGEST_WORD + 1)], "a program is given"),
    ("command", ["x"] + ["y" * 100_000] * 9, "bytes in all"),
    ("command", ["x", 10**5000], "no such number"),
    ("command", "x " * 200_000, "in one line"),
    ("secrets", [f"A{n}" for n in range(1001)], "at most 1000"),
    ("volumes", [f"a:/{n}" for n in range(1001)], "at most 1000"),
]


@pytest.mark.parametrize(
    ("name", "written", "words"),
    NOTHING_HAS,
    ids=[f"{name}-{number}" for number, (name, *_) in enumerate(NOTHING_HAS)],
)
def test_what_nothing_has_is_refused_at_once(name, written, words):
    began = time.process_time()
    with pytest.raises(ValueError, match=words) as refused:
        parse_field(name, written)
    assert time.process_time() - began < AT_ONCE
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", FIELD_NAMES)
@pytest.mark.parametrize(
    "piece", ["9", "a", "a.", "1:", "-", "=", " ", "'", "\\", "1e", ".", "a-", "1h", "Gi", ","]
)
def test_no_text_takes_long(name, piece):
    began = time.process_time()
    with suppress(ValueError):
        parse_field(name, piece * (100_000 // len(piece)) + "!")
    assert time.process_time() - began < AT_ONCE * 2


@settings(max_examples=200)
@given(
    st.sampled_from(["cpu", "memory", "max_runtime"]),
    st.text("0123456789.eEkKMmGgTPiIbBdhs :-+", max_size=20),
)
def test_what_is_read_is_read_again_as_the_same(name, written):
    try:
        value = parse_field(name, written)
    except ValueError:
        return
    assert parse_field(name, value) == value


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("64G", "is 59.6Gi; write 64Gi"),
        ("500M", "476.8Mi"),
        ("1k", "1.0Ki"),
        ("64Gi", ""),
        ("1e9", ""),
        ("512", ""),
    ],
)
def test_what_an_amount_means(written, meaning):
    assert meaning in memory_meaning(written)
    assert bool(memory_meaning(written)) == bool(meaning)


def test_numbers_in_names_are_counted():
    names = ["td-10", "td-2", "td", "td-2b", "10", "9", "a", "td-1-10", "td-1-9", "td-02", "b1"]
    assert sorted(names, key=natural_key) == [
        *("9", "10", "a", "b1", "td", "td-1-9", "td-1-10", "td-2", "td-02", "td-2b", "td-10")
    ]


def test_many_unknown_fields_are_one_error_at_once():
    began = time.process_time()
    with pytest.raises(Invalid) as refused:
        parse_spec({f"field{number}": 1 for number in range(10_000)} | {"x" * 10**6: 1})
    assert time.process_time() - began < AT_ONCE
    assert refused.value.fields == {"field0": "there is no such field, nor 10000 others"}
