"""Requests: where a login goes, what is repeated, and every failure in words."""

import asyncio
import traceback

import pytest

from backend_client import errors
from backend_client.models.secret import Secret
from backend_client.server import connection as module
from backend_client.server.connection import Connection
from tests.backend_client.server.conftest import TOKEN
from tests.backend_client.server.support.certificates import authority, server_tls
from tests.backend_client.server.support.scripted import Scripted, answer

ME = {"user": "ann"}


async def me(connection):
    return await connection.fetch("GET", "/api/auth/me", dict)


async def failure(connection, method="GET", **more):
    """How a request fails; nothing in it tells the token."""
    with pytest.raises(errors.BackendError) as caught:
        await connection.request(method, "/api/x", **more)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert TOKEN not in "".join(told.format(chain=True))
    return caught.value


def logged_in(url, **more):
    return Connection(url, lambda: Secret(TOKEN), **more)


@pytest.mark.parametrize(
    "url", ["http://gpu.example.org", "http://10.0.0.1", "http://localhost.example.org", "http://0.0.0.0:1"]
)
def test_a_login_travels_in_clear_to_this_machine_only(url):
    with pytest.raises(errors.Refused, match="not this machine") as caught:
        logged_in(url)
    assert "https://" in caught.value.hint


@pytest.mark.parametrize("url", ["ftp://localhost", "gpu.example.org", "", "https://", "unix://"])
def test_other_addresses_are_none(url):
    with pytest.raises(errors.Refused, match="begins with https://"):
        logged_in(url)


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.8.8.8", "http://[::1]:1", "https://gpu.example.org"]
)
def test_these_are(url):
    logged_in(url)


async def test_an_answer(server, connection):
    server.script = [answer(ME)]
    assert await me(connection) == ME
    assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


async def test_by_a_unix_socket(tmp_path):
    async with Scripted(path=f"{tmp_path}/socket") as server:
        connection = logged_in(server.url)
        server.script = [answer(ME)]
        assert await me(connection) == ME
        assert server.asked[0].headers["host"] == "localhost"
        await connection.aclose()


async def test_a_renewed_login_is_taken_up(server):
    tokens = ["td_one", "td_two"]
    connection = Connection(server.url, lambda: Secret(tokens[0]))
    server.script = [answer({"title": "expired"}, "401 Unauthorized"), answer(ME)]
    error = await failure(connection)
    assert isinstance(error, errors.LoginNeeded)
    assert error.hint == f"traindeck login {server.url}"
    tokens.pop(0)
    assert await me(connection) == ME
    assert [one.headers["authorization"] for one in server.asked] == ["Bearer td_one", "Bearer td_two"]
    await connection.aclose()


async def test_without_a_login_nobody_is_asked(server):
    for connection in (Connection(server.url, lambda: None), Connection(server.url, lambda: Secret("a\nb"))):
        assert isinstance(await failure(connection), errors.LoginNeeded)
        await connection.aclose()
    assert server.asked == []


async def test_a_redirect_is_not_followed(server, connection):
    async with Scripted() as other:
        server.script = [answer(status="307 Temporary Redirect", Location=f"{other.url}/api/x")]
        error = await failure(connection)
    assert isinstance(error, errors.Refused)
    assert other.url in error.title
    assert other.asked == []


async def test_a_proxy_of_the_environment_sees_nothing_of_this_machine(server, connection, monkeypatch):
    async with Scripted() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        server.script = [answer(ME)]
        assert await me(connection) == ME
    assert proxy.asked == []


async def test_a_problem_is_its_error(server, connection):
    problem = {
        "title": "too many GPUs",
        "detail": "ask for 2",
        "kind": "Refused",
        "fields": {"gpus": "2 left"},
    }
    server.script = [answer(problem, "400 Bad Request", "application/problem+json")]
    error = await failure(connection)
    assert (type(error), error.title, error.hint) == (errors.Refused, "too many GPUs", "ask for 2")
    assert error.fields == {"gpus": "2 left"}


