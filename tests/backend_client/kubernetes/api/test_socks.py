"""A cluster behind a SOCKS5 proxy, as `ssh -D` opens one: against a small proxy that speaks RFC 1928."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from backend_client.errors import Unreachable
from backend_client.kubernetes.api.connection import Address, dial
from backend_client.kubernetes.api.proxy import proxy_of

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Proxy:
    """Answers `reply` to a connect, and with 0 joins the two sides; knows names that nobody else does."""

    def __init__(
        self, target: int, *, reply: int = 0, login: bytes = b"", bound: bytes = b"\x01" + bytes(6)
    ) -> None:
        self.target, self.reply, self.login, self.bound = target, reply, login, bound
        self.asked: list[tuple[bytes, int]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 2 if self.login else 0
        writer.write(bytes([5, wanted if wanted in methods else 255]))
        if wanted not in methods:
            return
        if self.login:
            _, length = await reader.readexactly(2)
            user = await reader.readexactly(length)
            (length,) = await reader.readexactly(1)
            given = user + b":" + await reader.readexactly(length)
            writer.write(bytes([1, 0 if given == self.login else 1]))
            if given != self.login:
                return
        *_, kind = await reader.readexactly(4)
        size = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        host, port = await reader.readexactly(size), int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append((host, port))
        writer.write(bytes([5, self.reply, 0]) + self.bound)
        if not self.reply:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.target)
            far.write(await reader.read(4096))
            writer.write(await far_reader.read(4096))
            await writer.drain()
            far.close()


@asynccontextmanager
async def running(**options: object) -> AsyncIterator[tuple[Proxy, int]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as far:
        proxy = Proxy(far.sockets[0].getsockname()[1], **options)  # type: ignore[arg-type]
        async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as near:
            yield proxy, near.sockets[0].getsockname()[1]


async def fetch(proxy: str, host: str = "only-the-bastion-knows.example") -> bytes:
    connection = await dial(Address(host, 6443, host, proxy), None)
    head = await connection.send("GET", "/version", [("Host", "x")], b"")
    body = await connection.read()
    connection.close()
    return b"%d %s" % (head.status_code, body)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_the_proxy_looks_the_name_up(scheme):
    async with running() as (proxy, port):
        assert await fetch(f"{scheme}://127.0.0.1:{port}") == b"200 ok"
    assert proxy.asked == [(b"only-the-bastion-knows.example", 6443)]


@pytest.mark.parametrize(
    ("host", "packed"), [("10.1.2.3", b"\x0a\1\2\3"), ("fd00::1", b"\xfd" + bytes(14) + b"\1")]
)
async def test_addresses(host, packed):
    async with running() as (proxy, port):
        assert await fetch(f"socks5://127.0.0.1:{port}", host) == b"200 ok"
    assert proxy.asked == [(packed, 6443)]


@pytest.mark.parametrize("bound", [b"\x03\x04host\0\0", b"\x04" + bytes(18)])
async def test_whatever_address_the_reply_has(bound):
    async with running(bound=bound) as (_, port):
        assert await fetch(f"socks5://127.0.0.1:{port}") == b"200 ok"


async def test_a_login():
    async with running(login=b"me:p w") as (_, port):
        assert await fetch(f"socks5://me:p%20w@127.0.0.1:{port}") == b"200 ok"
        with pytest.raises(Unreachable, match="refuses the login"):
            await fetch(f"socks5://me:wrong@127.0.0.1:{port}")
        with pytest.raises(Unreachable, match="wants another login") as error:
            await fetch(f"socks5://127.0.0.1:{port}")
        assert "wrong" not in str(error.value)


@pytest.mark.parametrize(
    ("reply", "words"), [(4, "host unreachable"), (5, "connection refused"), (2, "not allowed")]
)
async def test_a_refusal_in_words(reply, words):
    async with running(reply=reply) as (_, port):
        with pytest.raises(Unreachable, match=f"the proxy says: .*{words}"):
            await fetch(f"socks5://127.0.0.1:{port}", "fd00::1")


async def test_what_is_no_socks_proxy():
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable, match="does not speak SOCKS5"):
            await fetch(f"socks5://127.0.0.1:{port}")


def test_which_proxy(monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "socks5://bastion:1080")
    monkeypatch.setenv("ALL_PROXY", "socks5://other:1080")
    assert proxy_of("", "https", "gpu.example.org", 6443) == "socks5://bastion:1080"
    monkeypatch.delenv("HTTPS_PROXY")
    assert proxy_of("", "https", "gpu.example.org", 6443) == "", "kubectl does not read ALL_PROXY"
    with pytest.raises(ValueError, match="socks4; http, https, socks5 and socks5h are supported"):
        proxy_of("socks4://x:1", "https", "gpu.example.org", 6443)


def test_an_ipv6_address_has_brackets():
    assert str(Address("::1", 6443, "x")) == "[::1]:6443"
