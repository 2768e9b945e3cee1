"""Wrong input to every route: a 4xx with a sentence, never a defect, whatever the database.

The routes and their parameters come out of the API's own document, so a new one is tried too.
"""

import json

import httpx
import pytest

from backend.routes.request_text import check_json
from tests.backend.routes.test_matrix import BODIES, BODY
from tests.backend.support.people import enter

NUL, SURROGATE = "a\0b", "\ud800"
TEXTS = [
    *(
        "",
        " ",
        "\0",
        "%",
        "'",
        '"',
        "=",
        "=x",
        "x=",
        "..",
        "/",
        "\\",
        "\x1b[31m",
        "\u202e",
        "\U0001f600",
        "é" * 300,
    ),
    *(
        "0",
        "-1",
        "1e999",
        "nan",
        "inf",
        "9" * 5000,
        str(2**31),
        str(2**63),
        str(2**64),
        "x" * 9000,
        "null",
        "{}",
    ),
    *(
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31",
        "-1e30",
    ),
    *("2024-02-30T00:00:00Z", "2024-01-01T00:00:00+99:99", "1e18", "253402300800"),
]
"""For a parameter of the path or the query. Some are right for some of them."""
VALUES = [
    *(
        None,
        True,
        0,
        -1,
        2**31,
        2**63,
        2**64,
        10**40,
        1.5,
        "",
        " ",
        "x" * 70_000,
        [],
        {},
        [[]],
        {"a": {"b": []}},
    ),
    *([None], [1, "x"], {"": ""}, ["\x1b[31m"], "9" * 5000, "1e99999999"),
]
"""For a field of a body."""
REFUSED_BODIES = {
    "no UTF-8": b'{"user": "\xff"}',
    "no UTF-8 in a key": b'{"\xc3(": 1}',
    "UTF-16": '{"user": "x"}'.encode("utf-16"),
    "NUL": b'{"user": "a\\u0000b"}',
    "NUL in a key": b'{"a\\u0000": 1}',
    "half a pair": b'{"user": "\\ud800"}',
    "a key twice": b'{"user": "a", "user": "b"}',
    "deep lists": b"[" * 100_000,
    "deep and closed": b'{"user": ' + b"[" * 900 + b"]" * 900 + b"}",
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "5000 digits": b'{"user": ' + b"9" * 5000 + b"}",
    "a huge number": b'{"user": 1e400}',
    "65 bits": b'{"user": 18446744073709551616}',
    "NaN": b'{"user": NaN}',
    "Infinity": b'{"user": -Infinity}',
    "cut": b'{"user": "x',
    "no JSON": b"user=x",
    "nothing": b"",
    "two": b"{}{}",
    "a byte order mark": b'\xef\xbb\xbf{"user": "x"}',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}
"""Whatever the route."""
ENDLESS = ("/api/watch",)


@pytest.fixture
async def ask(app, root, ann):
    """Return a function that asks as a researcher, who has an ended job `probe`, or as the admin."""
    await ann.submit("echo hello", name="probe")
    await ann.ended("probe")
    await enter(app, "zoe")
    await root.ask("PATCH", "/users/ann", json={"max_jobs": 0})  # what is right after all starts nothing
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def send(method, path, **more):
            person = root if path.startswith(("/api/users", "/api/audit", "/api/clusters")) else ann
            return await client.request(
                method, path, headers=person.headers | more.pop("headers", {}), **more
            )

        yield send


def operations(app, *, body):
    for path, methods in app.openapi()["paths"].items():
        for method, about in methods.items():
            if path not in ENDLESS and "logout" not in path and ("requestBody" in about) == body:
                yield method.upper(), path, about


def filled(path, name="", value="probe"):
    others = {"token_id": "999999"}
    for part in ("name", "token_id"):
        path = path.replace(f"{{{part}}}", value if part == name else others.get(part, "probe"))
    return path


def judge(answer, what):
    """Return what is wrong with an answer to a wrong request, "" where nothing is."""
    if answer.status_code >= 500 and answer.status_code != 503:
        return f"{what}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code >= 400:
        problem = answer.json()
        if not problem["title"] or (answer.status_code == 422 and not problem["fields"]):
            return f"{what}: {answer.status_code} without words: {answer.text[:200]}"
    return ""


