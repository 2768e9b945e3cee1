"""A command, or a shell, beside the processes of a job: in its working directory, with its environment."""

import asyncio
import contextlib
import errno
import fcntl
import os
import pty
import secrets
import signal
import struct
import termios
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from backend_client.exec_session import ExecChannel, ExecEnding, ExecQuery, TerminalSize
from backend_client.local.job_processes import alive, environment, kill_all, signal_all
from backend_client.local.process import CannotStart, start
from backend_client.local.state_dir import Process

_MARK = "TRAINDECK_EXEC"
_SHELL = ("sh", "-c", "command -v bash >/dev/null && exec bash; exec sh")
_READ = 256 * 1024
_PATIENCE = 0.5
"""Seconds from SIGHUP to SIGKILL for what a command has left."""


class Surroundings(Struct, frozen=True):
    """What a job's own processes have, and a command beside them gets."""

    env: Mapping[str, str]
    workdir: str
    leader: int
    """The job's first process: when it ends, so does the command, as in a container."""


@contextlib.asynccontextmanager
async def open_session(query: ExecQuery, around: Surroundings) -> AsyncIterator["ProcessSession"]:
    """Start a command; what it has left when the block is left before its end is ended."""
    mark = secrets.token_hex(8)
    session = ProcessSession(query)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(session.close)
        env = {**around.env, _MARK: mark} | ({"TERM": query.term or "xterm"} if query.terminal else {})
        session.start(env, around.workdir)
        cleanup.enter_context(_when_ended(around.leader, lambda: _end_soon(mark)))
        try:
            yield session
        finally:
            if not session.has_ended:
                _signal(mark, signal.SIGHUP)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PATIENCE):
                        await session.wait()
                await asyncio.to_thread(kill_all, lambda: _marked(mark))


class ProcessSession:
    """An `ExecSession` on this machine."""

    def __init__(self, query: ExecQuery) -> None:
        self._query = query
        self._pid = 0
        self._outputs: dict[int, ExecChannel] = {}
        self._input: int | None = None
        self._terminal: int | None = None
        self._ended = asyncio.Event()
        self._ending = ExecEnding()
        self._watch = contextlib.ExitStack()

    def start(self, env: Mapping[str, str], workdir: str) -> None:
        """Start the command. One that cannot be has ended, as a shell would tell it."""
        with contextlib.ExitStack() as theirs:
            stdin, out, err = self._open_streams(theirs)
            try:
                argv = self._query.argv or _SHELL
                self._pid = start(argv, env=env, workdir=workdir, out=out, err=err, stdin=stdin)
            except CannotStart as error:
                self._ending = ExecEnding(error.code, str(error))
                self._ended.set()
                return
        self._watch.enter_context(_when_ended(self._pid, self._reap))

    def _open_streams(self, theirs: contextlib.ExitStack) -> tuple[int | None, int, int]:
        """Return what the command reads and writes, to be closed here; keep the other ends."""
        if size := self._query.terminal:
            master, slave = pty.openpty()
            theirs.callback(os.close, slave)
            self._terminal = self._input = master
            self._outputs[master] = ExecChannel.STDOUT
            self._set_size(size)
            os.set_blocking(master, False)
            return slave, slave, slave
        ends = []
        for channel in ExecChannel:
            reads, writes = os.pipe()
            theirs.callback(os.close, writes)
            os.set_blocking(reads, False)
            self._outputs[reads] = channel
            ends.append(writes)
        if not self._query.stdin:
            return None, ends[0], ends[1]
        reads, self._input = os.pipe()
        theirs.callback(os.close, reads)
        os.set_blocking(self._input, False)
        return reads, ends[0], ends[1]

    async def receive(self) -> tuple[ExecChannel, bytes] | None:
        """Return the next piece of output; None when the command has ended and all that it wrote was read."""
        while True:
            ended = self._ended.is_set()  # asked before: what it wrote until then is there
            for fd, channel in list(self._outputs.items()):
                if (data := self._read(fd)) is not None:
                    return channel, data
            if ended:
                return None
            loop = asyncio.get_running_loop()
            await self._ready([*self._outputs], loop.add_reader, loop.remove_reader)

    async def send(self, data: bytes) -> None:
        """Give it input; waits while it takes none. What a command that has ended did not read is lost."""
        loop = asyncio.get_running_loop()
        while data and self._input is not None and not self._ended.is_set():
            try:
                data = data[os.write(self._input, data) :]
            except BlockingIOError:
                await self._ready([self._input], loop.add_writer, loop.remove_writer)
            except OSError:  # it has closed it
                return

    async def end_input(self) -> None:
        """End its input; in a terminal that does nothing."""
        if self._input is not None and self._terminal is None:
            os.close(self._input)
            self._input = None

    async def resize(self, size: TerminalSize) -> None:
        """Tell its terminal its size."""
        self._set_size(size)

    async def wait(self) -> None:
        """Wait for its end."""
        await self._ended.wait()

    @property
    def has_ended(self) -> bool:
        """Whether the command has ended."""
        return self._ended.is_set()

    @property
    def ending(self) -> ExecEnding:
        """How it ended."""
        return self._ending

    def close(self) -> None:
        """Close our ends of its streams."""
        self._watch.close()
        for fd in {*self._outputs, *([] if self._input is None else [self._input])}:
            os.close(fd)
        self._outputs, self._input = {}, None

    def _set_size(self, size: TerminalSize) -> None:
        if self._terminal is not None:
            cells = struct.pack("HHHH", min(size.rows, 0xFFFF), min(size.columns, 0xFFFF), 0, 0)
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, cells)

    def _read(self, fd: int) -> bytes | None:
        """Return what is there of an output; None where that is nothing."""
        try:
            if data := os.read(fd, _READ):
                return data
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal that nobody has open any more
                raise
        del self._outputs[fd]
        if fd != self._terminal:
            os.close(fd)
        return None

    async def _ready(
        self, fds: Sequence[int], add: Callable[..., None], remove: Callable[[int], bool]
    ) -> None:
        """Wait until one of these is ready, or the command has ended."""
        ready = asyncio.Event()
        for fd in fds:
            add(fd, ready.set)
        waiting = [asyncio.create_task(event.wait()) for event in (ready, self._ended)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            for fd in fds:
                remove(fd)

    def _reap(self) -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._ending = ExecEnding(128 - code if code < 0 else code)
        self._ended.set()


@contextlib.contextmanager
def _when_ended(pid: int, call: Callable[[], None]) -> Iterator[None]:
    """Call back, once, when a process ends, or has ended already."""
    loop = asyncio.get_running_loop()
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        call()
        yield
        return

    def ended() -> None:
        loop.remove_reader(fd)
        call()

    loop.add_reader(fd, ended)
    try:
        yield
    finally:
        loop.remove_reader(fd)
        os.close(fd)


def _marked(mark: str) -> list[Process]:
    return [process for process in alive() if environment(process.pid).get(_MARK) == mark]


def _end_soon(mark: str) -> None:
    _signal(mark, signal.SIGHUP)
    asyncio.get_running_loop().call_later(_PATIENCE, _signal, mark, signal.SIGKILL)


def _signal(mark: str, number: int) -> None:
    signal_all(_marked(mark), number)
