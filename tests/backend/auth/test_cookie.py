"""The login of a browser: which token a request shows, what a browser is told, how it ends."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers
from starlette.responses import Response

from backend.app import create_app
from backend.auth import cookie, tokens
from tests.backend.conftest import logged_in, person
from tests.backend.support.people import as_cookie
from tests.support.wait import async_until

TOKEN = "td_" + "a" * 49
MINE = f"{cookie.NAME}={TOKEN}"


def cookies(*lines, authorization=None):
    raw = [(b"cookie", line.encode("latin-1")) for line in lines]
    if authorization is not None:
        raw.append((b"authorization", authorization.encode("latin-1")))
    return Headers(raw=raw)


@pytest.mark.parametrize(
    ("lines", "token"),
    [
        ([], None),
        ([""], None),
        ([MINE], TOKEN),
        ([f"a=1; {MINE} ;b=2"], TOKEN),
        (["a=1", MINE], TOKEN),
        ([f"a=1;\t{MINE}"], TOKEN),
        ([f"{cookie.NAME}="], None),
        ([cookie.NAME], None),
        ([f"{MINE}; {MINE}"], ""),
        ([MINE, f"{cookie.NAME}="], ""),
        ([f'{cookie.NAME}="{TOKEN}"'], f'"{TOKEN}"'),
        ([MINE.lower()], None),
        ([f"traindeck={TOKEN}"], None),
        ([f"x{MINE}"], None),
        ([f'a="; {MINE}'], TOKEN),
        ([f"{cookie.NAME} ={TOKEN}"], None),
        ([f"={MINE}"], None),
        ([";" * 2**15], None),
        (["=" * 2**15], None),
    ],
)
def test_the_token_of_a_cookie(lines, token):
    assert cookie.token_of(cookies(*lines)) == token


@pytest.mark.parametrize(
    ("authorization", "token"),
    [("Bearer x", "x"), ("bearer  x ", "x"), ("Basic x", ""), ("Bearer", ""), ("", None)],
)
def test_the_header_wins_whatever_it_holds(authorization, token):
    assert cookie.token_of(cookies(MINE, authorization=authorization)) == token


@given(st.lists(st.text(st.characters(max_codepoint=255)), max_size=3))
def test_no_header_breaks_it_and_what_is_found_stood_there(lines):
    found = cookie.token_of(cookies(*lines))
    assert not found or any(f"{cookie.NAME}={found}" in line for line in lines)


def test_what_a_browser_is_told():
    response = Response()
    cookie.set_login_cookie(response, TOKEN, datetime.now(UTC) + timedelta(hours=1))
    name, *parts = response.headers["set-cookie"].split("; ")
    assert name == MINE
    age = next(part for part in parts if part.startswith("Max-Age="))
    assert 3590 <= int(age.removeprefix("Max-Age=")) <= 3600
    assert {*parts} - {age} == {"HttpOnly", "Secure", "SameSite=lax", "Path=/"}

    response = Response()
    cookie.clear_login_cookie(response)
    cookie.clear_site_data(response)
    assert {"Max-Age=0", "Secure", "Path=/"} <= {*response.headers["set-cookie"].split("; ")}
    assert response.headers["clear-site-data"] == '"cache", "storage"'


async def test_a_cookie_is_a_login_and_ends_as_one(app, client):
    token, _ = await logged_in(app, "ann")
    shown = as_cookie(token)
    assert (await client.get("/api/auth/me", headers=shown)).json()["user"] == "ann"
    listed = (await client.get("/api/auth/tokens", headers=shown)).json()["items"]
    assert [item["current"] for item in listed] == [True]
    both = {**shown, "Authorization": "Basic YTpi"}
    assert (await client.get("/api/auth/me", headers=both)).status_code == 401
    out = await client.post("/api/auth/logout", headers={**shown, "Sec-Fetch-Site": "same-origin"})
    assert out.status_code == 204
    assert (await client.get("/api/auth/me", headers=shown)).status_code == 401


async def test_a_wrong_cookie_is_counted_and_none_is_not(app, client):
    refused = app.state.runtime.throttle.refused
    assert (await client.get("/api/auth/me")).status_code == 401
    assert refused["token"] == 0
    for shown in (as_cookie("x"), as_cookie(tokens.new_token().reveal())):
        assert (await client.get("/api/auth/me", headers=shown)).status_code == 401
    assert refused["token"] == 2


async def test_each_browser_behind_one_address_has_its_own_rate(settings):
    settings.rate, settings.burst = 0.01, 5
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        await person(made, "root", "admin")
        ann, bob = [as_cookie((await logged_in(made, name))[0]) for name in ("ann", "bob")]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://test") as client:
            answers = [(await client.get("/api/auth/me", headers=ann)).status_code for _ in range(6)]
            assert answers == [200] * 5 + [429]
            assert (await client.get("/api/auth/me", headers=bob)).status_code == 200


@pytest.mark.parametrize("end", ["revoked elsewhere", "disabled", "logged out"])
async def test_a_stream_opened_by_a_cookie_ends_with_its_login(app, client, end):
    token, caller = await logged_in(app, "ann")
    root, _ = await logged_in(app, "root")
    bearer = {"Authorization": f"Bearer {root}"}
    watch = asyncio.create_task(client.get("/api/watch", headers=as_cookie(token)))
    revocations = app.state.runtime.revocations
    await async_until(lambda: caller.token_id in revocations._streams)
    if end == "logged out":
        await client.post("/api/auth/logout", headers=as_cookie(token) | {"Sec-Fetch-Site": "same-origin"})
    elif end == "disabled":
        await client.patch("/api/users/ann", json={"disabled": True}, headers=bearer)
    else:  # by another process: only the look into the database tells
        async with app.state.runtime.database.write() as session:
            await tokens.revoke(session, caller.user_id)
    async with asyncio.timeout(5):
        answer = await watch
    assert '"login":true' in answer.text
