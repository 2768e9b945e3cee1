"""The files of one rank of a running job, reached by commands."""

import contextlib
from collections.abc import AsyncIterator

from msgspec import Struct

from backend_client.copying.failures import failure, no_such
from backend_client.copying.persistence import Watcher, persist
from backend_client.copying.scripts import CHECKSUM, LOOK
from backend_client.errors import Refused, Unreachable
from backend_client.exec_session import ExecChannel, ExecEnding, ExecQuery, ExecSession, HasExec
from backend_client.models import Job

_MOST = 64 * 1024
"""Bytes that are kept of what a tool prints beside the data."""


class Printed(Struct, frozen=True):
    """What a script has printed, and its exit code."""

    code: int
    out: str
    err: str


class Seen(Struct, frozen=True):
    """What a path in a job is."""

    kind: str
    """file, folder, special (a device, a pipe), denied, none; nowhere: its folder is not there either."""
    size: int = 0
    """Bytes."""
    mode: int = 0
    version: str = ""
    """Of a file: two that differ are two versions."""
    real: str = ""
    """Of a folder: its path without links."""


class JobFiles:
    """Runs scripts in one rank; whatever fails on the way to it is tried again."""

    def __init__(self, backend: HasExec, job: Job, rank: int, watcher: Watcher) -> None:
        self._backend, self._rank = backend, rank
        self.job, self.watcher = job, watcher
        self.name = f"rank {rank} of {job.name}" if rank else job.name

    @contextlib.asynccontextmanager
    async def open(self, script: str, *words: str, stdin: bool = False) -> AsyncIterator[ExecSession]:
        """Start a script."""
        argv = ("sh", "-c", script, "sh", *words)
        query = ExecQuery(ref=self.job.ref, rank=self._rank, argv=argv, stdin=stdin)
        async with self._backend.open_exec(query) as session:
            yield session

    def code_of(self, ending: ExecEnding, err: str = "") -> int:
        """Return an exit code. Raises Unreachable where nobody knows it, Refused where there is no sh."""
        if ending.exit_code is None:
            raise Unreachable(f"Nothing tells how a command in {self.name} ended.")
        if ending.exit_code == 127 and not err:
            raise Refused(f"Nothing can be copied: the image of {self.name} has no sh.")
        return ending.exit_code

    async def run(self, script: str, *words: str) -> Printed:
        """Run a script to its end, again where the line breaks: it must do no harm twice."""

        async def once() -> Printed:
            printed = dict.fromkeys(ExecChannel, b"")
            async with self.open(script, *words) as session:
                while piece := await session.receive():
                    printed[piece[0]] = (printed[piece[0]] + piece[1])[:_MOST]
                out, err = (printed[channel].decode(errors="surrogateescape") for channel in ExecChannel)
                return Printed(self.code_of(session.ending, err), out, err)

        return await persist(once, self.watcher)

    async def done(self, path: str, script: str, *words: str) -> str:
        """Run a script that changes something at a path; return what it printed. Raises a BackendError."""
        printed = await self.run(script, path, *words)
        if printed.code:
            raise failure(self.name, path, "written", printed.err)
        return printed.out

    async def look(self, path: str) -> Seen:
        """Find out what a path is, which may be nothing."""
        printed = await self.run(LOOK, path)
        kind, _, rest = printed.out.partition("\n")
        rest = rest.removesuffix("\n")
        if kind in ("none", "nowhere") and "denied" in printed.err.lower():
            return Seen("denied")
        if kind != "file":
            return Seen(kind or "none", real=rest)
        size, mode, _ = rest.split(" ", 2)
        return Seen(kind, int(size), int(mode, 8), version=rest)

    async def existing(self, path: str) -> Seen:
        """Return a file or a folder that can be read. Raises NotFound, Refused."""
        seen = await self.look(path)
        match seen.kind:
            case "file" | "folder":
                return seen
            case "denied":
                raise failure(self.name, path, "read", "permission denied")
            case "special":
                raise Refused(f"{path} in {self.name} is neither a file nor a folder.")
            case _:
                raise no_such(self.name, path)

    async def checksum(self, path: str, part: str = "") -> str:
        """Return the checksum of a file, or of a part beside it; "none" where there is no tool for one."""
        printed = await self.run(CHECKSUM, path, part)
        if printed.code:
            raise failure(self.name, path, "read", printed.err)
        words = printed.out.split()
        return " ".join(words[:2]) if words else "none"
