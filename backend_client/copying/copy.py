"""Copy a file or a folder from a running job, or into one: to a name, or into a folder that is there."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend_client.copying.download import download_file
from backend_client.copying.failures import failure, no_such
from backend_client.copying.folders import download_folder, upload_folder
from backend_client.copying.job_files import JobFiles, Seen
from backend_client.copying.scripts import in_job
from backend_client.copying.upload import upload_file
from backend_client.disk_errors import cannot_write, disk_words, is_disk_fault
from backend_client.errors import Conflict, NotFound, Refused
from backend_client.text.sanitize import clean

_NO_NAME = ("", ".", "..")


async def copy_from_job(files: JobFiles, path: str, local: str) -> list[str]:
    """Copy a path of a job to a path here; return a sentence for each thing that was left out.

    Raises a BackendError: NotFound, Conflict, Refused, Unreachable.
    """
    asked = in_job(path)
    seen = await files.existing(asked)
    target = await asyncio.to_thread(_target, local, _name(asked, seen) or files.job.name)
    with _in_words(target):
        if seen.kind == "folder":
            return await download_folder(files, asked, target)
        await download_file(files, asked, seen, target)
        return []


async def copy_to_job(files: JobFiles, local: str, path: str) -> list[str]:
    """Copy a path of this machine to a path in a job, otherwise as `copy_from_job`."""
    source, asked = Path(local), in_job(path)
    if not await asyncio.to_thread(source.exists):
        raise NotFound(f"There is no {clean(local, 300)} here.")
    is_folder = await asyncio.to_thread(source.is_dir)
    if not is_folder and not await asyncio.to_thread(source.is_file):
        raise Refused(f"{clean(local, 300)} is neither a file nor a folder.")
    seen = await files.look(asked)
    if seen.kind == "folder":
        asked = f"{asked.rstrip('/')}/{await asyncio.to_thread(lambda: source.name or source.resolve().name)}"
        seen = await files.look(asked)
    elif path.endswith("/"):
        raise no_such(files.name, f"{asked}/")
    _check_place(files, asked, seen, is_folder=is_folder)
    with _in_words(source):
        if is_folder:
            return await upload_folder(files, source, asked)
        await upload_file(files, source, asked)
        return []


def _check_place(files: JobFiles, asked: str, seen: Seen, *, is_folder: bool) -> None:
    where = f"{clean(asked, 300)} in {files.name}"
    match seen.kind:
        case "nowhere":
            raise no_such(files.name, asked.rpartition("/")[0] or "/")
        case "folder":
            raise Conflict(f"{where} is a folder.", "Name another path.")
        case "file" if is_folder:
            raise Conflict(f"{where} is a file.", "Name a folder that is not there.")
        case "special":
            raise Refused(f"{where} is neither a file nor a folder.")
        case "denied" if is_folder:
            raise failure(files.name, asked, "written", "permission denied")


def _name(asked: str, seen: Seen) -> str:
    """Return the last part of a path; "" for the root."""
    name = asked.rpartition("/")[2]
    return name if name not in _NO_NAME else seen.real.rpartition("/")[2]


def _target(local: str, name: str) -> Path:
    target = Path(local)
    if target.is_dir():
        return target / name
    if local.endswith(os.sep):
        raise NotFound(f"There is no folder {clean(local, 300)} here.")
    if not target.parent.is_dir():
        raise NotFound(f"There is no folder {clean(target.parent, 300)} here.")
    if target.exists() and not target.is_file():
        raise Refused(f"{clean(local, 300)} is neither a file nor a folder.")
    return target


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Give faults of this machine's disk their words."""
    try:
        yield
    except IsADirectoryError:
        raise Conflict(f"{clean(path, 300)} is a folder.", "Name another path.") from None
    except OSError as error:
        if is_disk_fault(error):
            raise cannot_write(error, path) from None
        raise Refused(f"{clean(error.filename or path, 300)}: {disk_words(error)}.") from None
