"""Give a script in a job its input, and learn from what it prints how its work ended."""

import asyncio
import re
from collections.abc import Coroutine
from typing import Any

from backend_client.copying.failures import failure
from backend_client.copying.job_files import JobFiles
from backend_client.exec_session import ExecSession

_MOST = 64 * 1024
_TOLD = re.compile(rb"^end (\d+)\n\Z", re.MULTILINE)


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
    printed = b""
    while piece := await session.receive():
        printed = (printed + piece[1])[-_MOST:]
        if (told := _TOLD.search(printed)) and told[1] != b"0":
            break
    else:
        if not files.code_of(session.ending, printed.decode(errors="replace")):
            return
    raise failure(files.name, path, "written", _TOLD.sub(b"", printed).decode(errors="replace"))
