"""A command in a container; its far end is silent, late, cut or odd. A real one: test_exec_live."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from backend_client.errors import BackendError, Forbidden, LoginNeeded, NotFound, Refused, Unreachable
from backend_client.kubernetes.api.credentials import Login, bearer
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.exec.container import Container
from backend_client.kubernetes.exec.run_command import CommandResult, StillRuns, run_command
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.exec_server import SUCCESS, ExecServer, Peer

WHERE = Container("team", "p", "main")


async def asked(server: ExecServer, credentials: object = None, **limits: float) -> CommandResult:
    transport = Transport(server.target(credentials))  # type: ignore[arg-type]
    try:
        most = int(limits.get("most", 1000))
        return await run_command(
            transport, WHERE, ["echo", "a&b", "ä"], most=most, seconds=limits.get("seconds", 300)
        )
    finally:
        await transport.aclose()


def outcome(
    serve: Callable[[Peer], Awaitable[None]], **limits: float
) -> tuple[CommandResult | BackendError, float]:
    """What became of a command, and after how many seconds."""

    async def main() -> tuple[CommandResult | BackendError, float]:
        async with ExecServer(serve) as server:
            clock = asyncio.get_running_loop().time
            begun = clock()
            try:
                return await asked(server, **limits), clock() - begun
            except BackendError as error:
                return error, clock() - begun

    return run(main())


def test_all_in_one_piece_with_the_head() -> None:
    async def serve(peer: Peer) -> None:
        peer.send(b"\x01", b"\x02", b"\x03", b"\x01out\n", b"\x02err\n", b"\x01more\n", SUCCESS)
        peer.close()
        await peer.hear()

    async def main() -> None:
        async with ExecServer(serve) as server:
            result = await asked(server)
            assert (result.ending.exit_code, result.stdout, result.stderr) == (0, b"out\nmore\n", b"err\n")
            assert server.queries[0][:3] == [("command", "echo"), ("command", "a&b"), ("command", "ä")]

    run(main())


def test_a_message_in_fragments_that_come_byte_by_byte() -> None:
    async def serve(peer: Peer) -> None:
        peer.protocol.send_binary(b"\x01he", fin=False)
        peer.protocol.send_continuation(b"l", fin=False)
        peer.protocol.send_ping(b"")
        peer.protocol.send_continuation(b"lo", fin=True)
        peer.protocol.send_binary(SUCCESS)
        peer.protocol.send_close(1000)
        for byte in b"".join(peer.protocol.data_to_send()):
            peer.writer.write(bytes([byte]))
            await peer.writer.drain()
            await asyncio.sleep(0.001)
        await peer.hear()

    result, _ = outcome(serve)
    assert isinstance(result, CommandResult)
    assert (result.stdout, result.ending.exit_code) == (b"hello", 0)


def test_silence_ends_it_after_half_a_minute_of_pings() -> None:
    pings = []

    async def serve(peer: Peer) -> None:
        peer.send(b"\x01begun")
        while frames := await peer.hear():
            pings.extend(frames)

    error, seconds = outcome(serve)
    assert isinstance(error, Unreachable)
    assert "broke: nothing was heard for 30 s" in error.title
    assert seconds == pytest.approx(30, abs=0.5)
    assert len(pings) >= 5


def test_pongs_keep_it_waiting_for_as_long_as_it_takes() -> None:
    async def serve(peer: Peer) -> None:
        for _ in range(20):
            assert await peer.hear()
            peer.flush()
        peer.send(SUCCESS)
        peer.close()
        await peer.hear()

    result, seconds = outcome(serve)
    assert isinstance(result, CommandResult)
    assert seconds == pytest.approx(100, abs=1)


def test_no_status_is_not_a_success() -> None:
    async def serve(peer: Peer) -> None:
        peer.send(b"\x01half")
        peer.close()
        await peer.hear()

    result, _ = outcome(serve)
    assert isinstance(result, CommandResult)
    assert result.ending.exit_code is None
    assert result.ending.message == "how it ended was not told"


async def cut(peer: Peer) -> None:
    peer.send(b"\x01half")
    await peer.writer.drain()


async def failed(peer: Peer) -> None:
    peer.close(1011, "the node went away")
    await peer.hear()


async def garbage(peer: Peer) -> None:
    peer.writer.write(b"\xff\xff\xff\xff")
    await peer.hear()


@pytest.mark.parametrize(
    ("serve", "words"),
    [(cut, "broke"), (failed, "broke: the node went away"), (garbage, "broke")],
)
def test_a_link_that_is_lost_tells_no_end(serve: Callable[[Peer], Awaitable[None]], words: str) -> None:
    error, _ = outcome(serve)
    assert isinstance(error, Unreachable)
    assert words in error.title


def test_its_limits() -> None:
    async def floods(peer: Peer) -> None:
        peer.send(*[b"\x01" + b"x" * 600] * 2)
        await peer.hear()

    async def lasts(peer: Peer) -> None:
        while await peer.hear():
            peer.flush()

    error, _ = outcome(floods)
    assert isinstance(error, Refused)
    assert error.title == "The command in container main of pod p printed more than 1000 bytes."
    late, seconds = outcome(lasts, seconds=12)
    assert isinstance(late, StillRuns)
    assert late.title == "The command echo did not end in 12 s in container main of pod p."
    assert seconds == pytest.approx(12, abs=0.5)


class Renewed:
    """A login that is another one once it was rejected."""

    def __init__(self) -> None:
        self.current = Login(bearer("old"))

    async def login(self, rejected: Login | None = None) -> Login:
        if rejected is self.current:
            self.current = Login(bearer("new"))
        return self.current


@pytest.mark.parametrize(("token", "ends"), [("new", True), ("none of these", False)])
def test_a_401_gets_one_new_login(token: str, ends: bool) -> None:
    async def serve(peer: Peer) -> None:
        peer.send(SUCCESS)
        peer.close()
        await peer.hear()

    async def main() -> None:
        async with ExecServer(serve) as server:
            server.tokens = {token}
            if ends:
                assert (await asked(server, Renewed())).ending.exit_code == 0
            else:
                with pytest.raises(LoginNeeded, match="does not accept the login"):
                    await asked(server, Renewed())
            assert len(server.queries) == 2

    run(main())


def http(status: int, body: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def said(code: int, message: str) -> bytes:
    return http(code, f'{{"kind":"Status","status":"Failure","code":{code},"message":"{message}"}}')


DENIED = r"pods \"p\" is forbidden: User \"u\" cannot get resource \"pods/exec\" in API group \"\""
NO_WEBSOCKETS = "A proxy before the cluster passes no WebSockets, so no command can be run."


@pytest.mark.parametrize(
    ("answer", "kind", "title"),
    [
        (said(403, DENIED), Forbidden, "You may not get pods/exec in team."),
        (said(403, "pods is forbidden: not by night"), Refused,
         "The cluster runs no command in container main of pod p: pods is forbidden: not by night."),
        (http(403), Refused, "The cluster runs no commands as traindeck asks for them."),
        (said(404, r"pods \"p\" not found"), NotFound, 'pods "p" not found.'),
        (said(400, "container x is not valid for pod p"), Refused,
         "The cluster runs no command in container main of pod p: container x is not valid for pod p."),
        (http(400, "Upgrade request required"), Refused, NO_WEBSOCKETS),
        (http(200, "<html>"), Refused, NO_WEBSOCKETS),
        (said(429, "busy"), Unreachable, "The cluster runs no command in container main of pod p: busy."),
        (http(502, "error dialing backend"), Unreachable,
         "The cluster runs no command in container main of pod p: error dialing backend."),
        (http(101)[:30], Unreachable, ""),
    ],
)  # fmt: skip
def test_what_it_says_instead(answer: bytes, kind: type[BackendError], title: str) -> None:
    async def main() -> None:
        async with ExecServer(lambda _: asyncio.sleep(0), answer) as server:
            with pytest.raises(kind) as caught:
                await asked(server)
            assert type(caught.value) is kind
            assert caught.value.title == title or not title
            assert len(server.queries) == 1

    run(main())


def test_what_is_no_websocket_is_not_read_as_one() -> None:
    async def main() -> None:
        async with ExecServer(lambda _: asyncio.sleep(0)) as server:
            server.accept = "x"
            with pytest.raises(Unreachable, match="answered with what is no WebSocket"):
                await asked(server)

    run(main())
