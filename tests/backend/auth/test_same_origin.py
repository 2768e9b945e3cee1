"""No other site's page acts with a visitor's login: by which headers that is told."""

import pytest
from starlette.datastructures import Headers

from backend.auth.cookie import NAME
from backend.auth.same_origin import is_own

COOKIE = {"cookie": f"{NAME}=td_x"}
BEARER = {"authorization": "Bearer td_x"}


def own(headers, *, kind="http", method="POST", path="/api/jobs", scheme="http", host="host.lab:8642"):
    scope = {"type": kind, "method": method, "path": path, "scheme": scheme}
    return is_own(scope, Headers({"host": host, **headers}))


@pytest.mark.parametrize(
    ("site", "allowed"),
    [
        ("same-origin", True),
        ("none", True),
        ("same-site", False),
        ("cross-site", False),
        ("", False),
        ("same-origin, cross-site", False),
        ("Same-Origin", False),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "post", "X"])
def test_what_the_browser_says_of_the_site_decides(site, allowed, method):
    headers = COOKIE | {"sec-fetch-site": site, "origin": "http://host.lab:8642"}
    assert own(headers, method=method) is allowed


@pytest.mark.parametrize(
    ("origin", "scheme", "host", "allowed"),
    [
        ("http://host.lab:8642", "http", "host.lab:8642", True),
        ("http://HOST.lab:8642", "http", "Host.lab:8642", True),
        ("https://host.lab", "https", "host.lab:443", True),
        ("https://host.lab:443", "https", "host.lab", True),
        ("http://[::1]:8642", "http", "[::1]:8642", True),
        ("https://host.lab:8642", "http", "host.lab:8642", False),
        ("http://host.lab:8642", "https", "host.lab:8642", False),
        ("http://host.lab", "http", "host.lab:8642", False),
        ("http://host.lab:80", "https", "host.lab:80", False),
        ("http://other.lab:8642", "http", "host.lab:8642", False),
        ("http://host.lab:8642.evil.example", "http", "host.lab:8642", False),
        ("http://evil.example/host.lab:8642", "http", "host.lab:8642", False),
        ("http://a@host.lab:8642", "http", "a@host.lab:8642", False),
        ("null", "http", "host.lab:8642", False),
        ("http://", "http", "", False),
        ("", "http", "", False),
        ("", "http", "host.lab:8642", False),
    ],
)
def test_without_that_the_origin_is_ours_to_the_port(origin, scheme, host, allowed):
    assert own(COOKIE | {"origin": origin}, scheme=scheme, host=host) is allowed
    socket = {"http": "ws", "https": "wss"}[scheme]
    assert own(COOKIE | {"origin": origin}, kind="websocket", scheme=socket, host=host) is allowed


def test_a_cookie_without_any_word_of_the_browser_changes_nothing():
    assert not own(COOKIE)
    assert not own(COOKIE, kind="websocket")
    for method in ("GET", "HEAD", "OPTIONS"):
        assert own(COOKIE, method=method)


def test_a_program_with_a_token_is_asked_nothing():
    foreign = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    assert own(BEARER)
    assert own(BEARER | COOKIE | foreign)
    assert own(BEARER, kind="websocket")
    assert own({}, path="/api/auth/login")


@pytest.mark.parametrize("path", ["/login", "/", "/jobs/x/stop", "/apis", "/metricsx", "//api/jobs"])
def test_a_form_of_the_pages_is_asked_with_and_without_a_login(path):
    for shown in ({}, COOKIE, BEARER):
        assert not own(shown, path=path)
        assert not own(shown | {"sec-fetch-site": "same-site"}, path=path)
        assert own(shown | {"sec-fetch-site": "same-origin"}, path=path)
        assert own(shown | {"origin": "http://host.lab:8642"}, path=path)
