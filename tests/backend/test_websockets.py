"""A WebSocket passes what a request passes, before it is open; a refused one reaches no app."""

import pytest

from backend.auth.known_logins import KnownLogins
from backend.auth.tokens import new_token
from backend.error_responses import answering
from backend.middleware import RequestGuard

OWN = {"origin": "http://test"}


async def handshake(guard, headers, *, extensions=(), **scope):
    """Open a WebSocket; return what the client is sent first."""
    lines = {"host": "test", **headers}
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket",
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/socket",
        "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
        "client": ("192.0.2.1", 1),
        "extensions": {key: {} for key in extensions},
        **scope,
    }
    await guard(scope, receive, send)
    return sent[0]


def guard(app=None, known=None, **more):
    async def accept(scope, receive, send):
        await send({"type": "websocket.accept"})

    settings = {"hosts": ["test"], "rate": 0.01, "burst": 3, "max_body": 10, "root_path": ""}
    settings["answer"] = answering(lambda request, problem: problem)
    return RequestGuard(app or accept, known_logins=known or KnownLogins(), **settings | more)


async def test_our_own_page_and_a_program_with_a_token_come_in():
    for headers in (OWN, {"authorization": "Bearer x"}):
        assert (await handshake(guard(), headers))["type"] == "websocket.accept"


@pytest.mark.parametrize(
    ("headers", "scope", "status"),
    [
        ({}, {}, 403),
        ({"origin": "https://test"}, {}, 403),
        ({"origin": "null"}, {}, 403),
        ({"origin": "http://evil.example"}, {}, 403),
        ({"origin": "http://evil.example", "host": "evil.example"}, {}, 421),
        (OWN, {"http_version": "2"}, 505),
        (OWN | {"x": "x" * 2**15}, {}, 431),
    ],
)
async def test_all_others_are_refused_before_they_are_open(headers, scope, status):
    first = await handshake(guard(), headers, **scope)
    assert first == {"type": "websocket.close", "code": 1008}
    first = await handshake(guard(), headers, extensions=["websocket.http.response"], **scope)
    assert (first["type"], first["status"]) == ("websocket.http.response.start", status)
    assert b"content-security-policy" in dict(first["headers"])


async def test_they_count_for_the_rate_of_their_login():
    known, token = KnownLogins(), new_token().reveal()
    known.add(token)
    limited = guard(known=known)
    kinds = [(await handshake(limited, OWN))["type"] for _ in range(4)]
    assert kinds == ["websocket.accept"] * 3 + ["websocket.close"]
    browser = OWN | {"cookie": f"__Host-traindeck={token}"}
    assert (await handshake(limited, browser))["type"] == "websocket.accept"


async def test_a_defect_before_it_is_open_tells_nothing():
    async def broken(scope, receive, send):
        raise RuntimeError("the inside")

    assert (await handshake(guard(broken), OWN))["type"] == "websocket.close"
    first = await handshake(guard(broken), OWN, extensions=["websocket.http.response"])
    assert first["status"] == 500
