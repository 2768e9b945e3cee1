"""Ends of jobs (first_errors.jsonl) and which of their lines is the first cause."""

# ruff: noqa: E501

import json
import time
from pathlib import Path

import pytest

from backend_client.logs import LogBuffer
from backend_client.logs.failures import failures, first_failure
from backend_client.protocol import Lines, LogSource
from tests.backend_client.progress.test_libraries import PREFIXES

CASES = [json.loads(line) for line in (Path(__file__).parent / "first_errors.jsonl").read_text().splitlines()]


def one_of(case) -> list[int | None]:
    return case["lines"] or [None]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"].split("\n")[-1][:60])
async def test_the_first_cause(case):
    found = min(failures(case["text"].encode()), default=None)
    assert (found.number if found else None) in one_of(case)
    buffer = LogBuffer()
    lines = case["text"].encode().split(b"\n")
    for line in lines:
        buffer.append([Lines(source=LogSource(1, 0), lines=[line], times=[1])])
    found = await first_failure(buffer)
    assert (found.number if found else None) in one_of(case)


@pytest.mark.parametrize("prefix", [prefix for prefix in PREFIXES if "\x1b" not in prefix])
@pytest.mark.parametrize("line", ["ValueError: bad sample", "Segmentation fault (core dumped)"])
def test_a_launchers_prefix_hides_no_error(prefix, line):
    if "INFO" in prefix.upper() or "solver" in prefix:  # a logger's line is no exception that was raised
        return
    assert [found.number for found in failures(f"x\n{prefix}{line}".encode())] == [1]


@pytest.mark.parametrize(
    "piece",
    [b"Error", b"Error: ", b"a.", b"Traceback (most recent call last)", b"step 1 ", b"[rank1]: ", b"sh: ", b"error: ", b" | ",
     b"Permission denied ", b"not found", b"Error\n", b"Traceback (most recent call last):\n", b"In '", b"WARN", b"a: ", b"cd: "],
)  # fmt: skip
def test_a_hostile_log_costs_little(piece):
    for block in (piece * (60_000 // len(piece)), (piece * (990 // len(piece)) + b"\n") * 60):
        start = time.process_time()
        list(failures(block))
        assert time.process_time() - start < 2.0


async def test_a_cause_in_a_block_before_is_survived_where_the_rank_went_on_in_a_later_one():
    filler = [b"filler " + b"x" * 500] * 2000
    said = [b"requests.exceptions.ReadTimeout: no answer", b"RuntimeError: first", *filler]
    went_on = [b"step 10 loss 0.5", b"step 20 loss 0.4", *filler, b"RuntimeError: second", b"Killed"]
    for ranks, number in (((0, 0), 2 + 2000 + 2 + 2000), ((1, 0), 1)):
        buffer = LogBuffer()
        for rank, lines in zip(ranks, (said, went_on), strict=True):
            buffer.append([Lines(source=LogSource(1, rank), lines=lines, times=[1] * len(lines))])
        assert (await first_failure(buffer)).number == number
    only = LogBuffer()
    only.append([Lines(source=LogSource(1, 0), lines=[*said, *went_on[:2]], times=[1] * 2004)])
    assert (await first_failure(only)).number == 1, "better a survived one than none"
