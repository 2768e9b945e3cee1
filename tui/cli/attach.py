"""Join a command in a job with this process's own input and output, until it has ended."""

import asyncio
import codecs
import os
import signal
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager

from backend_client.exec_session import ExecChannel, ExecSession
from backend_client.slow_steps import heard_by
from backend_client.text.sanitize import clean
from tui.cli.escape_keys import EscapeKeys
from tui.cli.left_over import LeftOver
from tui.cli.raw_terminal import raw_mode, set_raw_again, terminal_size
from tui.cli.streams import Writer, stderr, stdout

_READ = 32 * 1024
_MOST_READS = 32
"""So many may wait for a command that takes none; then no more is read."""


class Attachment:
    """One command, and how it is attached: in a terminal, or by pipes."""

    def __init__(self, session: ExecSession, *, terminal: bool, stdin: bool) -> None:
        self._session = session
        self._terminal = terminal
        self._stdin = stdin
        self._keys = EscapeKeys() if terminal else None
        self._left_over = LeftOver()
        self._read: deque[bytes] = deque()
        self._news = asyncio.Event()
        """Something was read, or taken."""
        self._left = asyncio.Event()
        self._texts = {channel: codecs.getincrementaldecoder("utf-8")("replace") for channel in ExecChannel}

    async def run(self) -> bool:
        """Return True when the command has ended, False when the person has left it. Raises BackendError."""
        with self._own_terminal() if self._terminal else ExitStack():
            tasks = [asyncio.create_task(self._show()), asyncio.create_task(self._left.wait())]
            giving = asyncio.create_task(self._give()) if self._stdin else None
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if tasks[0].done():
                    tasks[0].result()
                return tasks[0].done()
            finally:
                started = [task for task in (*tasks, giving) if task]
                for task in started:
                    task.cancel()
                await asyncio.gather(*started, return_exceptions=True)

    @contextmanager
    def _own_terminal(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        with ExitStack() as restored:
            for number, call in ((signal.SIGWINCH, self._tell_size), (signal.SIGCONT, self._go_on)):
                loop.add_signal_handler(number, call)
                restored.callback(loop.remove_signal_handler, number)
            restored.enter_context(raw_mode())
            restored.enter_context(heard_by(_say_late))
            try:
                yield
            finally:
                stdout.pass_on(self._left_over.undoing)

    def _tell_size(self) -> None:
        asyncio.get_running_loop().create_task(self._session.resize(terminal_size())).add_done_callback(
            lambda task: task.cancelled() or task.exception()
        )

    def _go_on(self) -> None:
        set_raw_again()
        self._tell_size()

    async def _show(self) -> None:
        while piece := await self._session.receive():
            channel, data = piece
            writer = stdout if channel is ExecChannel.STDOUT else stderr
            if self._terminal:
                writer.pass_on(data)
                self._left_over.follow(data)
            elif not writer.isatty():
                writer.pass_on(data)
            else:
                self._show_text(writer, channel, data)

    def _show_text(self, writer: Writer, channel: ExecChannel, data: bytes) -> None:
        """Show the output of a command in no terminal as text: it does not steer this one."""
        text = self._texts[channel].decode(data)
        writer.write(text.replace("\r\n", "\n").replace("\r", "\n"))
        writer.flush()

    async def _give(self) -> None:
        async for data in self._pieces():
            await self._session.send(data)
        await self._session.end_input()

    async def _pieces(self) -> AsyncIterator[bytes]:
        """Yield what comes by stdin, which may be a terminal, a pipe or a file."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(0, self._take)
        except PermissionError:  # a file: it is always ready
            while data := await asyncio.to_thread(os.read, 0, _READ):
                yield data
            return
        try:
            while True:
                while not self._read:
                    self._news.clear()
                    await self._news.wait()
                if not (data := self._read.popleft()):
                    return
                if len(self._read) == _MOST_READS - 1:
                    loop.add_reader(0, self._take)
                yield data
        finally:
            loop.remove_reader(0)

    def _take(self) -> None:
        """Read once what is there; nothing is its end. stdin itself is left as it is: others have it too."""
        try:
            data = os.read(0, _READ)
        except BlockingIOError:
            return
        except OSError:  # the terminal is gone
            data = b""
        given = self._keys.pass_on(data) if self._keys else data
        if self._keys and self._keys.leaves:
            self._left.set()
        if given or not data:
            self._read.append(given)
            self._news.set()
        if not data or len(self._read) >= _MOST_READS:
            asyncio.get_running_loop().remove_reader(0)


def _say_late(words: str) -> None:
    """Tell a person whose keys have no answer, below what the program shows."""
    if words:
        told = f"\r\n{clean(words, 300)}; enter, then ~. leaves\r\n"
        stdout.pass_on(told.encode(errors="replace"))
