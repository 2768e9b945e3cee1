"""What a line that tells of a failure tells: which kind it is, and the figures in it (pure).

The words are those of PyTorch (c10/cuda/CUDACachingAllocator.cpp, torch/utils/data/_utils/signal_handling),
XLA, NCCL, CPython and libc; a line that none of these wrote has no kind.
"""

import re
from collections.abc import Callable, Iterator

Facts = Callable[[re.Match[str], str], Iterator[str]]

_SIZE = r"(\d[\d.]{0,15} ?(?:[KMGT]i?B|bytes))"
_TRIED = re.compile(rf"(?:[Tt]ried to allocate|trying to allocate|Unable to allocate) {_SIZE}")
_TOTAL_FREE = re.compile(rf"total capaci?ty of {_SIZE} of which {_SIZE} is free")
_TOTAL_FREE_BEFORE_2_1 = re.compile(rf"; {_SIZE} total capacity;.{{0,80}}?; {_SIZE} free;")


def _sizes(_: re.Match[str], line: str) -> Iterator[str]:
    if tried := _TRIED.search(line):
        yield f"tried to allocate {tried[1]}"
    if room := _TOTAL_FREE.search(line) or _TOTAL_FREE_BEFORE_2_1.search(line):
        yield f"the GPU has {room[1]}, of which {room[2]} were free"


def _module(match: re.Match[str], _: str) -> Iterator[str]:
    yield f"the Python module {match[1]} is not installed there"


def _file(match: re.Match[str], _: str) -> Iterator[str]:
    yield f"there was no {next(filter(None, match.groups()))}"


def _nothing(_: re.Match[str], __: str) -> Iterator[str]:
    yield from ()


_KINDS: tuple[tuple[str, str, Facts], ...] = (
    ("shm", r"out of shared memory|insufficient shared memory|shared memory \(shm\)|/dev/shm", _nothing),
    (
        "gpu-memory",
        (
            r"(?:CUDA|HIP) out of memory|OutOfMemoryError|RESOURCE_EXHAUSTED: .*[Oo]ut of memory"
            r"|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation"
        ),
        _sizes,
    ),
    ("memory", r"\bMemoryError\b|std::bad_alloc|Cannot allocate memory|DefaultCPUAllocator", _sizes),
    ("disk", r"No space left on device|[Dd]isk quota exceeded", _nothing),
    (
        "nccl",
        (
            r"\bNCCL (?:error|timeout)|\bnccl(?:Internal|Remote|System|UnhandledCuda)Error|ncclInvalidUsage"
            r"|ProcessGroupNCCL|Watchdog caught collective"
        ),
        _nothing,
    ),
    ("module", r"No module named '?([\w.]{1,200})", _module),
    ("nan", r"(?i)\bloss (?:is|became) (?:nan|inf|not finite)|non-finite loss|\bnan loss", _nothing),
    (
        "file",
        r"No such file or directory: '([^']{1,500})'|can't open file '([^']{1,500})': \[Errno 2\]",
        _file,
    ),
)
_PATTERNS = tuple((kind, re.compile(pattern), facts) for kind, pattern, facts in _KINDS)
_LONGEST = 4_000
"""Characters of a line that are searched."""


def kind_of_line(line: str) -> tuple[str, tuple[str, ...]]:
    """Return the kind of failure that a line reports, as `Failure.kind`, and what else it tells."""
    line = line[:_LONGEST]
    for kind, pattern, facts in _PATTERNS:
        if match := pattern.search(line):
            return kind, tuple(facts(match, line))
    return "", ()
