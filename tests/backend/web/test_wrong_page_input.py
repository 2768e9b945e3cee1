"""Wrong input to every page: the page again or an error in words, never a defect, and nothing that hides.

The routes, their parameters and the fields of their forms are found out, so a new one is tried too.
"""

import asyncio
import inspect
import re

import httpx
import pytest
from fastapi.dependencies.utils import get_flat_params

from backend.auth.cookie import NAME
from backend.web.forms import Form
from backend_client.text.sanitize import UNSAFE
from tests.backend.routes.test_wrong_input import NUL, TEXTS
from tests.backend.support.people import enter
from tests.backend.web.test_page_matrix import FORMS, LAST, QUERIES, all_routes

PARTS = 4
"""Tests among which the routes are dealt out: some thousand requests take their time."""
OF_ADMINS = ("/people", "/clusters", "/audit")
WORDS = [
    *TEXTS,
    NUL,
    "L0.1.0.00000000",
    "L999999999.999999999.ffffffffffff.00000000",
    "/(a+)+$/",
    "/[/",
    "<script>alert(1)</script>",
    "//example.org",
    "job of a\u202etxt",
    "/\r\nSet-Cookie: a=b",
    "lAABkJCQ",
    "1.1.1.1",
]
"""For a parameter, or a field. Some are right for some of them."""


@pytest.fixture
async def ask(app, root, ann):
    """Return a function that asks as a page does: as a researcher with an ended job, or as the admin."""
    job = await ann.submit("printf 'loss: 1\\nError: x\\n'; exit 1", name="probe")
    await ann.ended("probe")
    await enter(app, "zoe")
    await root.ask("PATCH", "/users/ann", json={"max_jobs": 0})  # what is right after all starts nothing
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def send(method, path, headers=None, **more):
            person = root if path.startswith(OF_ADMINS) else ann
            token = person.headers["Authorization"].removeprefix("Bearer ")
            own = {"Sec-Fetch-Site": "same-origin", "Cookie": f"{NAME}={token}"}
            request = client.build_request(method, path, headers=own | (headers or {}), **more)
            return await (beginning(app, request) if path.startswith("/live/") else client.send(request))

        send.job = {"cluster": job["ref"]["context"], "uid": job["ref"]["uid"]}
        yield send


async def beginning(app, request):
    """Send a request whose answer may have no end, and leave at its first part."""
    status, heads, parts, came = [], [], [], asyncio.Event()

    async def receive():
        await came.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            status.append(message["status"])
            heads.extend(message["headers"])
        elif message.get("body") or not message.get("more_body"):
            parts.append(message.get("body", b""))
            came.set()

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    await app(scope, receive, send)
    return httpx.Response(status[0], headers=heads, content=b"".join(parts))


def operations(method):
    """List (METHOD PATH, its route) of what has an end, and lets those who ask go on."""
    named = [(f"{method} {route.path}", route) for route in all_routes() if method in route.methods]
    return [(operation, route) for operation, route in named if operation not in LAST]


def filled(path, name="", value=""):
    """Return a path with its parts filled in: one as it is asked for, the others rightly."""
    right = {"name": "zoe" if path.startswith("/people") else "probe", "token_id": "999999"}
    for part, text in right.items():
        quoted = str(httpx.QueryParams({"a": value if part == name else text}))[2:].replace("+", "%20")
        path = path.replace(f"{{{part}}}", quoted)
    return path.replace("{release}/", "x/")


NOT_SHOWN = re.compile(r"<textarea[^>]*>.*?</textarea>|=\"[^\"]*\"", re.DOTALL)
"""What was typed, and comes back in its field; attributes."""


