"""Whose program is at the other end of a connection within this machine, with a real second user."""

import os
import socket
import threading
from contextlib import contextmanager

import pytest

from backend_client import local_peer
from backend_client.errors import Refused, Unreachable
from backend_client.local_peer import check_local_peer
from backend_client.models.secret import Secret
from backend_client.server.auth_client import AuthClient
from backend_client.server.connection import Connection
from tests.support.second_user import NOBODY, as_user, listener, needs_root, unix_listener

LABEL = "127.0.0.1:8642"


def connect(host, port):
    return socket.create_connection((host, int(port)))


@contextmanager
def pair(host, listens_at="", **more):
    """A server of ours, and a connection to it that waits to be accepted."""
    listens_at = listens_at or host
    family = socket.AF_INET6 if ":" in listens_at else socket.AF_INET
    with (
        socket.create_server((listens_at, 0), family=family, **more) as server,
        connect(host, server.getsockname()[1]) as ours,
    ):
        yield server, ours


def refuses(connected, match):
    with pytest.raises(Refused, match=match):
        check_local_peer(connected, LABEL)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "127.8.9.10"])
def test_ones_own_program_is_trusted(host):
    with pair(host) as (server, ours):
        accepted, _ = server.accept()
        check_local_peer(ours, LABEL)
        check_local_peer(accepted, LABEL)  # the other way round it is the same question
        accepted.close()


def test_ipv4_to_a_server_that_listens_for_both():
    with pair("127.0.0.1", "::", dualstack_ipv6=True) as (server, ours):
        accepted, _ = server.accept()
        check_local_peer(ours, LABEL)
        accepted.close()


@needs_root
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_another_users_port_is_refused_by_name(host):
    with as_user(listener(host)) as port, connect(host, port) as ours:
        refuses(ours, "is nobody's, not yours: nothing was sent")


@needs_root
def test_a_connection_that_waits_belongs_to_nobody_yet(monkeypatch):
    """The system's table says root of it, whoever listens: that must not be believed."""
    monkeypatch.setattr(local_peer, "ACCEPT_SECONDS", 0.2)
    trap = as_user(listener(accepts=False))
    with (
        trap as port,
        connect("127.0.0.1", port) as ours,
        pytest.raises(Unreachable, match="does not answer"),
    ):
        check_local_peer(ours, LABEL)


def test_a_slow_server_of_ones_own_is_waited_for():
    with pair("127.0.0.1") as (server, ours):
        accepted = []
        late = threading.Timer(0.3, lambda: accepted.append(server.accept()[0]))
        late.start()
        check_local_peer(ours, LABEL)
        late.join()
        accepted[0].close()


@needs_root
def test_whoever_took_the_connection_counts_not_who_listens_now():
    """The other one accepts, and goes; one's own server takes the port again at once."""

    def take_and_let_go(pipe):
        server = socket.create_server(("127.0.0.1", 0))
        os.write(pipe, str(server.getsockname()[1]).encode())
        connection, _ = server.accept()
        server.close()
        connection.sendall(b"taken")
        connection.recv(1)

    with as_user(take_and_let_go) as port, connect("127.0.0.1", port) as ours:
        assert ours.recv(5) == b"taken"
        with socket.create_server(("127.0.0.1", int(port))), pytest.raises(Refused, match="nobody's"):
            check_local_peer(ours, LABEL)


def test_where_the_system_does_not_tell_nothing_is_sent(monkeypatch):
    monkeypatch.setattr(local_peer, "_TABLES", ())
    with pair("127.0.0.1") as (_, ours):
        refuses(ours, "cannot be told whose")


async def ask(url):
    connection = Connection(url, lambda: Secret("td_secret"))
    try:
        await connection.request("GET", "/api/auth/me")
    finally:
        await connection.aclose()


async def log_in(folder, url):
    await AuthClient(folder, url).log_in("ann", Secret("correct horse"))


@needs_root
@pytest.mark.parametrize("way", ["tcp", "unix"])
@pytest.mark.parametrize("act", ["token", "password"])
async def test_no_byte_of_a_login_reaches_another_user(tmp_path, monkeypatch, way, act):
    monkeypatch.setattr("backend_client.server.token_store.KeyringTokenStore.works", lambda self: False)
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    note, path = place / "note", place / "s"
    trap = listener(note=str(note)) if way == "tcp" else unix_listener(str(path), str(note))
    with as_user(trap) as said:
        url = f"http://127.0.0.1:{said.decode()}" if way == "tcp" else f"unix://{path}"
        call = ask(url) if act == "token" else log_in(tmp_path / "config", url)
        with pytest.raises(Refused, match="nobody's"):
            await call
    assert not note.exists()


@needs_root
def test_a_labs_socket_is_trusted_where_only_its_account_can_put_one(monkeypatch):
    place = f"/run/td-test-{os.getpid()}"
    os.mkdir(place, 0o755)
    os.chown(place, NOBODY, NOBODY)
    try:
        with as_user(unix_listener(f"{place}/s")), socket.socket(socket.AF_UNIX) as ours:
            ours.connect(f"{place}/s")
            check_local_peer(ours, "the lab")
            os.chmod(place, 0o777)
            refuses(ours, "nobody's")
    finally:
        os.unlink(f"{place}/s")
        os.rmdir(place)
