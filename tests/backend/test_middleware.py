"""What every request passes, and that every error is a problem in words."""

import logging
from urllib.parse import quote

import httpx
import pytest

from backend.app import create_app
from backend.json_logging import JsonLines, redact
from backend.rate_limit import RateLimiter
from backend_client.errors import Refused
from tests.backend.conftest import PASSWORD, logged_in, login, person
from tests.backend.support.people import as_cookie

PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"


def is_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


async def test_what_the_framework_refuses_is_a_problem_too(app, client):
    headers = await login(app, "root")
    is_problem(await client.get("/metrics/nowhere", headers=headers), 404)
    is_problem(await client.get("/api/nowhere/", headers=headers), 404)
    is_problem(await client.put("/api/auth/me", headers=headers), 405)
    for content in (b"{", b"[]", b"", b'{"user": 1}'):
        head = {**headers, "Content-Type": "application/json"}
        is_problem(await client.post("/api/users", content=content, headers=head), 422)
    is_problem(await client.post("/api/users", content=b"\xff", headers=head), 400)
    is_problem(await client.get("/api/audit?limit=x", headers=headers), 422)
    is_problem(await client.delete("/api/auth/tokens/x", headers=headers), 422)


async def test_a_problem_repeats_no_password(app, client):
    body = {"user": 7, "password": [PASSWORD]}
    assert PASSWORD not in (await client.post("/api/auth/login", json=body)).text


@pytest.mark.parametrize("number", [2**63, 2**64, -1, 10**30])
async def test_numbers_beyond_the_database_are_no_defect(app, client, number):
    headers = await login(app, "root")
    assert (await client.delete(f"/api/auth/tokens/{number}", headers=headers)).status_code in (404, 422)


async def test_characters_that_no_database_keeps_are_no_defect(app, client):
    root = await login(app, "root")
    odd = ["\0", "a\0b", "\u202e", "x" * 64]
    for name in odd:
        answers = [
            await client.post("/api/auth/login", json={"user": name, "password": name, "name": name}),
            await client.get(f"/api/users/{quote(name)}", headers=root),
            await client.patch(f"/api/users/{quote(name)}", json={}, headers=root),
        ]
        assert [answer.status_code for answer in answers] in ([401, 404, 404], [422, 422, 422]), name
    await person(app, "ann")
    named = await client.post(
        "/api/auth/login", json={"user": "ann", "password": PASSWORD, "name": "a\tb\nc"}
    )
    assert named.status_code == 200


async def test_a_defect_tells_nothing_but_its_number(app, client, caplog):
    @app.get("/api/broken")
    async def broken():
        raise RuntimeError("the inside")

    body = is_problem(await client.get("/api/broken"), 500)
    assert "inside" not in str(body)
    assert body["request_id"] in body["detail"]
    assert any("the inside" in str(record.exc_info) for record in caplog.records)


async def test_a_body_is_counted_as_it_comes(app, client):
    async def parts():
        for _ in range(40):
            yield b" " * 2**15

    headers = {**await login(app, "root"), "Content-Type": "application/json"}
    is_problem(await client.post("/api/users", content=parts(), headers=headers), 413)
    is_problem(await client.post("/api/users", content=b" " * (2**20 + 1), headers=headers), 413)


async def test_the_request_id(app, client):
    given = await client.get("/livez", headers={"X-Request-ID": "abc-1.2_3"})
    assert given.headers["x-request-id"] == "abc-1.2_3"
    for hostile in ("x" * 65, "a b", "a;b", "ä".encode()):
        answer = await client.get("/livez", headers={"X-Request-ID": hostile})
        assert len(answer.headers["x-request-id"]) == 16


async def test_what_every_answer_carries(app, client):
    for answer in (await client.get("/livez"), await client.get("/nowhere")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert (await client.options("/api/auth/login", headers=asked)).status_code == 405


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "test.evil.example", "", "127.0.0.1.evil"]
)
async def test_another_name_is_refused(app, client, host):
    is_problem(await client.get("/api/server", headers={"Host": host}), 421)
    page = await client.get("/", headers={"Host": host})
    assert (page.status_code, page.headers["content-type"]) == (421, HTML)
    assert "This server is not known by that name." in page.text


@pytest.mark.parametrize("host", ["localhost:8642", "127.0.0.1", "[::1]:8642", "TEST", "10.0.0.7:1"])
async def test_its_own_names_and_any_address_are_known(app, client, host):
    assert (await client.get("/api/server", headers={"Host": host})).status_code == 200


async def test_too_many_requests(settings):
    settings.rate, settings.burst = 0.01, 5
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        await person(made, "root", "admin")
        ann, bob = await login(made, "ann"), await login(made, "bob")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://test") as client:
            answers = [(await client.get("/api/auth/me", headers=ann)).status_code for _ in range(6)]
            assert answers == [200] * 5 + [429]
            slow = await client.get("/api/auth/me", headers=ann)
            assert is_problem(slow, 429)["kind"] == "Unreachable"
            assert int(slow.headers["retry-after"]) > 1
            assert (await client.get("/api/auth/me", headers=bob)).status_code == 200


