"""Connect through a SOCKS5 proxy (RFC 1928), as `ssh -D` is one. The proxy looks the host's name up."""

import asyncio
from urllib.parse import SplitResult, unquote

from socksio import ProtocolError
from socksio.socks5 import (
    SOCKS5AType,
    SOCKS5AuthMethod,
    SOCKS5AuthMethodsRequest,
    SOCKS5AuthReply,
    SOCKS5Command,
    SOCKS5CommandRequest,
    SOCKS5Reply,
    SOCKS5ReplyCode,
    SOCKS5UsernamePasswordReply,
    SOCKS5UsernamePasswordRequest,
)

_ADDRESS_BYTES = {SOCKS5AType.IPV4_ADDRESS: 4, SOCKS5AType.IPV6_ADDRESS: 16}


async def connect(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: SplitResult, host: str, port: int
) -> None:
    """Ask the proxy behind the streams for a connection. Raises ConnectionError, with what it says."""
    methods = [SOCKS5AuthMethod.NO_AUTH_REQUIRED]
    if proxy.username is not None:
        methods.append(SOCKS5AuthMethod.USERNAME_PASSWORD)
    writer.write(SOCKS5AuthMethodsRequest(methods).dumps())
    try:
        chosen = SOCKS5AuthReply.loads(await reader.readexactly(2)).method
        if chosen is SOCKS5AuthMethod.USERNAME_PASSWORD:
            await _log_in(reader, writer, proxy)
        elif chosen is not SOCKS5AuthMethod.NO_AUTH_REQUIRED:
            raise ConnectionError("the proxy wants another login than the kubeconfig's proxy-url has")
        writer.write(SOCKS5CommandRequest.from_address(SOCKS5Command.CONNECT, (host, port)).dumps())
        reply = SOCKS5Reply.loads(await _read_reply(reader))
    except ProtocolError:
        raise ConnectionError("the proxy does not speak SOCKS5") from None
    if reply.reply_code is not SOCKS5ReplyCode.SUCCEEDED:
        raise ConnectionError(f"the proxy says: {reply.reply_code.name.lower().replace('_', ' ')}")


async def _log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: SplitResult) -> None:
    user, password = (unquote(text or "").encode()[:255] for text in (proxy.username, proxy.password))
    writer.write(SOCKS5UsernamePasswordRequest(user, password).dumps())
    if not SOCKS5UsernamePasswordReply.loads(await reader.readexactly(2)).success:
        raise ConnectionError("the proxy refuses the login of the kubeconfig's proxy-url")


async def _read_reply(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    if head[3:] == SOCKS5AType.DOMAIN_NAME:
        length = await reader.readexactly(1)
        return head + length + await reader.readexactly(length[0] + 2)
    size = next((size for kind, size in _ADDRESS_BYTES.items() if kind == head[3:]), 0)
    return head + await reader.readexactly(size + 2)