def judge(answer, what):
    """Return what is wrong with an answer, "" where nothing is."""
    if answer.status_code >= 500 and answer.status_code != 503:
        return f"{what}: {answer.status_code} {answer.text[:200]}"
    where = answer.headers.get("location", "/")
    if not where.startswith("/") or where.startswith(("//", "/\\")):
        return f"{what}: leads to {where[:80]}"
    if not answer.headers.get("content-type", "").startswith("text/html"):
        return ""
    shown = NOT_SHOWN.sub("", answer.text)
    if hidden := UNSAFE.search(shown.replace("\n", " ").replace("\t", " ")):
        return f"{what}: shows {shown[max(0, hidden.start() - 30) : hidden.start() + 30]!r}"
    is_whole = "<html" not in shown or "<h1" in shown
    return "" if is_whole else f"{what}: {answer.status_code} without a heading"


def defects(caplog, what):
    """Return what the server's log calls a defect since the last look, "" where nothing is."""
    found = [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    caplog.clear()
    return f"{what}: {found}" if found else ""


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_parameter_of_every_page(ask, part):
    wrong, tried = [], 0
    for method in ("GET", "POST"):
        for operation, route in operations(method)[part::PARTS]:
            places = {one.alias: type(one.field_info).__name__ for one in get_flat_params(route.dependant)}
            job = ask.job if route.path.startswith(("/jobs/", "/live/jobs/")) else {}
            for name, place in places.items():
                for text in WORDS:
                    right = job | QUERIES.get(operation, {})
                    if operation.startswith("GET /live/") and text in ("", " "):
                        continue  # it has no end
                    path, more = filled(route.path), {"params": right}
                    if place == "Path":
                        path = filled(route.path, name, text)
                    elif place == "Query":
                        more["params"] = right | {name: text}
                    else:
                        more["headers"] = {name: text.encode("latin-1", "replace")}
                    if method == "POST":
                        more["data"] = FORMS.get(operation, {}) | job
                    answer = await ask(method, path, **more)
                    tried += 1
                    wrong.append(judge(answer, f"{operation} {name}={text[:60]!r}"))
    wrong = [one for one in wrong if one]
    print(f"\nparameters: {tried} tried, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


LOOKED_AT = set()
"""Fields that a route has looked at."""


class Asked(Form):
    """A form that notes which fields are looked at."""

    def text(self, name):
        LOOKED_AT.add(name)
        return super().text(name)

    def all(self, name):
        LOOKED_AT.add(name)
        return super().all(name)

    def get(self, name, default=None):
        LOOKED_AT.add(name)
        return super().get(name, default)

    def __contains__(self, name):
        LOOKED_AT.add(name)
        return super().__contains__(name)


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_field_of_every_form(ask, caplog, monkeypatch, part):
    monkeypatch.setattr("backend.web.forms.Form", Asked)
    wrong, tried = [], 0
    for operation, route in operations("POST")[part::PARTS]:
        right = (ask.job if route.path.startswith("/jobs/") else {}) | FORMS.get(operation, {})
        LOOKED_AT.clear()
        await ask("POST", filled(route.path), data=right)
        names = sorted(LOOKED_AT | set(right))
        # The fields of a job are read one by one, whatever stands in the others.
        for together in [names] if route.path.startswith("/new") else [[name] for name in names]:
            for text in WORDS:
                typed = right | dict.fromkeys(together, text)
                answer = await ask("POST", filled(route.path), data=typed)
                tried += len(together)
                what = f"{operation} {together[0]}={text[:60]!r}"
                wrong.append(judge(answer, what) or defects(caplog, what))
    wrong = [one for one in wrong if one]
    print(f"\nfields: {tried} tried, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


BODIES = {
    "no UTF-8": b"user=%ff",
    "bare bytes": b"user=\xff",
    "half a pair": b"user=%ED%A0%80",
    "NUL": b"user=a%00b",
    "NUL in a name": b"a%00=b",
    "many fields": b"a=1&" * 2_000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=[*BODIES])
async def test_a_form_that_nobody_can_read(ask, body):
    wrong = []
    for operation, route in operations("POST"):
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await ask("POST", filled(route.path), head, content=body)
        wrong.append(judge(answer, operation))
        if "read_form" in inspect.getsource(route.endpoint) and answer.status_code != 422:
            wrong.append(f"{operation}: {answer.status_code}")
    wrong = [one for one in wrong if one]
    assert not wrong, "\n".join(wrong)
