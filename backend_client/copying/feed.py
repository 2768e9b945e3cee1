"""Give a script in a job its input, and learn from what it prints how its work ended."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from backend_client.copying.failures import failure
from backend_client.copying.job_files import JobFiles
from backend_client.exec_session import ExecChannel, ExecSession

_MOST = 64 * 1024
_WELL = b"end 0\n"


async def feed(files: JobFiles, session: ExecSession, giving: Coroutine[Any, Any, None], path: str) -> None:
    """Do the giving, and wait for the script's end. A script that fails is not given the rest.

    Raises a BackendError, and what `giving` raises.
    """
    heard = asyncio.create_task(_hear(files, session, path))
    given = asyncio.create_task(giving)
    try:
        await asyncio.wait((heard, given), return_when=asyncio.FIRST_COMPLETED)
        if given.done() and not heard.done():
            given.result()
        await heard
    finally:
        for task in (heard, given):
            task.cancel()
        await asyncio.gather(heard, given, return_exceptions=True)


async def _hear(files: JobFiles, session: ExecSession, path: str) -> None:
    """Return when a script has ended well. It tells how its work ended before it has taken all its input."""
    out = err = b""
    while piece := await session.receive():
        if piece[0] is ExecChannel.STDERR:
            err = (err + piece[1])[:_MOST]
        else:
            out += piece[1]
        if out.endswith(b"\n") and out != _WELL:
            break
    else:
        if not files.code_of(session.ending, err.decode(errors="replace")):
            return
    raise failure(files.name, path, "written", err.decode(errors="replace"))
