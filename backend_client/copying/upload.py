"""Copy a file of this machine into a running job."""

import asyncio
import os
from pathlib import Path
from typing import BinaryIO

from backend_client.copying.checksums import checksum
from backend_client.copying.failures import differs, has_changed
from backend_client.copying.feed import feed
from backend_client.copying.job_files import JobFiles
from backend_client.copying.part_file import part_name
from backend_client.copying.persistence import persist
from backend_client.copying.scripts import BLOCK, DISCARD, FINISH, PART_SIZE, WRITE
from backend_client.errors import Unreachable
from backend_client.exec_session import ExecSession
from backend_client.text.figures import bytes_text

_PIECE = 256 * 1024


async def upload_file(files: JobFiles, local: Path, path: str) -> None:
    """Copy a file, with its permissions; what was there is replaced when the copy is whole.

    An earlier, broken copy goes on. Raises a BackendError; OSError of this machine's disk.
    """
    with await asyncio.to_thread(local.open, "rb") as file:
        await _Upload(files, local, file, path).run()


class _Upload:
    def __init__(self, files: JobFiles, local: Path, file: BinaryIO, path: str) -> None:
        self._files, self._local, self._file, self._path = files, local, file, path
        self._found = _version(file)
        self._size = os.fstat(file.fileno()).st_size
        self._part = part_name(path.rpartition("/")[2], local.absolute(), *self._found)
        self._sent = 0

    async def run(self) -> None:
        files = self._files
        await persist(self._give_all, files.watcher, done=lambda: self._sent)
        theirs = await files.checksum(self._path, self._part)
        if _version(self._file) != self._found:
            await files.run(DISCARD, self._path, self._part)
            raise has_changed(str(self._local))
        if await asyncio.to_thread(checksum, self._file, theirs) != theirs:
            await files.run(DISCARD, self._path, self._part)
            raise differs(str(self._local))
        mode = f"{os.fstat(self._file.fileno()).st_mode & 0o777:o}"
        await files.done(self._path, FINISH, self._part, mode, str(self._size))

    async def _give_all(self) -> None:
        """Send what is missing there. Raises Unreachable where not all has arrived."""
        (there, goes_on), first = await self._there(), not self._sent
        blocks = there // BLOCK if goes_on and there <= self._size else 0
        if blocks and first:
            about = f"{bytes_text(there)} of {bytes_text(self._size)}"
            self._files.watcher.say(f"Going on behind {about} that are there already.")
        if there != self._size or not self._size:
            await self._give(blocks)
        there, _ = await self._there()
        if there != self._size:
            self._sent = there
            if _version(self._file) != self._found:
                return  # `run` says so
            if there > self._size:
                await self._files.run(DISCARD, self._path, self._part)
            raise Unreachable(f"The end of {self._local} did not arrive.")

    async def _there(self) -> tuple[int, bool]:
        """Return how much of it is there, and whether the job has what it takes to go on behind that."""
        size, *dd = (await self._files.done(self._path, PART_SIZE, self._part)).split()
        return int(size), bool(dd)

    async def _give(self, blocks: int) -> None:
        words = (self._path, self._part, str(blocks))
        async with self._files.open(WRITE, *words, stdin=True) as session:
            await feed(self._files, session, self._send(session, blocks * BLOCK), self._path)

    async def _send(self, session: ExecSession, start: int) -> None:
        self._file.seek(start)
        self._sent = start
        while self._sent < self._size:
            data = await asyncio.to_thread(self._file.read, min(_PIECE, self._size - self._sent))
            if not data:
                break
            await session.send(data)
            self._sent += len(data)
            self._files.watcher.show(self._sent, self._size)
        await session.end_input()


def _version(file: BinaryIO) -> tuple[int, ...]:
    """Return what tells one version of an open file from another."""
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
