"""A command or a shell in a job, for a client: started by its first message, carried, and written down."""

import asyncio
from contextlib import AsyncExitStack
from typing import TypeVar

import msgspec

from backend.auth.caller import Caller
from backend.auth.stream_revocation import StreamRevocations
from backend.bridges.carry import both_ways, carry
from backend.bridges.client import Client
from backend.bridges.target import OPENING_SECONDS, Target
from backend.bridges.trail import Trail
from backend.clusters.circuit_breaker import named_failures
from backend.db.engine import Database
from backend_client.errors import Invalid, Refused
from backend_client.exec_session import ExecEnding, ExecQuery, ExecSession, HasExec, TerminalSize
from backend_client.server.channels import Channel, Control, Start, Terminal, control, message

T = TypeVar("T")
START_SECONDS = 10.0
"""Seconds that a client has to say what to run."""
_START = msgspec.json.Decoder(Start)
_TERMINAL = msgspec.json.Decoder(Terminal)


class CommandBridge:
    """One command."""

    def __init__(self, target: Target, client: Client, trail: Trail) -> None:
        self._target, self._client, self._trail = target, client, trail
        self._how = ""
        """How the command ended, where it did."""

    async def run(self, revocations: StreamRevocations, caller: Caller) -> None:
        """Carry it until it, the client or the login ends; what it has left in the job is ended too."""
        cut = "the server stopped"
        try:
            async with revocations.until_revoked(caller) as bye:
                cut = await carry(self._client, bye, self._work())
        finally:
            await self._trail.end(cut or self._how)

    async def _work(self) -> None:
        start = await self._start()
        backend = self._target.cluster.backend
        if not isinstance(backend, HasExec):
            raise Refused(f"No command can be run in a job of {self._target.cluster.name}.")
        query = ExecQuery(
            ref=self._target.ref,
            rank=self._target.rank,
            argv=start.command,
            stdin=start.stdin,
            terminal=_size(start.terminal) if start.terminal else None,
            term=start.term,
        )
        async with AsyncExitStack() as stack:
            async with named_failures(self._target.cluster.name, OPENING_SECONDS):
                session = await stack.enter_async_context(backend.open_exec(query))
            await self._trail.begin()
            await self._client.send(control(Control(started=True)))
            await both_ways(self._down(session), self._up(session, start))
            ending = session.ending
        self._how = _words(ending)
        await self._client.send(control(Control(ended=ending)))
        await self._client.close()

    async def _start(self) -> Start:
        """Return what the client's first message asks for. Raises Invalid, Refused."""
        try:
            async with asyncio.timeout(START_SECONDS):
                channel, data = await self._client.receive()
        except TimeoutError:
            raise Refused(f"Nothing was said of what to run, for {START_SECONDS:g} s.") from None
        if channel != Channel.CONTROL:
            raise Invalid({"start": f"the first message says what to run, on channel {Channel.CONTROL}"})
        start = _decode(_START, data, "start")
        if any("\0" in word for word in (*start.command, start.term)):
            raise Invalid({"command": "no word can have a NUL"})
        return start

    async def _down(self, session: ExecSession) -> None:
        while piece := await session.receive():
            channel, data = piece
            await self._client.send(message(Channel(channel), data))

    async def _up(self, session: ExecSession, start: Start) -> None:
        while True:
            channel, data = await self._client.receive()
            if channel == Channel.STDIN and start.stdin:
                await session.send(data)
            elif channel == Channel.CLOSE and start.stdin:
                await session.end_input()
            elif channel == Channel.RESIZE and start.terminal:
                await session.resize(_size(_decode(_TERMINAL, data, "size")))
            else:
                raise Invalid({"channel": f"{channel} is none of a command that was started like this"})


def _decode(decoder: msgspec.json.Decoder[T], data: bytes, field: str) -> T:
    """Decode JSON of a client. Raises Invalid."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid({field: str(error)}) from None


def _size(terminal: Terminal) -> TerminalSize:
    return TerminalSize(terminal.columns, terminal.rows)


def _words(ending: ExecEnding) -> str:
    return "how it ended is not known" if ending.exit_code is None else f"exit {ending.exit_code}"


def command_trail(database: Database, caller: Caller, target: Target) -> Trail:
    """Return the audit trail of a command; its words are in none."""
    return Trail(database, caller, "exec", target)
