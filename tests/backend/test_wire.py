"""The server against raw bytes: slow, half, oversized, smuggled, old and new HTTP; and crowds of connections.

Every case ends in an answer or a closed connection, the server's log has no defect, and a login gets through.
"""

import contextlib
import json
import re
import socket
import time
from types import SimpleNamespace

import httpx
import pytest

from backend import http_protocol
from backend.http_protocol import Connections, LimitedProtocol
from tests.backend.conftest import PASSWORD
from tests.backend.test_serve import Serving
from tests.backend_client.server.support.running import running
from tests.support.wait import until

HOST = b"Host: localhost\r\n"
BEGUN = b"POST /api/auth/login HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`traindeck serve` at a loopback port."""
    with Serving(tmp_path_factory.mktemp("wire"), "--listen", "127.0.0.1:0") as made:
        yield made


def dial(server):
    connection = socket.create_connection(("127.0.0.1", int(server.where.rpartition(":")[2])))
    connection.settimeout(30)
    return connection


def send(server, *parts):
    """Send parts, and read until the server closes: it must, as each case asks for that or breaks a rule."""
    with dial(server) as connection:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        return read_all(connection)


def read_all(connection):
    answer = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            answer += data
    return answer


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


def get(path=b"/livez", version=b"1.1", *lines):
    return (
        b"GET " + path + b" HTTP/" + version + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    )


