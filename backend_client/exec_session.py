"""Being in a running job: commands with their input and output, and connections to its ports."""

from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from typing import Protocol, runtime_checkable

from msgspec import Struct

from backend_client.errors import Refused, sentence
from backend_client.models import Job, JobRef


class ExecChannel(IntEnum):
    """What a piece of a command's output is."""

    STDOUT = 1
    STDERR = 2


class TerminalSize(Struct, frozen=True):
    """Of a terminal, in cells."""

    columns: int = 80
    rows: int = 24


class ExecQuery(Struct, frozen=True, kw_only=True):
    """A command in a running job. Without `argv` a shell: bash, else sh."""

    ref: JobRef
    rank: int = 0
    argv: tuple[str, ...] = ()
    stdin: bool = False
    """It has input; without, it reads an end of file at once."""
    terminal: TerminalSize | None = None
    """It runs in a terminal of this size: one output, and keys as signals. None: in pipes."""
    term: str = ""
    """The kind of that terminal (TERM)."""


class ExecEnding(Struct, frozen=True):
    """How a command ended."""

    exit_code: int | None = None
    """None: it cannot be told. 128 + n: signal n ended it; 127: there is no such command."""
    message: str = ""
    """What is known beside the exit code."""


def not_running(job: Job, what: str = "") -> Refused:
    """Return the error for a command in a job, or in a part of it, that does not run now."""
    why = f": {job.reason}" if job.reason else ""
    return Refused(sentence(f"Nothing of {what or job.name} runs now; the job is {job.state.value}{why}"))


class ExecSession(Protocol):
    """A command that runs, for one reader and one writer."""

    async def receive(self) -> tuple[ExecChannel, bytes] | None:
        """Return the next piece of output; None when the command has ended. Safe to cancel.

        Raises Unreachable where the link broke: what runs goes on, or is ended best effort.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Give it input; waits while it takes none."""
        ...

    async def end_input(self) -> None:
        """End its input, as the end of a file does. In a terminal it does nothing: send what ends one."""
        ...

    async def resize(self, size: TerminalSize) -> None:
        """Tell its terminal its size."""
        ...

    @property
    def ending(self) -> ExecEnding:
        """How it ended, once `receive` has returned None."""
        ...


@runtime_checkable
class HasExec(Protocol):
    """A backend with `Feature.EXEC`."""

    def open_exec(self, query: ExecQuery) -> AbstractAsyncContextManager[ExecSession]:
        """Start a command in a running job. What it has left there is ended when the block is left.

        Raises NotFound where no job has the uid; Refused where it does not run, with its state; Forbidden.
        """
        ...


class PortConnection(Protocol):
    """One connection to a port in a job, for one reader and one writer."""

    async def receive(self) -> bytes:
        """Return what has come; b"" at the end. Safe to cancel.

        Raises Refused where nothing listens on the port: a cluster tells that behind the opening only.
        Raises Unreachable where it broke.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Send; waits while the other side takes nothing. Where it broke `receive` tells better why."""
        ...


@runtime_checkable
class HasPorts(Protocol):
    """A backend with `Feature.PORTS`."""

    def open_port(
        self, ref: JobRef, port: int, *, rank: int = 0
    ) -> AbstractAsyncContextManager[PortConnection]:
        """Connect to what listens on a port in a running job, on its loopback too.

        The pod is looked for anew at each connection. Raises NotFound where no job has the uid; Conflict
        where the rank does not run now; Refused where it never will, or nothing listens there; Forbidden.
        """
        ...
