"""A forward, on a clock that jumps: who waits, who is reset, and what is never open to others."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from backend_client.errors import BackendError, Conflict, Refused, Unreachable
from backend_client.exec_session import PortConnection
from backend_client.models import JobRef
from backend_client.ports.forward import Forward
from tests.backend_client.kubernetes.support.clock import run
from tests.support.scripted import EchoPort

REF = JobRef("c", "n", "job", "web", "u")


class Ports:
    """Refuses by each of `errors` in turn, then opens what `make` makes."""

    def __init__(self, *errors: BackendError, make: Callable[[], PortConnection] = EchoPort) -> None:
        self.errors, self.make = list(errors), make
        self.for_ever: BackendError | None = None

    @asynccontextmanager
    async def open_port(self, ref: JobRef, port: int, *, rank: int = 0) -> AsyncIterator[PortConnection]:
        if self.for_ever:
            raise self.for_ever
        if self.errors:
            raise self.errors.pop(0)
        yield self.make()


class Said(list[str]):
    """The lines of a forward."""


def during(ports: Ports, test: Callable[[Forward, Said], Awaitable[None]]) -> None:
    async def main() -> None:
        said = Said()
        forward = Forward(ports, REF, 6006, say=said.append)
        await forward.listen()
        try:
            await test(forward, said)
        finally:
            await forward.aclose()

    run(main())


async def asked(forward: Forward, host: str = "127.0.0.1") -> bytes:
    reader, writer = await asyncio.open_connection(host, forward.local_port)
    writer.write(b"bye now")
    try:
        return await reader.read()
    finally:
        writer.close()


def test_a_connection_waits_for_its_pod():
    async def test(forward: Forward, said: Said) -> None:
        assert await asked(forward) == b"bye now"
        assert said == [
            "No pod runs. A connection waits for it.",
            "The cluster is away. A connection waits for it.",
            "The port 6006 of web answers again.",
        ]
        assert (forward.trouble, forward.connections, forward.sent, forward.received) == ("", 1, 7, 7)

    gone = Conflict("No pod runs.")
    during(Ports(gone, gone, Unreachable("The cluster is away.")), test)


def test_it_is_reset_after_a_while():
    ports = Ports()
    ports.for_ever = Conflict("No pod runs.")

    async def test(forward: Forward, said: Said) -> None:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionResetError):
            await asked(forward)
        assert asyncio.get_running_loop().time() - begun == pytest.approx(15, abs=1)
        assert said[-1] == "No pod runs."

    during(ports, test)


def test_what_never_will_be_is_reset_at_once_and_said_once():
    ports = Ports()
    ports.for_ever = Refused("The job web has ended.")

    async def test(forward: Forward, said: Said) -> None:
        begun = asyncio.get_running_loop().time()
        for _ in range(3):
            with pytest.raises(ConnectionResetError):
                await asked(forward)
        assert asyncio.get_running_loop().time() - begun < 1
        assert said == ["The job web has ended."]

    during(ports, test)


class Breaks(EchoPort):
    async def receive(self) -> bytes:
        await super().receive()
        raise Unreachable("It broke.")


def test_what_breaks_is_no_end_of_an_answer():
    async def test(forward: Forward, said: Said) -> None:
        with pytest.raises(ConnectionResetError):
            await asked(forward)
        assert said == ["It broke."]

    during(Ports(make=Breaks), test)


def test_after_our_side_has_ended_more_is_waited_for():
    async def test(forward: Forward, said: Said) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", forward.local_port)
        writer.write(b"first")
        assert await reader.readexactly(5) == b"first"
        writer.write_eof()
        begun = asyncio.get_running_loop().time()
        assert await reader.read() == b""
        assert asyncio.get_running_loop().time() - begun == pytest.approx(10, abs=1)
        writer.close()

    during(Ports(), test)


def test_another_port_where_the_wished_one_is_taken_on_either_address():
    async def main() -> None:
        with socket.socket(socket.AF_INET6) as theirs:
            theirs.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            theirs.bind(("::1", 0))
            theirs.listen()
            taken = theirs.getsockname()[1]
            forward = Forward(Ports(), REF, 6006)
            await forward.listen(taken)
            try:
                assert forward.local_port != taken
                assert await asked(forward, "::1") == await asked(forward) == b"bye now"
                addresses = {
                    bound.getsockname()[0] for server in forward._servers for bound in server.sockets
                }
                assert addresses == {"127.0.0.1", "::1"}
            finally:
                await forward.aclose()

    run(main())


def test_a_socket_of_ones_own(tmp_path: Path):
    async def main() -> None:
        path = tmp_path / "mine" / "sock"
        for _ in range(2):  # the second time over what a dead one has left
            forward = Forward(Ports(), REF, 6006)
            await forward.listen_at(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(b"bye")
            assert await reader.read() == b"bye"
            writer.close()
            with pytest.raises(Refused, match="is in use"):
                await Forward(Ports(), REF, 6006).listen_at(path)
            await forward.aclose()
            assert not path.exists()
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(str(path))

    run(main())


def test_no_socket_where_others_could_take_its_place(tmp_path: Path):
    async def main() -> None:
        (tmp_path / "shared").mkdir(mode=0o755)
        (tmp_path / "mine").mkdir(mode=0o700)
        (tmp_path / "mine" / "file").write_text("kept")
        for path, words in (("shared/sock", "Others can use"), ("mine/file", "is no socket")):
            with pytest.raises(Refused, match=words):
                await Forward(Ports(), REF, 6006).listen_at(tmp_path / path)
        assert (tmp_path / "mine" / "file").read_text() == "kept"

    run(main())
