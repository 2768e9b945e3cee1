"""Saves a log: every byte of it, into a file that only its owner can read."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from backend_client.errors import BackendError, Refused
from backend_client.models import JobRef
from backend_client.protocol import Closed, JobBackend, Lines, LogQuery


async def save_log(backend: JobBackend, ref: JobRef, path: Path, *, overwrite: bool = False) -> int:
    """Write the raw log of the newest attempt into a file. Return the number of bytes.

    Raises FileExistsError where the file is there and `overwrite` is not set, other OSErrors, BackendErrors.
    A file that was not finished stays, and the error says so.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if overwrite else os.O_EXCL)
    written, unfinished = 0, False
    # Threads: the file may lie on a slow network disk, and no key waits for a disk.
    file = await asyncio.to_thread(os.fdopen, await asyncio.to_thread(os.open, path, flags, 0o600), "wb")
    try:
        os.fchmod(file.fileno(), 0o600)
        async for batch in backend.logs(LogQuery(ref=ref)):
            for item in batch:
                if isinstance(item, Lines) and item.lines:
                    joined = b"\n" * (unfinished and not item.continues) + b"\n".join(item.lines)
                    joined += b"" if item.open else b"\n"
                    unfinished = item.open
                    await asyncio.to_thread(file.write, joined)
                    written += len(joined)
                elif isinstance(item, Closed) and item.lost:
                    raise Refused(
                        f"The log broke off: {item.why}.", f"{path} has its first {written:,} bytes."
                    )
    except BackendError as error:
        error.hint = error.hint or f"{path} has its first {written:,} bytes."
        raise
    finally:
        with suppress(OSError):
            await asyncio.to_thread(file.close)
    return written
