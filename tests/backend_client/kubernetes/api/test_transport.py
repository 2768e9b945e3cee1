"""Requests: against a scripted server that fails, and against a real API server."""

import asyncio
import base64
import gzip
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backend_client import errors
from backend_client.kubernetes.api.connection import Address
from backend_client.kubernetes.api.credentials import Fixed, Login, bearer
from backend_client.kubernetes.api.errors import (
    Expired,
    ServerFailed,
    describe_request,
    error_from_status,
    parse_status,
)
from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import NAMESPACES, NODES, PODS, QUOTAS
from backend_client.models.secret import Secret
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.clock import run
from tests.backend_client.kubernetes.support.faults import FaultyApi, Pods
from tests.backend_client.kubernetes.support.proxy import Proxy

PATH = PODS.path("ns")


@pytest.fixture
async def api() -> AsyncIterator[FaultyApi]:
    made = FaultyApi(Pods(), page=500)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def plain(api: FaultyApi) -> AsyncIterator[Transport]:
    made = Transport(api.target())
    yield made
    await made.aclose()


async def test_one_connection_serves_one_request_after_another(plain: Transport, api: FaultyApi) -> None:
    for _ in range(5):
        await plain.request("GET", PATH)
    assert api.connections == 1
    await asyncio.gather(*(plain.request("GET", PATH) for _ in range(5)))
    assert api.connections == 5
    async with plain.stream(
        PATH, query={"watch": "1", "resourceVersion": "1", "timeoutSeconds": "99"}
    ) as stream:
        assert stream.status == 200
    await plain.request("GET", PATH)
    assert api.connections == 5


async def test_a_read_survives_a_connection_that_died_meanwhile(plain: Transport, api: FaultyApi) -> None:
    await plain.request("GET", PATH)
    api.faults.append("close")
    assert (await plain.request("GET", PATH)).status == 200
    assert len(api.requests) == 3


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
async def test_a_write_is_never_sent_twice(plain: Transport, api: FaultyApi, method: str) -> None:
    await plain.request("GET", PATH)
    for fault in ("close", "reset", "cut head", "503", "500", "429"):
        api.faults.append(fault)
        before = len(api.requests)
        with pytest.raises(errors.Unreachable):
            await plain.request(method, PATH, body=b"{}")
        assert len(api.requests) == before + 1


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("403", errors.Forbidden, "You may not read pods in ns"),
        ("404", errors.NotFound, "scripted 404"),
        ("410", Expired, "scripted 410"),
        ("429", errors.Unreachable, "busy"),
        ("500", ServerFailed, "failed to read pods in ns"),
        ("302", ServerFailed, "302"),
        ("html", ServerFailed, "bad gateway"),
        ("not http", errors.Unreachable, "broke"),
        ("cut head", errors.Unreachable, "broke"),
        ("401", errors.LoginNeeded, "login"),
    ],
)
async def test_errors_in_words(plain: Transport, api: FaultyApi, fault: str, kind: Any, words: str) -> None:
    api.faults.append(fault)
    with pytest.raises(kind, match=words):
        await plain.request("GET", PATH)
    api.faults.append(fault)
    with pytest.raises(kind, match=words):
        async with plain.stream(PATH):
            pass
    assert (await plain.request("GET", "/version")).status == 200


async def test_what_is_allowed_is_answered(plain: Transport, api: FaultyApi) -> None:
    api.faults.append("404")
    answer = await plain.request("GET", PATH, allow={404})
    assert (answer.status, parse_status(answer.status, answer.body).message) == (404, "scripted 404")


async def test_retry_after(plain: Transport, api: FaultyApi) -> None:
    api.faults.append("429")
    with pytest.raises(errors.Unreachable) as caught:
        await plain.request("GET", PATH)
    assert caught.value.retry_after == 7


