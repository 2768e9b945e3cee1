"""Lines that say why a program failed: a table, and the first cause in a block of lines.

A cause (an exception, a CUDA error, no memory) weighs more than what it led to in other ranks or in the
launcher (a connection that was reset, torchrun's summary), even where that was written first.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from backend_client.logs.buffer import LogBuffer

CAUSE, SIGN, AFTERMATH = range(3)
"""How much a line explains: the smaller, the more."""
_SLICE_SECONDS = 0.008
"""Seconds of work between two keys."""
_LONGEST = 1_000
"""Bytes of a line that are searched."""
_BEFORE = rb"^(?:\S*rank\s?\d+\S*[:\s]\s*|\[\w+\d+\]:?\s*|\d+:\s+)?"
"""What a launcher puts before a line: "[rank3]: ", "[default0]:", "2: "."""


class Rule(NamedTuple):
    """A line that has one of `needles` and matches `pattern` reports the failure that `message` names."""

    message: str
    weight: int
    needles: tuple[bytes, ...]
    pattern: re.Pattern[bytes]


def _rule(message: str, weight: int, needles: bytes, pattern: bytes = b"") -> Rule:
    return Rule(message, weight, tuple(needles.split(b"|")), re.compile(pattern))


RULES = (
    _rule("torchrun's summary", AFTERMATH, b"ChildFailedError"),
    _rule(
        "interrupted", AFTERMATH, b"KeyboardInterrupt|SystemExit|SignalException", _BEFORE + rb"[\w.]+(?::|$)"
    ),
    _rule(
        "another rank went away",
        AFTERMATH,
        b"onnection reset by peer|onnection closed by|roken pipe|ncclRemoteError|remote process exited"
        b"|ncclSystemError|unhandled system error|DistStoreError|store->get",
    ),
    _rule(
        "an exit code",
        AFTERMATH,
        b"failed (exitcode|exited with code|exit code",
        rb"(?:exit ?code|code)\W+[1-9-]",
    ),
    _rule(
        "out of GPU memory",
        CAUSE,
        b"CUDA out of memory|OutOfMemoryError|HIP out of memory|RESOURCE_EXHAUSTED",
    ),
    _rule(
        "out of memory",
        CAUSE,
        b"Cannot allocate memory|MemoryError|oom-kill|OOMKilled|oom_kill|Out of memory: Killed"
        b"|std::bad_alloc|insufficient shared memory|DefaultCPUAllocator",
    ),
    _rule(
        "CUDA",
        CAUSE,
        b"CUDA error|CUDA driver error|cudaError|CUBLAS_STATUS_|CUDNN_STATUS_|device-side assert"
        b"|NVIDIA driver on your system|no CUDA-capable device|Found no NVIDIA driver",
        rb"^(?!.*(?:register|cudaErrorSuccess|STATUS_SUCCESS|TORCH_USE_CUDA_DSA))",
    ),
    _rule("GPU fault (Xid)", CAUSE, b"NVRM: Xid|uncorrectable ECC"),
    _rule(
        "NCCL", CAUSE, b"NCCL error|ncclInternalError|ncclUnhandledCudaError|ncclInvalidUsage|Watchdog caught"
    ),
    _rule("failed assertion", CAUSE, b"Assertion|assertion", rb"ssertion .*\bfailed|ssertion failed"),
    _rule(
        "crash",
        CAUSE,
        b"egmentation fault|SIGSEGV|SIGBUS|Bus error|Fatal Python error|terminate called|core dumped"
        b"|llegal instruction|*** Aborted|double free or corruption|stack smashing",
    ),
    _rule("disk full", CAUSE, b"No space left on device|Disk quota exceeded"),
    _rule("not found", CAUSE, b"ommand not found|can't open file"),
    _rule("wrong arguments", CAUSE, b": error: ", rb"^\S+: error: (?!Detected)"),
    _rule(
        "exception",
        CAUSE,
        b"Error|Exception|StopIteration",
        _BEFORE + rb"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|StopIteration)(?:: |:?$)",
    ),
    _rule("panic", CAUSE, b"panicked at|panic: "),
    _rule("killed", SIGN, b"Killed", rb"(?:^|:\s|\d\s)Killed\b"),
    _rule("NCCL's warning", SIGN, b"NCCL WARN"),
    _rule("no such file", SIGN, b"No such file or directory"),
    _rule("traceback", SIGN, b"Traceback (most recent"),
    _rule("error", SIGN, b"ERROR|FATAL|CRITICAL", rb"\b(?:FATAL|CRITICAL)\b|^.{0,60}\bERROR\b(?!.*\bpip\b)"),
)


class Failure(NamedTuple):
    """A failure that a line reports; the smallest is the first cause."""

    weight: int
    number: int
    message: str


def classify(line: bytes) -> Rule | None:
    """Return the first rule of the table that fits a line; None where it reports no failure."""
    line = line[:_LONGEST]
    fitting = (rule for rule in RULES if any(needle in line for needle in rule.needles))
    return next((rule for rule in fitting if rule.pattern.search(line)), None)


def failures(block: bytes) -> Iterator[Failure]:
    """Yield the failures in a block of lines joined by newlines, in order; their numbers count from 0."""
    index, at = 0, 0
    for start in _suspects(block):
        index += block.count(b"\n", at, start)
        at = start
        end = block.find(b"\n", start)
        if rule := classify(block[start : len(block) if end < 0 else end]):
            yield Failure(rule.weight, index, rule.message)


def _suspects(block: bytes) -> list[int]:
    """Return the offsets of the lines that have a needle in them: quick, as most lines have none."""
    starts = set()
    for needle in {needle for rule in RULES for needle in rule.needles}:
        position = block.find(needle)
        while position >= 0:
            starts.add(block.rfind(b"\n", 0, position) + 1)
            end = block.find(b"\n", position)
            position = block.find(needle, end) if end >= 0 else -1
    return sorted(starts)


async def first_failure(buffer: LogBuffer, rank: int | None = None) -> Failure | None:
    """Find the first cause in a log, of one rank or of all; else the first sign of one."""
    best: Failure | None = None
    turn = time.monotonic()
    for block in reversed(list(buffer.blocks())):
        indices = None if rank is None else block.of_rank(rank)
        for failure in failures(bytes(block.text)):
            if indices is None or failure.number in indices:
                numbered = failure._replace(number=block.first + failure.number)
                best = min(best or numbered, numbered)
        if best and best.weight == CAUSE:
            break
        if time.monotonic() - turn > _SLICE_SECONDS:
            await asyncio.sleep(0)
            turn = time.monotonic()
    return best