async def test_a_busy_server_says_when_to_come_back(server, connection):
    server.script = [answer(b"<h1>busy</h1>", "503 Service Unavailable", "text/html", Retry_After="7")]
    error = await failure(connection)
    assert isinstance(error, errors.Unreachable)
    assert error.retry_after == 7
    assert "503" in error.title


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe", b'{"user": 3}'])
async def test_what_is_no_traindeck_server(server, connection, body):
    server.script = [answer(body)]
    with pytest.raises(errors.Unreachable, match="no traindeck server"):
        await connection.fetch("GET", "/api/auth/me", dict[str, str])


async def test_an_answer_without_end_is_cut_off(server, connection, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_ANSWER", 2**20)
    server.script = [answer(b"x" * (2**20 + 1))]
    assert "more than 1 MiB" in (await failure(connection)).title


async def test_nothing_is_unpacked(server, connection):
    server.script = [answer(b"\x1f\x8b" + b"\0" * 50, Content_Encoding="gzip")]
    assert (await connection.request("GET", "/"))[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("end", ["reset", "cut"])
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"])
async def test_what_breaks_on_the_way_is_asked_again(server, connection, end, sent):
    server.script = [[sent, end], [sent, end], answer(ME)]
    assert await me(connection) == ME
    assert len(server.asked) == 3


async def test_what_always_breaks_ends_in_words(server, connection):
    server.script = [["reset"]] * 4
    error = await failure(connection)
    assert isinstance(error, errors.Unreachable)
    assert "broke" in error.title


async def test_gone_at_the_second_try_is_deleted(server, connection):
    gone = answer({"title": "no such job", "kind": "NotFound"}, "404 Not Found")
    server.script = [["reset"], gone, gone]
    assert await connection.request("DELETE", "/api/jobs/a") == b""
    assert isinstance(await failure(connection, "DELETE"), errors.NotFound)


async def test_nobody_there(server, connection):
    await server.__aexit__()
    error = await failure(connection)
    assert isinstance(error, errors.Unreachable)
    assert "connection refused" in error.title
    unknown = logged_in("https://no-such-host.invalid")
    assert "cannot be reached" in (await failure(unknown)).title
    await unknown.aclose()


async def test_a_silent_server(server, connection, monkeypatch):
    monkeypatch.setattr(module, "READ_SECONDS", 0.2)
    server.script = [["hang"]]
    assert "No answer from" in (await failure(connection)).title


async def test_a_server_that_trickles(server, connection, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    server.script = [["hang"]]
    assert "no whole answer in 0.2 s" in (await failure(connection)).title


async def test_a_certificate_that_nobody_trusts(tmp_path):
    async with Scripted(server_tls(tmp_path)) as server:
        connection = logged_in(server.url)
        error = await failure(connection)
        assert isinstance(error, errors.Unreachable)
        assert "not trusted" in error.title
        assert "--ca" in error.hint
        await connection.aclose()
        trusting = logged_in(server.url, ca=str(authority(tmp_path)))
        server.script = [answer(ME)]
        assert await me(trusting) == ME
        await trusting.aclose()


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_of_certificates_that_is_none(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    error = await failure(logged_in("https://127.0.0.1:1", ca=str(path)))
    assert isinstance(error, errors.Refused)
    assert "ca.pem" in error.title


async def test_after_its_end(server, connection):
    server.script = [answer(ME)]
    await me(connection)
    await connection.aclose()
    assert isinstance(await failure(connection), errors.Unreachable)


async def test_many_at_once_and_cancelled_ones(server, connection):
    server.script = [["hang"]] * 50
    tasks = [asyncio.create_task(me(connection)) for _ in range(50)]
    async with asyncio.timeout(60):
        while len(server.asked) < 50:
            await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.script = [answer(ME)]
    assert await me(connection) == ME
