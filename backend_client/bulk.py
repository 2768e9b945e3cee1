"""One action on many jobs: each by itself, some at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from backend_client.errors import BackendError
from backend_client.models import Job

_AT_ONCE = 8


class Failure(NamedTuple):
    """A job on which the action failed, and why."""

    job: Job
    error: BackendError


async def do_all(do: Callable[[Job], Awaitable[object]], jobs: Sequence[Job]) -> list[Failure]:
    """Run an action on each job, some at a time; a failure stops none of the others."""
    room = asyncio.Semaphore(_AT_ONCE)
    failures: list[Failure] = []

    async def run(job: Job) -> None:
        async with room:
            try:
                await do(job)
            except BackendError as error:
                failures.append(Failure(job, error))

    await asyncio.gather(*map(run, jobs))
    return failures