async def test_who_tries_tokens_uses_up_their_address(settings):
    from backend.auth.tokens import new_token  # noqa: PLC0415  only this test needs it

    settings.rate, settings.burst = 0.01, 5
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        await person(made, "root", "admin")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://test") as client:
            tries = [{"Authorization": f"Bearer {new_token().reveal()}"} for _ in range(7)]
            answers = [(await client.get("/api/auth/me", headers=one)).status_code for one in tries]
            assert answers == [401] * 5 + [429] * 2


@pytest.mark.parametrize("path", ["/api/auth/login/", "/td/api/auth/login", "/td/api/auth/login//"])
async def test_no_spelling_of_the_path_gets_around_the_limit_of_passwords(settings, path):
    settings.rate, settings.burst, settings.root_path = 0.01, 20, "/td"
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        await person(made, "root", "admin")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://test") as client:
            answers = [(await client.post(path, json={})).status_code for _ in range(6)]
            assert answers == [422] * 4 + [429] * 2


async def test_the_form_of_the_login_has_the_limit_of_passwords_and_its_page_has_not(settings):
    settings.rate, settings.burst = 0.01, 20
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        await person(made, "root", "admin")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://test") as client:
            ours = {"Sec-Fetch-Site": "same-origin"}
            answers = [(await client.post("/login", headers=ours)).status_code for _ in range(6)]
            assert [status == 429 for status in answers] == [False] * 4 + [True] * 2
            assert (await client.get("/login")).status_code != 429
            slow = await client.post("/login", headers=ours)
            assert (slow.headers["content-type"], int(slow.headers["retry-after"]) > 1) == (HTML, True)


def test_a_bucket_fills_again():
    now = [100.0]
    rates = RateLimiter(2, 3, clock=lambda: now[0])
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.take("b") == 0
    now[0] += 0.5
    assert [rates.take("a"), rates.take("a")] == [0, 0.5]


def test_the_log_holds_no_secrets():
    token = "td_" + "a" * 49
    record = logging.makeLogRecord(
        {
            "msg": f"with {token}",
            "header": f"Bearer {token}",
            "url": "postgresql://u:geheim@h/d",
            "path": 'a"\nb',
        }
    )
    record.exc_info = (Refused, Refused("No.", "Do this."), None)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "aaaa" not in line
    assert "geheim" not in line
    assert "Traceback" not in line
    assert redact("authorization: Bearer xyz") == "authorization: Bearer ***"


async def test_the_document(app, client):
    document = (await client.get("/api/openapi.json")).json()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    schemas = document["components"]["schemas"]
    assert {"Job", "JobSpec", "Problem", "Plan"} <= set(schemas)
    assert "HTTPValidationError" not in schemas
    public = {"/livez", "/readyz", "/api/server", "/api/auth/register", "/api/auth/login"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method} {path}"
            assert operation.get("tags"), name
            assert PROBLEM in operation["responses"]["default"]["content"], name
            assert ("security" in operation) == (path not in public), name


@pytest.mark.parametrize("path", ["/api/auth/logout", "/form"])
async def test_another_sites_page_does_nothing_with_a_visitors_login(app, client, path):
    done = []

    @app.post("/form")
    async def form():
        done.append(path)

    visitor = as_cookie((await logged_in(app, "ann"))[0])
    for foreign in ({}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}):
        refused = await client.post(path, headers=visitor | foreign)
        assert refused.status_code == 403
        assert "This request comes from another site." in refused.text
        assert refused.headers["content-type"] == (PROBLEM if path != "/form" else HTML)
    assert (await client.get("/api/auth/me", headers=visitor)).status_code == 200
    assert not done
    assert (await client.post(path, headers=visitor | {"Origin": "http://test"})).is_success


@pytest.mark.parametrize(
    ("proxies", "headers", "scheme"),
    [
        (["127.0.0.1"], {}, "https"),
        (["127.0.0.1"], {"X-Forwarded-Proto": "http"}, "http"),
        (["127.0.0.1"], {"X-Forwarded-Proto": "HTTPS"}, "https"),
        (["192.0.2.1"], {"X-Forwarded-Proto": "http"}, "https"),
    ],
)
async def test_behind_a_proxy_our_origin_is_what_the_client_sees(settings, proxies, headers, scheme):
    settings.behind_proxy, settings.proxies = True, proxies
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        visitor = as_cookie((await logged_in(made, "root", "admin"))[0]) | headers
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://test") as client:
            other = {"http": "https", "https": "http"}[scheme]
            for origin, status in ((f"{other}://test", 403), (f"{scheme}://test", 204)):
                answer = await client.post("/api/auth/logout", headers=visitor | {"Origin": origin})
                assert answer.status_code == status


@pytest.mark.parametrize("has_tls", [True, False])
async def test_a_browser_comes_back_by_tls_where_that_is_our_own(settings, tmp_path, has_tls):
    settings.tls_cert = tmp_path / "cert.pem" if has_tls else None
    made = create_app(settings, announce=lambda words: None)
    transport = httpx.ASGITransport(made)
    async with (
        made.router.lifespan_context(made),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        assert ("strict-transport-security" in (await client.get("/livez")).headers) is has_tls
