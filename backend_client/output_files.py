"""The files that a job has written to its outputs (`--outputs`); a small protocol."""

import posixpath
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from backend_client.errors import Invalid, NotFound
from backend_client.models import Job, JobRef
from backend_client.models.outputs import Outputs


class FileKind(StrEnum):
    """What a name in a folder stands for."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


class OutputFile(Struct, frozen=True, kw_only=True):
    """One name in a folder of outputs."""

    name: str
    """As it is, with whatever characters."""
    kind: FileKind
    size: int | None = None
    """Bytes of a file; None of all else."""
    modified: datetime


class FileList(Struct, frozen=True, kw_only=True):
    """What is in one folder of a job's outputs, by name; of a path that is a file, that file."""

    folder: str
    """As the job sees it."""
    files: tuple[OutputFile, ...]


@runtime_checkable
class HasFiles(Protocol):
    """A backend with `Feature.FILES`."""

    async def output_files(self, ref: JobRef, path: str = "") -> FileList:
        """List a folder of a job's outputs; `path` is relative to them.

        Raises NotFound where the job has no outputs, or nothing is there; Invalid for a path that leads out
        of them; Refused where only a pod can read them, and none runs.
        """
        ...


def outputs_of(job: Job) -> Outputs:
    """Return where a job's outputs lie. Raises NotFound where it has none."""
    if job.outputs is None:
        raise NotFound(
            f"{job.name} has no outputs.", "A job that is made with --outputs has a folder for them."
        )
    return job.outputs


def path_within(outputs: Outputs, path: str) -> str:
    """Return the whole path of one within outputs, written from there or whole. Raises Invalid."""
    whole = posixpath.normpath(posixpath.join(outputs.path, path))
    top = posixpath.normpath(outputs.path)
    if "\0" in path or not f"{whole}/".startswith(f"{top.rstrip('/')}/"):
        raise Invalid({"PATH": f"{path[:200]}: leads out of the outputs, {outputs.path}"})
    return whole


def nothing_at(path: str) -> NotFound:
    """Return the error for a path where nothing is."""
    return NotFound(f"There is nothing at {path[:500]}.", "Without a PATH all that is there is listed.")
