"""The first cause of a failure in a log: which line, of one rank or of all.

A line that the job survived explains little: where the same rank tells of progress after it, what comes
later is looked for first. The names and weights of lines are in failure_rules.py.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from backend_client.line_prefix import rank_of, strip_launcher
from backend_client.logs.buffer import LogBuffer
from backend_client.logs.failure_rules import AFTERMATH, CAUSE, HARMLESS, SIGN, Rule, classify, suspects

__all__ = [
    "AFTERMATH",
    "CAUSE",
    "SIGN",
    "SURVIVED",
    "Failure",
    "Rule",
    "classify",
    "failures",
    "first_failure",
]

SURVIVED = HARMLESS + 1
"""Added to the weight of a failure after which the job went on."""
_SLICE_SECONDS = 0.008
"""Seconds of work between two keys."""
_WENT_ON = re.compile(
    rb"(?i)\b(?:step|iter|iteration|epoch|batch|loss|update)s?\b[\"']?[ \t]*[:=\[(]?[ \t]*\d"
)
"""What a job that goes on prints."""
_ENOUGH = 2
"""So many lines of progress show that the job went on; one may be its last word."""
_NO_PROGRESS = (b"    ", b"wandb:", b"  File ")
"""How lines of a traceback begin, and those of a summary at the end."""
_TRACEBACK = b"Traceback (most recent call last)"
_RAISED = re.compile(
    rb"[\s|]{0,12}(?:(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*"
    rb"|[A-Z][A-Za-z0-9]*[a-z]\w*)(?:\([^()]{0,80}\))?(?::[ \t]|:?$)"
)
"""The last line of a traceback: an exception of any name, "acme.BadBatch: no labels"."""
_RAISED_RULE = Rule("exception", CAUSE, (), re.compile(b""))
_IGNORED = (b"Exception ignored ", b"--- Logging error ---")
"""What stands before the traceback of an exception that ends nothing."""
_MOST_FRAMES = 400
"""Lines of one traceback."""


class Failure(NamedTuple):
    """A failure that a line reports; the smallest is the first cause."""

    weight: int
    number: int
    message: str


def failures(block: bytes) -> Iterator[Failure]:
    """Yield the failures in a block of lines joined by newlines, in order; their numbers count from 0."""
    yield from _failures(block, lambda _: 0, Counter())


async def first_failure(buffer: LogBuffer, rank: int | None = None) -> Failure | None:
    """Find the first cause in a log, of one rank or of all; else the first sign of one."""
    best: Failure | None = None
    went_on: Counter[int] = Counter()
    turn = time.monotonic()
    for block in buffer.blocks():
        indices = None if rank is None else block.of_rank(rank)
        for failure in _failures(bytes(block.text), block.rank_at, went_on):
            if indices is None or failure.number in indices:
                numbered = failure._replace(number=block.first + failure.number)
                best = min(best or numbered, numbered)
        if time.monotonic() - turn > _SLICE_SECONDS:
            await asyncio.sleep(0)
            turn = time.monotonic()
    return best


def _failures(text: bytes, rank_at: Callable[[int], int], went_on: Counter[int]) -> list[Failure]:
    """Return the failures in a block of lines, in order.

    `rank_at` returns the rank whose log has the line of a number. `went_on` counts the lines of progress of
    each rank in later blocks; those of this one are added.
    """
    found = list(_reported(text))
    reported = {number for number, _, _ in found}
    progress: dict[int, list[int]] = {}
    for number, start in _lines_of_progress(text):
        if number not in reported:
            progress.setdefault(rank_of(_line(text, start)) or rank_at(number), []).append(number)
            if not found and len(progress) == 1 and len(*progress.values()) >= _ENOUGH:
                break
    result = []
    for number, start, rule in found:
        rank = rank_of(_line(text, start)) or rank_at(number)
        later = went_on[rank] + sum(after > number for after in progress.get(rank, ()))
        result.append(Failure(rule.weight + SURVIVED * (later >= _ENOUGH), number, rule.message))
    went_on.update({rank: len(numbers) for rank, numbers in progress.items()})
    return result


def _reported(text: bytes) -> Iterator[tuple[int, int, Rule]]:
    """Yield (number, offset, rule) of each line that reports a failure."""
    starts = suspects(text)
    raised, ignored = set(), []
    for start in starts:
        if _TRACEBACK in _line(text, start):
            end = _raised_at(text, start)
            before = text.rfind(b"\n", 0, max(0, start - 1)) + 1
            if strip_launcher(_line(text, before)).startswith(_IGNORED):
                ignored.append(range(start, max(start, end) + 1))
            elif end >= 0:
                raised.add(end)
                ending = classify(_line(text, end))
                if ending and ending.weight == AFTERMATH:  # the traceback says no more than its last line
                    ignored.append(range(start, start + 1))
    number, at = 0, 0
    for start in sorted({*starts, *raised}):
        number += text.count(b"\n", at, start)
        at = start
        rule = classify(_line(text, start)) or (_RAISED_RULE if start in raised else None)
        if rule and not any(start in span for span in ignored):
            yield number, start, rule


def _raised_at(text: bytes, start: int) -> int:
    """Return the offset of the line that ends a traceback with its exception; -1 where it is not there."""
    rank = rank_of(_line(text, start))
    for _ in range(_MOST_FRAMES):
        start = text.find(b"\n", start) + 1
        if not start:
            break
        line = _line(text, start)
        if _TRACEBACK in line:
            break
        if _RAISED.match(strip_launcher(line)) and rank_of(line) == rank and not _WENT_ON.search(line):
            return start
    return -1


def _lines_of_progress(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield (number, offset) of each line that tells of a step, an epoch or a loss; no bar, no line of code.

    A bar is drawn once more when the program that shows it has failed.
    """
    number, at, last = 0, 0, -1
    for match in _WENT_ON.finditer(text):
        start = text.rfind(b"\n", 0, match.start()) + 1
        line = _line(text, start)
        if start == last or line.startswith(_NO_PROGRESS) or b"%|" in line:
            continue
        number += text.count(b"\n", at, start)
        at = last = start
        yield number, start


def _line(text: bytes, start: int) -> bytes:
    end = text.find(b"\n", start)
    return text[start : len(text) if end < 0 else end]