CLOSE, AT = b"Connection: close", b"Host: localhost"
FLOOD = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 100) for number in range(400))
CASES = {
    "plain": ([get(b"/livez", b"1.1", AT, CLOSE)], [200]),
    "byte by byte": ([bytes([byte]) for byte in get(b"/livez", b"1.1", AT, CLOSE)], [200]),
    "pipelined": ([get(b"/livez", b"1.1", AT) * 3 + get(b"/api/server", b"1.1", AT, CLOSE)], [200] * 4),
    "HTTP/1.0": ([get(b"/livez", b"1.0", AT)], [200]),
    "absolute form": ([get(b"http://localhost/livez", b"1.1", AT, CLOSE)], [200]),
    "absolute form wins over Host": ([get(b"http://evil.example/api/server", b"1.1", AT, CLOSE)], [421]),
    "a foreign Host": ([get(b"/api/server", b"1.1", b"Host: evil.example", CLOSE)], [421]),
    "two Hosts": ([get(b"/livez", b"1.1", AT, b"Host: evil.example", CLOSE)], [400]),
    "no Host": ([get(b"/livez", b"1.1", CLOSE)], [400]),
    "asterisk": ([b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"], [404]),
    "CONNECT": ([b"CONNECT localhost:22 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"], [403]),
    "HTTP/2 preface": ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], [505]),
    "HTTP/2 by upgrade": (
        [get(b"/livez", b"1.1", AT, b"Connection: upgrade, close", b"Upgrade: h2c")],
        [200],
    ),
    "TLS to a plain port": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200], [400]),
    "garbage": ([b"\x00\xff\x00\xff\r\n\r\n"], [400]),
    "HTTP/0.9": ([b"GET /livez\r\n\r\n"], [400]),
    "a bad version": ([get(b"/livez", b"9.9", AT, CLOSE)], [505]),
    "a flood of headers": ([b"GET /livez HTTP/1.1\r\n" + HOST + FLOOD + b"\r\n"], [431]),
    "a header without end": ([b"GET /livez HTTP/1.1\r\nX: " + b"a" * 200_000], [431]),
    "a long path": ([get(b"/" + b"a" * 100_000, b"1.1", AT, CLOSE)], [431]),
    "a folded header": ([get(b"/livez", b"1.1", AT, b"X: a\r\n b", CLOSE)], [200]),
    "a blank before the colon": ([get(b"/livez", b"1.1", AT, b"X : a", CLOSE)], [400]),
    "NUL in a header": ([get(b"/livez", b"1.1", AT, b"X: a\0b", CLOSE)], [400]),
    "a path that is no ASCII": ([get("/lävez".encode(), b"1.1", AT, CLOSE)], [400]),
    "two lengths": (
        [BEGUN + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get()],
        [400],
    ),
    "two Content-Lengths": ([BEGUN + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"], [400]),
    "a negative length": ([BEGUN + b"Content-Length: -1\r\n\r\n"], [400]),
    "a huge length": ([BEGUN + b"Content-Length: " + b"9" * 18 + b"\r\nConnection: close\r\n\r\n"], [413]),
    "an absurd length": ([BEGUN + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n"], [400]),
    "an unknown encoding": ([BEGUN + b"Transfer-Encoding: gzip, chunked\r\n\r\n"], [501]),
    "a bad chunk": ([BEGUN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"], [400]),
    "a chunk size that overflows": (
        [BEGUN + b"Transfer-Encoding: chunked\r\n\r\n" + b"F" * 40 + b"\r\n"],
        [400],
    ),
    "a chunk of a size that lies": (
        [BEGUN + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"],
        [400],
    ),
    "chunks without end": (
        [
            BEGUN + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
            *[b"8000\r\n" + b" " * 0x8000 + b"\r\n"] * 40,
        ],
        [413],
    ),
    "Expect": (
        [BEGUN + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", b"{}"],
        [100, 422],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bytes_and_their_answers(server, name):
    parts, expected = CASES[name]
    assert statuses(send(server, *parts)) == expected


def test_a_smuggled_request_is_none(server):
    """Two lengths: the second request in the body is neither answered nor run."""
    hidden = b"POST /api/auth/register HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = b"0\r\n\r\n" + hidden
    head = BEGUN + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(body)
    assert statuses(send(server, head + body)) == [400]


def test_a_client_that_leaves_in_the_middle_is_no_defect(server):
    answer = httpx.post(f"{server.where}/api/auth/login", json={"user": "root", "password": PASSWORD})
    token = f"Authorization: Bearer {answer.json()['token']}\r\nContent-Type: application/json\r\n".encode()
    mine = b"POST /api/jobs HTTP/1.1\r\n" + HOST + token
    bodies = [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe"]
    for half in (b"", b"GET", BEGUN, *(head + body for head in (BEGUN, mine) for body in bodies)):
        with dial(server) as connection:
            connection.sendall(half)
            time.sleep(0.05)
    left = until(lambda: [line for line in server.log() if line.get("path") == "/api/jobs"][1:])
    assert {line["status"] for line in left} <= {400, 499}
    assert httpx.get(f"{server.where}/livez").status_code == 200


def test_what_the_server_said_of_all_that(server):
    """Runs last: no defect, no traceback, nothing of level error."""
    wrong = [line for line in server.log() if line["level"] in ("error", "critical") or "error" in line]
    assert wrong == []
    refused = send(server, b"\x00\r\n\r\n")
    assert b"application/problem+json" in refused
    assert json.loads(refused.partition(b"\r\n\r\n")[2])["status"] == 400


@pytest.fixture
def quick(tmp_path, monkeypatch):
    """Serve with time limits of a second."""
    monkeypatch.setattr(http_protocol, "SECONDS", {"head": 1.0, "body": 1.0, "closing": 1.0})
    with running(tmp_path / "server", people={"root": "admin", "ann": "researcher"}) as made:
        yield made


def open_to(server):
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.settimeout(20)
    return connection


@pytest.mark.parametrize(
    ("half", "status"),
    [
        (b"", []),
        (b"GET /livez HT", [408]),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ", [408]),
        (BEGUN + b"Content-Length: 100\r\n\r\n{", [408]),
        (BEGUN + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe", [408]),
        (b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\nGET /li", [200, 408]),
    ],
)
def test_half_of_a_request_is_not_waited_for_for_ever(quick, half, status):
    with open_to(quick) as connection:
        connection.sendall(half)
        assert statuses(read_all(connection)) == status


@pytest.mark.parametrize("begun", [b"GET /livez HTTP/1.1\r\nX: ", BEGUN + b"Content-Length: 100000\r\n\r\n"])
def test_a_drip_does_not_buy_time(quick, begun):
    with open_to(quick) as connection:
        connection.sendall(begun)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 20:
                connection.sendall(b"a")
                time.sleep(0.1)
        assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("method", "path", "answered", "seconds"),
    [
        ("PUT", f"/api/code/{'0a' * 32}", False, 350),
        ("PUT", f"/api/code/{'0a' * 32}", True, 30),  # nobody waits for it any more
        ("POST", f"/api/code/{'0a' * 32}", False, 30),
        ("PUT", "/api/alerts/wishes", False, 30),
    ],
)
def test_packed_code_alone_may_take_longer(method, path, answered, seconds):
    connection = LimitedProtocol.__new__(LimitedProtocol)
    connection.cycle = SimpleNamespace(
        scope={"type": "http", "method": method, "path": path}, response_complete=answered
    )
    assert connection.seconds("body") == seconds
    assert connection.seconds("head") == 10


def test_an_idle_connection_of_a_login_stays_for_its_next_request(quick):
    with httpx.Client(base_url=quick.url) as client:
        client.get("/livez").raise_for_status()
        first = client._transport._pool.connections[0]
        time.sleep(3)
        client.get("/livez").raise_for_status()
        assert client._transport._pool.connections[0] is first


@pytest.mark.parametrize(
    "crowd", [b"", b"GET /livez HTTP/1.1\r\nX: ", b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"]
)
def test_a_crowd_of_connections_shuts_no_login_out(tmp_path, monkeypatch, crowd):
    """The oldest strangers go; a login's connections are no strangers, and its new ones get in."""
    monkeypatch.setattr(http_protocol, "STRANGERS", 20)
    with running(tmp_path / "server", people={"root": "admin", "ann": "researcher"}) as server:
        answer = httpx.post(f"{server.url}/api/auth/login", json={"user": "ann", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        with httpx.Client(base_url=server.url, headers=headers) as ann, contextlib.ExitStack() as stack:
            ann.get("/api/auth/me").raise_for_status()
            first = ann._transport._pool.connections[0]
            for _ in range(60):
                stack.enter_context(open_to(server)).sendall(crowd)
            assert httpx.get(f"{server.url}/api/auth/me", headers=headers).status_code == 200
            until(lambda: server.connections <= 22)
            assert ann.get("/api/auth/me").status_code == 200
            assert ann._transport._pool.connections[0] is first
            assert httpx.get(f"{server.url}/api/auth/me", headers=headers).status_code == 200


def test_a_crowd_in_all_is_kept_small_at_once(tmp_path):
    table = Connections(lambda token: token == "known", most=3)
    closed = []

    class Fake:
        cycle, token = None, None

        def __init__(self, address, token=None):
            self.address, self.token = address, token
            self.transport = self

        def phase(self):
            return "head"

        def abort(self):
            closed.append(self)
            table.remove(self)

    crowd = [Fake("192.0.2.1") for _ in range(3)]
    ann = Fake("192.0.2.2", "known")
    for one in (*crowd, ann, Fake("192.0.2.3")):
        table.add(one)
    assert closed == crowd[:2]
