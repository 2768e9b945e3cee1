"""What health checks of balancers and careless clients send: HEAD, no Host, a slash at the end."""

import pytest

from tests.backend.conftest import login


@pytest.fixture
def settings(settings, tmp_path, monkeypatch):
    """Let this machine be the cluster; it starts nothing."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return settings.model_copy(update={"local": True})


async def test_head_is_get_without_a_body_on_every_route(app, client):
    root = await login(app, "root")
    for path, methods in app.openapi()["paths"].items():
        if "get" not in methods or "{" in path or path == "/api/watch":
            continue
        query = "?field=cluster" if path == "/api/choices" else ""
        get, head = [await client.request(method, path + query, headers=root) for method in ("GET", "HEAD")]
        assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers["content-length"] == get.headers["content-length"]


async def test_head_of_what_goes_on_for_ever_ends(app, client):
    answer = await client.head("/api/watch", headers=await login(app, "root"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_head_without_a_login_or_a_job_says_the_same_as_get(app, client):
    assert (await client.head("/api/jobs")).status_code == 401
    assert (await client.head("/api/jobs/none", headers=await login(app, "root"))).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/jobs", "GET, HEAD, POST"),
        ("POST", "/api/jobs/a", "DELETE, GET, HEAD"),
        ("GET", "/api/plan", "POST"),
        ("OPTIONS", "/api/users/a", "GET, HEAD, PATCH"),
        ("POST", "/livez", "GET, HEAD"),
    ],
)
async def test_allow_names_every_method(app, client, method, path, allowed):
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.parametrize("host", ["", "elsewhere.example.org", "10.0.0.7:8642"])
async def test_a_probe_may_come_by_any_name(app, client, path, host):
    for method in ("GET", "HEAD"):
        answer = await client.request(method, path, headers={"Host": host})
        assert answer.status_code == 200
    assert (await client.get("/api/server", headers={"Host": "elsewhere.example.org"})).status_code == 421


async def test_a_slash_at_the_end_changes_nothing(app, client):
    root = await login(app, "root")
    for path in ("/api/jobs/", "/api/users/", "/livez/", "/api/auth/me/"):
        assert (await client.get(path, headers=root)).status_code == 200
    body = {"kind": "job", "command": ["true"]}
    assert (await client.post("/api/plan/", json=body, headers=root)).status_code == 200
    assert (await client.get("/", headers=root)).status_code == 303  # the way to the pages
