"""Saves a log, into a file that only its owner can read."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing, suppress
from pathlib import Path
from typing import BinaryIO

from backend_client.errors import BackendError, Refused
from backend_client.logs.plain_text import PlainText
from backend_client.logs.snapshot import until_asked
from backend_client.logs.source_or_copy import source_or_copy
from backend_client.models import Job
from backend_client.protocol import Closed, JobBackend, Lines, LogItem, LogQuery
from backend_client.whole_file import whole_file


async def save_log(
    backend: JobBackend, job: Job, path: Path, *, overwrite: bool = False, several: bool = False
) -> int:
    """Write the log of the newest attempt into a file. Return the number of bytes.

    Of one rank it is every byte as it was written, of `several` whole lines, each behind its rank. Raises
    FileExistsError where the file is there and `overwrite` is not set, other OSErrors, BackendErrors. Of a
    log that breaks off the file has the first bytes, and the error says so; a disk that is full leaves no
    file, and the old one as it was.
    """
    text = PlainText(several=several)
    saving = _Saving(whole_file(path, overwrite=overwrite, mode=0o600))
    broken: BackendError | None = None
    # Threads: the file may lie on a slow network disk, and no key waits for a disk.
    await asyncio.to_thread(saving.open)
    query = LogQuery(ref=job.ref)
    read = until_asked(_all(backend, query))
    try:
        async with aclosing(source_or_copy(read, backend, query, job)) as batches:
            async for batch in batches:
                for item in batch:
                    if isinstance(item, Lines):
                        await asyncio.to_thread(saving.write, text.encode(item))
                    elif isinstance(item, Closed) and item.lost:
                        broken = Refused(f"The log broke off: {item.why}.")
        await asyncio.to_thread(saving.write, text.end())
    except BackendError as error:
        broken = error
    except BaseException:
        await asyncio.to_thread(saving.discard)
        raise
    await asyncio.to_thread(saving.close)
    if broken:
        broken.hint = broken.hint or f"{path} has its first {saving.written:,} bytes."
        raise broken
    return saving.written


async def _all(backend: JobBackend, query: LogQuery) -> AsyncGenerator[Sequence[LogItem]]:
    async for batch in backend.logs(query):
        yield batch


class _Saving:
    """The file while it is written."""

    def __init__(self, opened: AbstractContextManager[BinaryIO]) -> None:
        self.written = 0
        self._stack, self._opened = ExitStack(), opened

    def open(self) -> None:
        self._file = self._stack.enter_context(self._opened)

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.written += len(data)

    def close(self) -> None:
        self._stack.close()

    def discard(self) -> None:
        error = OSError("the log was not saved")
        with suppress(OSError):
            self._stack.__exit__(OSError, error, None)
