"""A Prometheus by its URL that answers what no Prometheus would: it holds nobody up and fills no memory."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from backend_client.errors import BackendError, Refused, Unreachable
from backend_client.prometheus.by_url import UrlAsk
from backend_client.prometheus.client import MOST_BYTES, PrometheusClient

Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


@contextlib.asynccontextmanager
async def asked(answering: Answering) -> AsyncIterator[UrlAsk]:
    """Ask a server that answers every request so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            await answering(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    ask = UrlAsk(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield ask
    finally:
        await ask.aclose()
        server.close()


def whole(body: bytes, head: bytes = b"") -> Answering:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    return answer


async def drip(writer: asyncio.StreamWriter) -> None:
    """Write a byte now and then, for ever: never silent for long."""
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def pour(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"\r\n")
    while True:
        writer.write(b" " * 2**20)
        await writer.drain()


async def test_one_that_never_ends_is_given_up():
    async with asked(drip) as ask:
        with pytest.raises(Unreachable, match="gave no answer"):
            await ask("GET", "/api/v1/query", {}, 0.3)


@pytest.mark.parametrize(
    "answering",
    [pour, whole(gzip.compress(b" " * (MOST_BYTES + 1)), b"Content-Encoding: gzip\r\n")],
    ids=["poured", "packed"],
)
async def test_one_that_is_too_large_is_refused(answering: Answering):
    async with asked(answering) as ask:
        with pytest.raises(Refused, match="answers more than 32 MiB"):
            await ask("GET", "/api/v1/query", {}, 30.0)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"status":"success","data":{"resultType":"vector","result":'
        + b"[" * 100_000
        + b"]" * 100_000
        + b"}}",
        b"<html>",
        b"\xff",
        b"",
    ],
    ids=["deep", "deep within", "html", "no text", "empty"],
)
async def test_what_cannot_be_read_is_no_prometheus(body: bytes):
    async with asked(whole(body)) as ask:
        with pytest.raises(Refused, match="what Prometheus would not"):
            await PrometheusClient(ask).instant("up")


async def test_a_long_complaint_is_cut():
    body = b'{"status":"error","errorType":"bad_data","error":"' + b"y" * 5000 + b'"}'
    async with asked(whole(body)) as ask:
        with pytest.raises(BackendError) as refused:
            await PrometheusClient(ask).instant("up")
    assert len(refused.value.title) < 300
