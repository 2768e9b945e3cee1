"""The bad wire is bad as it says, and else passes every byte on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from tests.backend_client.kubernetes.support.clock import run
from tests.support.faults import Wire

WORDS = bytes(range(256)) * 40


@contextlib.asynccontextmanager
async def echoing() -> AsyncIterator[Wire]:
    """A wire to a server that says everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Wire(*server.sockets[0].getsockname()) as wire:
        yield wire
    server.close()


async def said_back(wire: Wire, words: bytes = WORDS) -> bytes:
    """What comes back until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(words)
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


def timed(doing: Coroutine[Any, Any, None]) -> float:
    """Seconds on a clock that jumps."""

    async def main() -> float:
        began = asyncio.get_running_loop().time()
        await doing
        return asyncio.get_running_loop().time() - began

    return run(main())


async def once(**faults: Any) -> None:
    async with echoing() as wire:
        for name, value in faults.items():
            setattr(wire, name, value)
        assert await said_back(wire) == WORDS


@pytest.mark.parametrize(
    ("faults", "least", "most"),
    [
        ({}, 0.0, 0.1),
        ({"latency": 1.0}, 2.0, 4.0),
        ({"latency": 1.0, "piece": 2560}, 5.0, 9.0),
        ({"bandwidth": 1024.0}, 10.0, 21.0),
        ({"linger": 5.0}, 10.0, 10.1),
    ],
    ids="good slow sliced thin lingering".split(),
)
def test_every_byte_comes_and_takes_its_time(faults: dict[str, Any], least: float, most: float) -> None:
    assert least <= timed(once(**faults)) <= most


async def test_pieces_are_no_larger_than_said() -> None:
    async with echoing() as wire:
        wire.piece, wire.latency = 100, 0.001
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(WORDS[:1000])
        first = await reader.read(65536)
        assert 0 < len(first) < 1000
        assert first + await reader.readexactly(1000 - len(first)) == WORDS[:1000]
        writer.close()


async def test_it_breaks_after_exactly_so_many_bytes_once() -> None:
    async with echoing() as wire:
        wire.limits = [1234]
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(WORDS)
        with contextlib.suppress(ConnectionResetError):
            assert len(await reader.readexactly(1234)) == 1234
            assert await reader.read() == b""
        writer.close()
        assert (wire.cuts, wire.limits) == (1, [])
        assert await said_back(wire) == WORDS


async def test_a_reset_is_one_and_an_end_is_none() -> None:
    async with echoing() as wire:
        for act in (wire.reset, wire.close):
            reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
            writer.write(b"a")
            assert await reader.read(1) == b"a"
            act()
            with pytest.raises(ConnectionResetError) if act == wire.reset else contextlib.nullcontext():
                assert await reader.read() == b""
            writer.close()


async def test_down_refuses_and_up_is_the_same_port() -> None:
    async with echoing() as wire:
        port = wire.port
        await wire.down()
        with pytest.raises(ConnectionRefusedError):
            await said_back(wire)
        await wire.up()
        assert wire.port == port
        assert await said_back(wire) == WORDS


async def test_what_is_abandoned_is_silent_and_what_comes_is_not() -> None:
    async with echoing() as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"a")
        assert await reader.read(1) == b"a"
        wire.abandon()
        writer.write(b"b")
        assert await said_back(wire) == WORDS
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        writer.close()


async def test_silence_keeps_all_and_says_nothing() -> None:
    async with echoing() as wire:
        wire.silence()
        answer = asyncio.create_task(said_back(wire))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(answer), 0.2)
        wire.speak()
        assert await answer == WORDS
