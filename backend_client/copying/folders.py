"""Copy a folder from a running job, or into one: as a stream of tar. A broken line begins it again."""

import asyncio
import contextlib
import os
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from backend_client.copying.failures import failure
from backend_client.copying.feed import feed
from backend_client.copying.job_files import JobFiles
from backend_client.copying.pack import pack_stream
from backend_client.copying.part_file import own_umask, part_name, sync_folder
from backend_client.copying.persistence import persist
from backend_client.copying.scripts import DISCARD, FINISH_FOLDER, PACK, UNPACK
from backend_client.copying.thread_stream import ThreadStream
from backend_client.copying.unpack import Unpacked, unpack_stream
from backend_client.errors import BackendError, Conflict, Unreachable
from backend_client.exec_session import ExecSession
from backend_client.text.sanitize import clean

_CHANGED = ("file changed as we read it", "File removed before we read it")
"""What GNU tar says, and goes on."""
_DISCARD_SECONDS = 10.0


async def download_folder(files: JobFiles, path: str, target: Path) -> list[str]:
    """Copy a folder to a place where nothing is; return a sentence for each thing that was left out.

    Raises a BackendError; OSError of this machine's disk.
    """
    if await asyncio.to_thread(os.path.lexists, target):
        raise Conflict(f"{target} is there already.", "Name a folder that is not.")

    async def once() -> list[str]:
        part = Path(
            await asyncio.to_thread(tempfile.mkdtemp, ".part", f".{target.name[:200]}.", target.parent)
        )
        try:
            told = await _take(files, path, part)
            await asyncio.to_thread(_name, part, target)
        finally:
            await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)
        return told

    return await persist(once, files.watcher)


async def _take(files: JobFiles, path: str, part: Path) -> list[str]:
    async with files.open(PACK, path) as session:
        stream = ThreadStream(files, session)

        def unpack() -> Unpacked:
            made = unpack_stream(cast("BinaryIO", stream), part)
            while stream.read():
                pass
            return made

        try:
            made = await stream.in_thread(unpack)
        except tarfile.TarError as error:
            while await asyncio.to_thread(stream.read):
                pass
            printed = stream.err.decode(errors="replace")
            if files.code_of(session.ending, printed):
                raise failure(files.name, path, "read", printed) from None
            raise Unreachable(f"The end of {path} did not come ({clean(error, 100)}).") from None
        printed = stream.err.decode(errors="replace")
        if files.code_of(session.ending, printed):
            changed = [line for line in printed.splitlines() if line.endswith(_CHANGED)]
            if session.ending.exit_code != 1 or not changed:
                raise failure(files.name, path, "read", printed)
            return [*_refusals(made), *(f"{clean(line, 300)}." for line in changed)]
    return _refusals(made)


def _refusals(made: Unpacked) -> list[str]:
    more = made.refused - len(made.why)
    return [*(f"Left out: {why}." for why in made.why), *([f"Left out: {more} more."] if more else [])]


async def upload_folder(files: JobFiles, local: Path, path: str) -> list[str]:
    """Copy a folder to a place where nothing is; return a sentence for each thing that was left out.

    Raises a BackendError; OSError of this machine's disk.
    """
    part, told = part_name(path.rpartition("/")[2], os.urandom(16)), list[str]()

    async def once() -> None:
        async with files.open(UNPACK, path, part, stdin=True) as session:
            await feed(files, session, give(session), path)

    async def give(session: ExecSession) -> None:
        stream = ThreadStream(files, session)
        told[:] = await stream.in_thread(lambda: pack_stream(cast("BinaryIO", stream), local))
        await session.end_input()

    try:
        await persist(once, files.watcher)
        await files.done(path, FINISH_FOLDER, part)
    except BaseException:
        with contextlib.suppress(BackendError, TimeoutError):
            async with asyncio.timeout(_DISCARD_SECONDS):
                await files.run(DISCARD, path, part)
        raise
    return told


def _name(part: Path, target: Path) -> None:
    part.chmod(0o777 & ~own_umask())
    part.rename(target)
    sync_folder(target.parent)