def test_no_answer() -> None:
    async def main() -> None:
        api = FaultyApi(Pods())
        await api.start()
        transport = Transport(api.target())
        await transport.request("GET", PATH)
        api.alive = False
        with pytest.raises(errors.Unreachable, match="no answer in 15 s"):
            await transport.request("GET", PATH)
        assert asyncio.get_running_loop().time() < 1016
        await api.stop()
        with pytest.raises(errors.Unreachable, match="cannot be reached: connection refused"):
            await transport.request("GET", PATH)

    run(main())


async def test_a_server_that_takes_no_connection_is_given_up_in_3_s() -> None:
    held: list[asyncio.StreamWriter] = []

    def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes the connection, and never a word of TLS. Python 3.13 closes it where nobody holds it."""
        held.append(writer)

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = Transport(Target("x", Address("127.0.0.1", port, "127.0.0.1"), Fixed(Login())))
    began = time.monotonic()
    with pytest.raises(errors.Unreachable, match="does not answer"):
        await transport.request("GET", "/version")
    assert 2.9 < time.monotonic() - began < 20  # the machine may be busy
    server.close()


async def serve_once(answer: bytes) -> tuple[asyncio.Server, Transport]:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, Transport(Target("x", Address("127.0.0.1", port, ""), Fixed(Login()), encrypted=False))


def answered(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_gzip_and_warnings() -> None:
    headers = [
        "Content-Encoding: gzip",
        'Warning: 299 - "one \\"x\\""',
        'Warning: 299 - "two", 299 - "three"',
    ]
    server, transport = await serve_once(answered(gzip.compress(b"body"), *headers))
    response = await transport.request("GET", "/x")
    assert response.body == b"body"
    assert response.warnings == ('one "x"', "two", "three")
    server.close()


@pytest.mark.parametrize(
    "answer",
    [
        answered(b"not gzip", "Content-Encoding: gzip"),
        answered(gzip.compress(b"x" * 999)[:-9], "Content-Encoding: gzip"),
        answered(b"12345").replace(b": 5", b": 9"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc",
        b"x" * 300_000,
    ],
    ids="no-gzip cut-gzip cut-length odd-chunk cut-chunk no-head".split(),
)
async def test_a_broken_body_is_an_error(answer: bytes) -> None:
    server, transport = await serve_once(answer)
    with pytest.raises(errors.Unreachable):
        await transport.request("GET", "/x")
    server.close()


@pytest.mark.parametrize(
    "answer",
    [
        answered(b"x" * (2**20 + 1)),
        answered(gzip.compress(b"x" * (2**20 + 1)), "Content-Encoding: gzip"),
        answered(gzip.compress(b"x" * 2**26), "Content-Encoding: gzip"),
    ],
    ids="plain packed bomb".split(),
)
async def test_a_body_beyond_what_was_asked_for_is_refused(answer: bytes) -> None:
    server, transport = await serve_once(answer)
    with pytest.raises(errors.Refused, match="larger than 1 MiB"):
        await transport.request("GET", "/x", most_bytes=2**20)
    server.close()


async def test_a_body_as_large_as_asked_for_is_read() -> None:
    server, transport = await serve_once(answered(gzip.compress(b"x" * 2**20), "Content-Encoding: gzip"))
    assert len((await transport.request("GET", "/x", most_bytes=2**20)).body) == 2**20
    server.close()


async def test_no_secret_in_an_error(api: FaultyApi) -> None:
    for login in (Login(Secret("Bearer SECRET\r\nX: y")), Login(Secret("Bearer SECRET\x00"))):
        with pytest.raises(errors.BackendError) as caught:
            await Transport(api.target(Fixed(login))).request("GET", PATH)
        assert "SECRET" not in str(caught.value)
        assert caught.value.__suppress_context__
    with pytest.raises(errors.LoginNeeded):
        bearer("SECRET\nx")


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "/apis/apps/v1/namespaces/a/deployments", "create deployments in a"),
        ("DELETE", "/api/v1/namespaces/a/pods/x", "delete pods/x in a"),
        ("GET", "/api/v1/nodes", "read nodes"),
        ("GET", "/api/v1/namespaces/a", "read namespaces/a"),
        ("GET", "/version", "read /version"),
    ],
)
def test_requests_in_words(method: str, path: str, words: str) -> None:
    assert describe_request(method, path) == words


def test_a_quota_is_no_matter_of_permission() -> None:
    said = 'pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=8'
    body = msgspec.json.encode({"code": 403, "reason": "Forbidden", "message": said})
    error = error_from_status(parse_status(403, body), "POST", PATH, {})
    assert type(error) is errors.Refused
    assert error.title == "exceeded quota: gpus, requested: requests.nvidia.com/gpu=8."


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b'{"code":"x"}', b"<html>"])
def test_any_body_is_a_status(body: bytes) -> None:
    assert parse_status(418, body).code == 418


# A real API server


@pytest.mark.api
async def test_writes_and_their_errors(transport: Transport, namespace: str) -> None:
    quota = json.dumps({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}).encode()
    path = QUOTAS.path(namespace)
    assert QUOTAS.decode_object((await transport.request("POST", path, body=quota)).body).spec.hard == {
        "pods": "1"
    }
    with pytest.raises(errors.Conflict, match="already exists"):
        await transport.request("POST", path, body=quota)
    with pytest.raises(errors.Invalid) as caught:
        await transport.request("POST", path, body=quota.replace(b'"q"', b'"Q!"'))
    assert list(caught.value.fields) == ["metadata.name"]
    with pytest.raises(errors.NotFound):
        await transport.request("DELETE", QUOTAS.path(namespace, "absent"))
    patch = b'{"spec":{"hard":{"pods":"2"}}}'
    media = "application/merge-patch+json"
    one = QUOTAS.path(namespace, "q")
    changed = QUOTAS.decode_object(
        (await transport.request("PATCH", one, body=patch, content_type=media)).body
    )
    assert changed.spec.hard == {"pods": "2"}
    strict = {"dryRun": "All", "fieldValidation": "Strict"}
    with pytest.raises(errors.Refused, match=r'unknown field "spec\.hardd"'):
        await transport.request("POST", path, query=strict, body=quota.replace(b'"hard"', b'"hardd"'))


@pytest.mark.api
async def test_warnings(transport: Transport, namespace: str) -> None:
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "b"}]}, "odd": 1}
    query = {"dryRun": "All", "fieldValidation": "Warn"}
    answer = await transport.request("POST", PODS.path(namespace), query=query, body=json.dumps(pod).encode())
    assert answer.warnings == ('unknown field "odd"',)


@pytest.mark.api
async def test_permissions_are_named(own_cluster: Cluster) -> None:
    nobody = Transport(own_cluster.target("nobody"))
    with pytest.raises(errors.Forbidden, match="You may not create pods in default"):
        await nobody.request("POST", PODS.path("default"), body=b'{"metadata":{"name":"x"}}')
    with pytest.raises(errors.Forbidden, match="You may not watch nodes"):
        async with nobody.stream(NODES.path(), query={"watch": "1"}):
            pass
    await nobody.aclose()


@pytest.mark.api
async def test_a_wrong_token(cluster: Cluster) -> None:
    target = msgspec.structs.replace(cluster.target(), credentials=Fixed(Login(bearer("wrong"))))
    with pytest.raises(errors.LoginNeeded, match="does not accept the login"):
        await Transport(target).request("GET", PODS.path())


@pytest.fixture
def own(own_cluster: Cluster) -> Path:
    """The folder of our own control plane: there are keys in it."""
    return own_cluster.kubeconfig.parent


def certified(target: Target, folder: Path, key: str = "carol") -> Target:
    pem = (folder / "carol.crt").read_text() + (folder / f"{key}.key").read_text()
    return msgspec.structs.replace(target, credentials=Fixed(Login(certificate=Secret(pem))))


@pytest.mark.api
async def test_a_client_certificate(own_cluster: Cluster, own: Path) -> None:
    transport = Transport(certified(own_cluster.target(), own))
    review = b'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'
    answer = await transport.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
    assert json.loads(answer.body)["status"]["userInfo"]["username"] == "carol"
    await transport.aclose()
    with pytest.raises(errors.LoginNeeded, match="do not fit"):
        await Transport(certified(own_cluster.target(), own, "sa")).request("GET", "/version")


@pytest.mark.api
async def test_impersonation(own_cluster: Cluster, own: Path) -> None:
    headers = (("Impersonate-User", "eve"), ("Impersonate-Group", "x"), ("Impersonate-Group", "y"))
    transport = Transport(msgspec.structs.replace(own_cluster.target(), headers=headers))
    with pytest.raises(errors.Forbidden, match="may not list nodes") as caught:
        await transport.request("GET", NODES.path())
    assert 'User "eve"' in caught.value.hint
    await transport.aclose()


@pytest.mark.api
async def test_certificates_are_checked(own_cluster: Cluster, own: Path) -> None:
    target = own_cluster.target()
    other = msgspec.structs.replace(target, ca=(own / "ca.crt").read_text())
    with pytest.raises(errors.Unreachable, match="is not trusted"):
        await Transport(other).request("GET", "/version")
    named = msgspec.structs.replace(target.address, server_name="other.example.org")
    with pytest.raises(errors.Unreachable, match="is not trusted"):
        await Transport(msgspec.structs.replace(target, address=named)).request("GET", "/version")
    blind = Transport(msgspec.structs.replace(other, insecure=True))
    assert (await blind.request("GET", "/version")).status == 200
    await blind.aclose()
    with pytest.raises(errors.Refused, match="no PEM certificate"):
        await Transport(msgspec.structs.replace(target, ca="odd")).request("GET", "/version")


@pytest.mark.api
async def test_through_a_proxy_with_a_name_of_our_own(own_cluster: Cluster, own: Path) -> None:
    """The proxy alone knows the host, and the certificate has another name."""
    target = own_cluster.target()
    async with Proxy() as proxy:
        url = f"http://me:p%40ss@127.0.0.1:{proxy.port}"
        address = Address("api.invalid", target.address.port, "localhost", url)
        transport = Transport(msgspec.structs.replace(target, address=address))
        body = (await transport.request("GET", "/openapi/v2", timeout=60)).body
        assert len(body) > 1_000_000
        assert proxy.heads[0].startswith(f"CONNECT api.invalid:{address.port} HTTP/1.1\r\n")
        login = base64.b64encode(b"me:p@ss").decode()
        assert f"Proxy-Authorization: Basic {login}\r\n" in proxy.heads[0]
        assert "Bearer" not in "".join(proxy.heads)
        query = {"watch": "1", "resourceVersion": "0", "timeoutSeconds": "9"}
        async with transport.stream(NAMESPACES.path(), query=query) as stream:
            assert b'"ADDED"' in await stream.read()
        await transport.aclose()


@pytest.mark.api
async def test_through_an_encrypted_proxy(
    own_cluster: Cluster, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(own / "server.crt"))
    outer = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    outer.load_cert_chain(own / "server.crt", own / "server.key")
    target = own_cluster.target()
    async with Proxy(tls=outer) as proxy:
        address = msgspec.structs.replace(target.address, proxy=f"https://localhost:{proxy.port}")
        transport = Transport(msgspec.structs.replace(target, address=address))
        assert len((await transport.request("GET", "/openapi/v2", timeout=60)).body) > 1_000_000
        assert len(proxy.heads) == 1
        await transport.aclose()


async def test_a_proxy_that_refuses_is_named_without_its_login() -> None:
    async with Proxy("407 Proxy Authentication Required") as proxy:
        url = f"http://me:SECRET@127.0.0.1:{proxy.port}"
        target = Target("x", Address("api.invalid", 443, "api.invalid", url), Fixed(Login()))
        with pytest.raises(errors.Unreachable, match="407 Proxy Authentication Required") as caught:
            await Transport(target).request("GET", "/version")
        assert caught.value.hint == f"Check the proxy 127.0.0.1:{proxy.port}"
