"""A person's command in a container, whose far end is silent, cut, old, or has no shell."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from backend_client.errors import BackendError, Refused, Unreachable
from backend_client.exec_session import ExecEnding, ExecQuery, TerminalSize
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.session import ContainerSession, open_session
from backend_client.models import JobRef
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.exec_server import SUCCESS, ExecServer, Peer

REF = JobRef("c", "team", "Job", "bert", "u")
NO_SUCH = (
    b'\x03{"status":"Failure","reason":"InternalError",'
    b'"message":"exec: \\"env\\": executable file not found in $PATH"}'
)
Serve = Callable[[Peer], Awaitable[None]]


async def ends(peer: Peer, status: bytes = SUCCESS) -> None:
    peer.send(status)
    peer.close()
    await peer.hear()


async def lacks_it(peer: Peer) -> None:
    await ends(peer, NO_SUCH)


def outcome(
    query: ExecQuery, use: Callable[[ContainerSession], Awaitable[object]], *serves: Serve, old: bool = False
) -> tuple[object, list[list[str]], float]:
    """What a session came to, the commands that the cluster was asked for, and after how many seconds."""
    waiting = list(serves)

    async def serve(peer: Peer) -> None:
        await waiting.pop(0)(peer)

    async def main() -> tuple[object, list[list[str]], float]:
        async with ExecServer(serve) as server:
            server.subprotocol = "v4.channel.k8s.io" if old else server.subprotocol
            transport = Transport(server.target())
            clock = asyncio.get_running_loop().time
            begun = clock()
            try:
                async with open_session(transport, Container("team", "p", "main"), query) as session:
                    came = await use(session)
            except BackendError as error:
                came = error
            finally:
                await transport.aclose()
            argvs = [[value for name, value in query if name == "command"] for query in server.queries]
            return came, argvs, clock() - begun

    return run(main())


async def to_its_end(session: ContainerSession) -> object:
    while await session.receive():
        pass
    return session.ending


def test_what_has_ended_needs_no_ending():
    query = ExecQuery(ref=REF, argv=("ls", "-l"))
    came, argvs, _ = outcome(query, to_its_end, ends, ends)
    assert came == ExecEnding(0)
    assert argvs[0] == ["env", "sh", "-c", ":"]
    mark = argvs[1][1]
    assert argvs[1] == ["env", mark, "sh", "-c", 'exec "$@"', "sh", "ls", "-l"]
    assert mark.startswith("TRAINDECK_EXEC=")
    assert len(argvs) == 2


async def cut(peer: Peer) -> None:
    peer.send(b"\x01half")
    await peer.writer.drain()


def test_what_a_lost_link_leaves_is_ended_by_its_mark():
    query = ExecQuery(ref=REF, argv=("train",))
    came, argvs, _ = outcome(query, to_its_end, ends, cut, ends)
    assert isinstance(came, Unreachable)
    assert argvs[2][-1] == argvs[1][1]


async def silent(peer: Peer) -> None:
    while await peer.hear():
        pass


def test_the_end_of_what_is_left_takes_no_long_time():
    query = ExecQuery(ref=REF, argv=("train",))

    async def leave(_session: ContainerSession) -> object:
        return "left"

    came, argvs, seconds = outcome(query, leave, ends, silent, silent)
    assert (came, len(argvs)) == ("left", 3)
    assert seconds < 5


def test_an_image_without_a_shell_runs_the_command_alone_and_has_no_shell():
    came, argvs, _ = outcome(ExecQuery(ref=REF, argv=("/app", "-x")), to_its_end, lacks_it, ends)
    assert (came, argvs[1]) == (ExecEnding(0), ["/app", "-x"])
    came, argvs, _ = outcome(ExecQuery(ref=REF), to_its_end, lacks_it, lacks_it)
    assert came == ExecEnding(127, "the image has no shell, neither bash nor sh")


def test_a_cluster_that_cannot_end_an_input_gets_none():
    query = ExecQuery(ref=REF, argv=("tar", "x"), stdin=True)
    came, _, _ = outcome(query, to_its_end, ends, silent, old=True)
    assert isinstance(came, Refused)
    assert "cannot end the input" in came.title


def test_a_terminal_is_told_its_size_and_keys_go_there():
    heard: list[bytes] = []

    async def listens(peer: Peer) -> None:
        while b"\x00exit\r" not in heard:
            heard.extend(bytes(frame.data) for frame in await peer.hear())
        await ends(peer)

    async def use(session: ContainerSession) -> object:
        await session.resize(TerminalSize(100, 30))
        await session.send(b"exit\r")
        await session.end_input()
        return await to_its_end(session)

    query = ExecQuery(ref=REF, stdin=True, terminal=TerminalSize(80, 24), term="screen")
    came, argvs, _ = outcome(query, use, ends, listens)
    assert came == ExecEnding(0)
    assert heard == [b'\x04{"Width":80,"Height":24}', b'\x04{"Width":100,"Height":30}', b"\x00exit\r"]
    assert argvs[1][2] == "TERM=screen"
    assert argvs[1][5] == 'stty rows 24 cols 80 2>/dev/null; exec "$@"'


@pytest.mark.parametrize(("given", "lost"), [(b"k", True), (b"k" * 200_000, False)])
def test_silence_behind_much_input_tells_nothing(given: bytes, lost: bool):
    """A command that reads none holds up the pings behind it; a key or two hold up nothing."""

    async def reads_late(peer: Peer) -> None:
        await asyncio.sleep(300)
        taken = 0
        while taken < len(given):
            taken += sum(len(frame.data) - 1 for frame in await peer.hear() if len(frame.data) > 1)
        await ends(peer)

    async def use(session: ContainerSession) -> object:
        giving = asyncio.create_task(session.send(given))
        try:
            return await to_its_end(session)
        finally:
            giving.cancel()

    came, _, seconds = outcome(ExecQuery(ref=REF, argv=("cat",), stdin=True), use, ends, reads_late, ends)
    assert isinstance(came, Unreachable) == lost
    assert seconds == pytest.approx(30 if lost else 300, abs=7)


def test_a_command_that_takes_no_input_for_long_is_not_taken_for_a_cut_cable():
    """With the limit of ordinary requests its connection ended after 30 s."""

    async def limit(session: ContainerSession) -> object:
        used = session._channels._websocket._stream._writer.get_extra_info("socket")
        return used.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    came, _, _ = outcome(ExecQuery(ref=REF, argv=("cat",), stdin=True), limit, ends, ends, ends)
    assert came == 0
