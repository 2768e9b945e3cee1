"""Copy a file of a running job to this machine."""

import asyncio
from pathlib import Path

from backend_client.copying.checksums import checksum
from backend_client.copying.failures import differs, failure, has_changed
from backend_client.copying.job_files import JobFiles, Seen
from backend_client.copying.part_file import PartFile
from backend_client.copying.persistence import persist
from backend_client.copying.scripts import BLOCK, READ
from backend_client.errors import Unreachable
from backend_client.exec_session import ExecChannel
from backend_client.text.figures import bytes_text

_BATCH = 1 << 20
"""Bytes that are written at once."""


async def download_file(files: JobFiles, path: str, seen: Seen, target: Path) -> None:
    """Copy a file; what was there is replaced when the copy is whole. An earlier, broken copy goes on.

    Raises a BackendError; OSError of this machine's disk. What has come stays for the next try, unless the
    file was changed, or the copy is not equal to it.
    """
    ref, part_of = files.job.ref, (path, seen.version)
    part = await asyncio.to_thread(
        PartFile, target, ref.context, ref.namespace, ref.uid, files.name, *part_of
    )
    try:
        await _Download(files, path, seen, part).run()
    finally:
        part.close()


class _Download:
    def __init__(self, files: JobFiles, path: str, seen: Seen, part: PartFile) -> None:
        self._files, self._path, self._seen, self._part = files, path, seen, part

    async def run(self) -> None:
        part, size = self._part, self._seen.size
        if part.size:
            self._files.watcher.say(
                f"Going on behind {bytes_text(part.size)} of {bytes_text(size)} that are here already."
            )
        theirs = asyncio.create_task(self._files.checksum(self._path))
        try:
            await persist(self._take, self._files.watcher, done=lambda: part.size)
            again = await self._files.look(self._path)
            if again.version != self._seen.version or part.size != size:
                part.discard()
                raise has_changed(self._path)
            told = await theirs
        finally:
            theirs.cancel()
            await asyncio.gather(theirs, return_exceptions=True)
        if await asyncio.to_thread(checksum, part.file, told) != told:
            part.discard()
            raise differs(self._path)
        await asyncio.to_thread(part.finish, self._seen.mode)

    async def _take(self) -> None:
        """Read what is missing. Raises Unreachable where it ends too soon."""
        part, files, size = self._part, self._files, self._seen.size
        part.cut(part.size // BLOCK * BLOCK)
        waiting, err = bytearray(), b""
        try:
            async with files.open(READ, self._path, str(part.size // BLOCK)) as session:
                while part.size + len(waiting) <= size and (piece := await session.receive()):
                    if piece[0] is ExecChannel.STDERR:
                        err = (err + piece[1])[:_BATCH]
                        continue
                    waiting += piece[1]
                    if len(waiting) >= _BATCH:
                        whole, waiting = waiting, bytearray()
                        await asyncio.to_thread(part.add, whole)
                        files.watcher.show(part.size, size)
                if part.size + len(waiting) > size:
                    return  # it has grown
                printed = err.decode(errors="replace")
                if printed == "no dd\n":
                    part.cut(0)
                    raise Unreachable(f"Nothing in {files.name} goes on within a file.")
                if files.code_of(session.ending, printed):
                    raise failure(files.name, self._path, "read", printed)
        finally:
            part.add(waiting)
            files.watcher.show(part.size, size)
        if part.size < size and (await files.look(self._path)).version == self._seen.version:
            raise Unreachable(f"The end of {self._path} did not come.")
