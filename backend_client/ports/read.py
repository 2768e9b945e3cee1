"""Looks for the ports of a job: in its log, else in its spec."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from backend_client.errors import BackendError
from backend_client.logs.text import sanitize_line
from backend_client.models import Job
from backend_client.ports.found import FoundPort, find_ports, named_port
from backend_client.protocol import JobBackend, Lines, LogQuery

_FIRST_LINES = 5000
"""Servers tell where they listen at their start."""
_LAST_LINES = 2000
_LONGEST = 4000


async def ports_of(backend: JobBackend, job: Job, rank: int = 0) -> list[FoundPort]:
    """Return the ports that a job tells of in its log, then those of its spec. Raises a BackendError.

    Where its log cannot be read, those of its spec alone; the error where that has none either.
    """
    named = [named_port(port.target or port.number, port.name) for port in job.spec.ports]
    pods = {attempt.pod for attempt in job.attempts}
    try:
        lines = [line async for line in _lines(backend, job, rank)]
    except BackendError:
        if named:
            return named
        raise
    found = find_ports(lines, pods)
    told = {port.number for port in found}
    return [*found, *(port for port in named if port.number not in told)]


async def _lines(backend: JobBackend, job: Job, rank: int) -> AsyncIterator[str]:
    """Yield the first lines and, of a longer log, the last ones."""
    count = 0
    for tail in (None, _LAST_LINES):
        query = LogQuery(ref=job.ref, rank=rank, tail=tail)
        async with aclosing(backend.logs(query)) as batches:  # type: ignore[type-var]
            async for batch in batches:
                for item in batch:
                    if isinstance(item, Lines):
                        count += len(item.lines)
                        for line in item.lines:
                            yield sanitize_line(line[:_LONGEST])[0]
                if tail is None and count > _FIRST_LINES:
                    break
        if count <= _FIRST_LINES:
            return