async def test_every_parameter_of_every_route(app, ask):
    wrong, tried = [], 0
    for body in (False, True):
        for method, path, about in operations(app, body=body):
            for parameter in about.get("parameters", []):
                name, place = parameter["name"], parameter["in"]
                for text in TEXTS if place != "header" else ["", "x" * 300, "é", "-1"]:
                    more = {"json": BODIES.get(f"{method} {path}", BODY)} if body else {}
                    url = filled(path)
                    if place == "path":
                        quoted = httpx.QueryParams({"a": text})
                        url = filled(path, name, str(quoted)[2:].replace("+", "%20"))
                    elif place == "query":
                        more["params"] = {name: text}
                    else:
                        more["headers"] = {name: text.encode("latin-1")}
                    tried += 1
                    wrong.append(
                        judge(await ask(method, url, **more), f"{method} {path} {name}={text[:60]!r}")
                    )
    wrong = [one for one in wrong if one]
    print(f"\nparameters: {tried} tried, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=", "state"),
        ("state=Nope", "state"),
        ("label=", "label"),
        ("label=x", "label"),
        ("label==x", "label"),
        ("name=%00", "name"),
        ("owner=a%00b", "owner"),
        ("%00=x", "\\0"),
        ("limit=0", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("after=-1", "after"),
    ],
)
async def test_the_field_of_a_list_is_named(ann, query, field):
    problem = await ann.ask("GET", f"/jobs?{query}", 422)
    assert set(problem["fields"]) == {field}
    assert field in problem["title"]


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1900-01-01", "yesterday"]
)
@pytest.mark.parametrize("path", ["/history?since=", "/history?until=", "/jobs/probe/logs?since="])
async def test_a_moment_that_nothing_can_have_is_refused_by_its_field(ann, path, moment):
    problem = await ann.ask("GET", path + moment.replace("+", "%2B"), 422)
    assert set(problem["fields"]) <= {"since", "until"}
    assert problem["fields"]


async def test_every_body_that_nobody_can_read(app, ask):
    wrong = []
    for method, path, _ in operations(app, body=True):
        for what, body in REFUSED_BODIES.items():
            answer = await ask(
                method, filled(path), content=body, headers={"Content-Type": "application/json"}
            )
            problem = answer.json()
            if answer.status_code not in (400, 415, 422) or not (
                problem["fields"] or answer.status_code == 415
            ):
                wrong.append(f"{method} {path} {what}: {answer.status_code} {answer.text[:150]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(400)  # some thousand requests
async def test_every_field_of_every_body(app, ask):
    schemas = app.openapi()["components"]["schemas"]
    wrong, tried = [], 0
    for method, path, about in operations(app, body=True):
        if path == "/api/jobs":
            continue  # it reads its body as /api/plan does
        content = about["requestBody"]["content"]
        if "application/json" not in content:
            continue  # bytes, which have no fields
        schema = content["application/json"]["schema"]
        several = schema.get("type") == "array"
        known = schemas[(schema["items"] if several else schema)["$ref"].rpartition("/")[2]]["properties"]
        body = BODIES.get(f"{method} {path}", BODY)
        for field in [*known, "no such field", "deploymentName", "imageName", "resources"]:
            for value in [*VALUES, {"limits": {"cpu": 10**40, "x": []}}, NUL, SURROGATE]:
                one = (dict(body) if isinstance(body, dict) else {"verb": "create"}) | {field: value}
                text = json.dumps([one] if several else one)
                answer = await ask(
                    method, filled(path), content=text, headers={"Content-Type": "application/json"}
                )
                tried += 1
                wrong.append(judge(answer, f"{method} {path} {field}={str(value)[:60]!r}"))
    wrong = [one for one in wrong if one]
    print(f"\nfields: {tried} tried, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_a_compressed_body_is_415(ann, encoding):
    head = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    for path in ("/jobs", "/auth/login", "/access"):
        problem = await ann.ask("POST", path, 415, content=b"x", headers=head)
        assert "compressed" in problem["title"]
        assert ann.last.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    "body", [b"{}", b"[1, 2]", '{"é": "ü"}'.encode(), b'{"a": 9223372036854775807}', b'"\\ud83d\\ude00"']
)
def test_what_is_right_is_taken(body):
    check_json(body)
