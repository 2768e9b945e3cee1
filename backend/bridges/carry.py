"""Carries a bridge until its work ends, the client goes, or the login or the server ends it."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from backend.auth.caller import HINT
from backend.auth.stream_revocation import Goodbye
from backend.bridges.client import Client, ClientLeft, fail
from backend_client.errors import BackendError, LoginNeeded, Unreachable, fragment, sentence
from backend_client.server.wire import Bye

PARTING_SECONDS = 0.2
"""Seconds that a client whose login has ended has to take the last word; `TELLING_SECONDS`: any other."""
TELLING_SECONDS = 10.0
LEFT = "the client left"


async def carry(client: Client, bye: Goodbye, work: Coroutine[Any, Any, None]) -> str:
    """Do the work of a bridge, and tell the client what breaks it; return what cut it short, "" for nothing.

    `work` is cancelled where the client or the login has ended before it.
    """
    working, gone = asyncio.create_task(work), asyncio.create_task(client.wait_gone())
    either: set[asyncio.Future[Any]] = {working, gone, bye}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return await _result(client, working)
        if not bye.done():
            return LEFT
        await _tell(client, _parting(bye.result()), PARTING_SECONDS)
        return bye.result().why
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _result(client: Client, working: asyncio.Task[None]) -> str:
    try:
        working.result()
    except ClientLeft:
        return LEFT
    except BackendError as error:
        await _tell(client, error, TELLING_SECONDS)
        return fragment(error.title)
    return ""


async def _tell(client: Client, error: BackendError, seconds: float) -> None:
    """Tell a client why its bridge ends, where it takes that."""
    with contextlib.suppress(ClientLeft, TimeoutError):
        async with asyncio.timeout(seconds):
            await fail(client, error)


def _parting(bye: Bye) -> BackendError:
    title = sentence(f"{bye.why[:1].upper()}{bye.why[1:]}")
    return LoginNeeded(title, HINT) if bye.login else Unreachable(title)


async def both_ways(down: Coroutine[Any, Any, None], up: Coroutine[Any, Any, None]) -> None:
    """Carry both ways at once until one of them has ended, and raise what ended it."""
    tasks = [asyncio.create_task(down), asyncio.create_task(up)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:  # how the job's side has ended tells more
            if task.done():
                return task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
