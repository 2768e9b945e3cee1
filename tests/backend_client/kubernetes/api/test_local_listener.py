"""A login that is not encrypted goes to no other user's program on this machine; with a real second user."""

import asyncio
import json
import stat

import pytest

from backend_client.errors import Refused
from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.transport import Transport
from tests.support.second_user import as_user, listener, needs_root
from tests.support.wait import async_until

EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "[::1]": "::1", "0.0.0.0": "127.0.0.1"}
"""A host as a kubeconfig may have it, and where a program listens then."""


@pytest.fixture
def users(tmp_path):
    """Every kind of login of a kubeconfig that stands in a header."""
    token = tmp_path / "token"
    token.write_text("SECRET")
    program = tmp_path / "login"
    program.write_text(f"#!/bin/sh\necho '{json.dumps({**EXEC, 'status': {'token': 'SECRET'}})}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {
        "token": {"token": "SECRET"},
        "file": {"tokenFile": str(token)},
        "password": {"username": "ann", "password": "SECRET"},
        "exec": {"exec": {"apiVersion": EXEC["apiVersion"], "command": str(program)}},
        "none": {},
    }


@pytest.fixture
def ask(tmp_path, monkeypatch, users):
    """ask(server, user, proxy): a request by the kubeconfig that says so."""

    async def request(server, user="token", proxy=""):
        cluster = {"server": server, "insecure-skip-tls-verify": True, "proxy-url": proxy}
        config = {
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": cluster}],
            "users": [{"name": "u", "user": users[user]}],
        }
        path = tmp_path / "config"
        path.write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(path))
        transport = Transport(kubeconfig.load("c"))
        try:
            return await transport.request("GET", "/version", timeout=5)
        finally:
            await transport.aclose()

    return request


@pytest.fixture
def note(tmp_path):
    """A file where another user writes what came to their ears."""
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    return place / "note"


@needs_root
@pytest.mark.parametrize("user", ["token", "file", "password", "exec"])
@pytest.mark.parametrize("host", HOSTS)
async def test_another_users_listener_gets_no_byte(ask, note, host, user):
    with as_user(listener(HOSTS[host], note=str(note))) as port:
        with pytest.raises(Refused, match="is nobody's, not yours: nothing was sent") as caught:
            await ask(f"http://{host}:{port.decode()}", user)
        assert "https" in caught.value.hint
    assert not note.exists()


@needs_root
@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize(
    ("server", "login"),
    [
        ("https://api.invalid", "me:SECRET@"),
        ("http://api.invalid:8080", "me:SECRET@"),
        ("http://api.invalid:8080", ""),  # the token would be in clear
    ],
)
async def test_nor_does_another_users_proxy(ask, note, scheme, server, login):
    with (
        as_user(listener(note=str(note))) as port,
        pytest.raises(Refused, match=f"listens at 127.0.0.1:{port.decode()} is nobody's"),
    ):
        await ask(server, proxy=f"{scheme}://{login}127.0.0.1:{port.decode()}")
    assert not note.exists()


@needs_root
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_carries_what_is_encrypted_whoever_runs_it(ask, note, scheme):
    with as_user(listener(note=str(note))) as port:
        asking = asyncio.create_task(
            ask("https://api.invalid", proxy=f"{scheme}://127.0.0.1:{port.decode()}")
        )
        await async_until(note.exists)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert b"SECRET" not in note.read_bytes()


@needs_root
async def test_without_a_login_nothing_is_asked(ask, note):
    """As `kubectl proxy` is used, which may be another's or in a container."""
    with as_user(listener(note=str(note))) as port:
        asking = asyncio.create_task(ask(f"http://127.0.0.1:{port.decode()}", "none"))
        await async_until(note.exists)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert b"Authorization" not in note.read_bytes()


@pytest.mark.parametrize(("user", "header"), [("token", "Bearer SECRET"), ("password", "Basic ")])
async def test_ones_own_listener_gets_the_login(ask, user, header):
    heads = []

    async def served(reader, writer):
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await ask(f"http://localhost:{port}", user)).status == 200
    assert f"Authorization: {header}" in heads[0]
