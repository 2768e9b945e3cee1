"""Who may open and send what: every route of the pages, by everybody, against a table written by hand.

A route that the table does not list fails the test: whoever adds a page says here who may use it.
"""

import httpx
from fastapi.routing import APIRoute

from backend.auth.cookie import NAME
from backend.web.pages import PAGES
from tests.backend.routes.test_matrix import EVERYBODY, an_alert, everybody
from tests.backend.support.people import enter

OUT = "nobody expired revoked disabled".split()
LOGIN = "login"
"""Sent to the page that logs in."""


def row(viewer, owner, other, admin, out=LOGIN):
    """Answers to those who are logged in; nobody else gets past `out`."""
    return dict.fromkeys(OUT, out) | {"viewer": viewer, "owner": owner, "other": other, "admin": admin}


def all_of(answer):
    return dict.fromkeys(EVERYBODY, answer)


ALL, MINE, ADMIN = row(200, 200, 200, 200), row(404, 200, 404, 200), row(403, 403, 403, 200)
DONE_BY_ADMIN = row(403, 403, 403, 303)
WRITERS = row(403, 200, 200, 200)
TABLE = {
    "GET /": row(303, 303, 303, 303),
    "GET /account": ALL,
    "GET /alerts": ALL,
    "GET /alerts/channels/add": ALL,
    "GET /alerts/channels/remove": ALL,  # a question
    "GET /alerts/wishes": ALL,
    "GET /audit": ADMIN,
    "GET /clusters": ALL,
    "GET /clusters/{name}/remove": ADMIN,
    "GET /compare": MINE,
    "GET /compare.csv": MINE,
    "GET /gpus": ALL,
    "GET /history": ALL,
    "GET /jobs": ALL,
    "GET /jobs/{name}": MINE,
    "GET /jobs/{name}/again": MINE,
    "GET /jobs/{name}/delete": MINE,
    "GET /jobs/{name}/log": MINE,
    "GET /jobs/{name}/log.txt": MINE,
    "GET /jobs/{name}/loss": MINE,
    "GET /jobs/{name}/queue": MINE,
    "GET /jobs/{name}/ranks": MINE,
    "GET /jobs/{name}/resume": MINE,
    "GET /jobs/{name}/spec.yaml": MINE,
    "GET /jobs/{name}/stop": MINE,
    "GET /jobs/{name}/why": row(404, 303, 404, 303),  # to its place on the job's page
    "GET /live/jobs": row(200, 200, 200, 200, out=401),
    "GET /live/jobs/{name}": row(200, 200, 200, 200, out=401),  # which tells of jobs that one sees
    "GET /live/jobs/{name}/log": row(404, 200, 404, 200, out=401),
    "GET /login": all_of(200),
    "GET /login/check": row(303, 303, 303, 303) | {"nobody": 400},  # whose browser keeps no cookie
    "GET /new": ALL,
    "GET /people": ADMIN,
    "GET /people/{name}": ADMIN,
    "GET /people/{name}/disable": ADMIN,
    "GET /queue": ALL,
    "GET /register": all_of(403),  # closed
    "GET /selected": ALL,
    "GET /static/{release}/{name}": all_of(404),  # of another release
    "GET /usage": ALL,
    "GET /usage.csv": ALL,
    "POST /account/logins": row(401, 401, 401, 401),  # with a wrong password
    "POST /account/logins/end-others": row(303, 303, 303, 303),
    "POST /account/logins/{token_id}/end": row(404, 404, 404, 404),  # of none of one's own
    "POST /account/password": row(403, 403, 403, 403),  # with a wrong old one
    "POST /alerts/acknowledge": row(403, 303, 404, 303),
    "POST /alerts/channels/add": row(400, 400, 400, 400),  # of mail, which this server does not send
    "POST /alerts/channels/remove": row(404, 404, 404, 404),
    "POST /alerts/channels/test": row(404, 404, 404, 404),
    "POST /alerts/snooze": row(403, 303, 404, 303),
    "POST /alerts/wishes": row(303, 303, 303, 303),
    "POST /clusters": row(403, 403, 403, 400),
    "POST /clusters/{name}/remove": row(403, 403, 403, 400),  # the machine itself
    "POST /jobs/{name}/delete": row(404, 303, 404, 303),
    "POST /jobs/{name}/queue": row(404, 400, 404, 400),  # a machine has no queues
    "POST /jobs/{name}/resume": row(404, 400, 404, 400),  # and resumes nothing
    "POST /jobs/{name}/stop": row(404, 303, 404, 303),
    "POST /login": all_of(401),  # with a wrong password
    "POST /logout": row(303, 303, 303, 303),
    "POST /new": row(403, 303, 303, 303),
    "POST /new/check": WRITERS,
    "POST /new/edit": WRITERS,
    "POST /new/from-file": WRITERS,
    "POST /new/plan": WRITERS,
    "POST /people": DONE_BY_ADMIN,
    "POST /people/{name}": DONE_BY_ADMIN,
    "POST /people/{name}/disable": DONE_BY_ADMIN,
    "POST /people/{name}/enable": DONE_BY_ADMIN,
    "POST /people/{name}/password": DONE_BY_ADMIN,
    "POST /register": all_of(403),
    "POST /selected": row(303, 303, 303, 303),  # of no job
}


def all_routes(routers=PAGES):
    """Yield every route of the pages, also of routers that others include."""
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route
            else:
                yield from all_routes([route.original_router])


def routes():
    """Return METHOD PATH of every route of a page."""
    return {f"{method} {route.path}" for route in all_routes() for method in route.methods - {"HEAD"}}


FORMS = {
    "POST /login": {"user": "ghost-{who}", "password": "not the right one"},
    "POST /register": {"user": "new", "password": "correct horse battery", "again": "correct horse battery"},
    "POST /account/password": {
        "old": "not the right one",
        "password": "another long one",
        "again": "another long one",
    },
    "POST /account/logins": {"name": "script", "password": "not the right one"},
    "POST /clusters": {"name": "x", "kubeconfig": "none"},
    "POST /people": {
        "user": "new",
        "role": "viewer",
        "password": "correct horse battery",
        "again": "correct horse battery",
    },
    "POST /people/{name}": {"role": "viewer"},
    "POST /people/{name}/password": {"password": "correct horse battery", "again": "correct horse battery"},
    "POST /jobs/{name}/queue": {"change": "hold"},
    "POST /new": {"f.command": "true", "f.name": "made-{who}", "sure": "1"},
    "POST /new/plan": {"f.command": "true"},
    "POST /new/check": {"f.command": "true"},
    "POST /new/edit": {"f.command": "true"},
    "POST /new/from-file": {"file": "command: [echo, hello]"},
    "POST /selected": {"verb": "stop"},
    "POST /alerts/snooze": {"for": "1 hour"},
    "POST /alerts/channels/add": {"name": "mine", "kind": "email", "address": "ann@example.org"},
    "POST /alerts/channels/test": {"name": "none"},
    "POST /alerts/channels/remove": {"name": "none"},
}
QUERIES = {
    "GET /compare": {"job": "{cluster}/{uid}"},
    "GET /compare.csv": {"job": "{cluster}/{uid}"},
    "GET /alerts/channels/add": {"name": "mine", "kind": "webhook", "address": "https://example.org"},
    "GET /alerts/channels/remove": {"name": "none"},
    "GET /selected": {"verb": "stop", "job": "local/none"},
}
NAMES = {"people": "zoe", "clusters": "local"}
LAST = ("POST /jobs/{name}/delete", "POST /account/logins/end-others", "POST /logout")
"""They end what the others need."""


class Asker:
    """Asks one route as a page of ours does, and gives the status, or LOGIN."""

    def __init__(self, app, job, alert_id):
        transport = httpx.ASGITransport(app=app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test")
        self.ref, self._alert_id = job["ref"], alert_id

    @property
    def _known(self):
        return {"cluster": self.ref["context"], "uid": self.ref["uid"]}

    async def __call__(self, operation, who, headers):
        method, path = operation.split()
        name = NAMES.get(path.split("/")[1], self.ref["name"])
        url = path.replace("{name}", name).replace("{token_id}", "999999")
        job = {"cluster": self.ref["context"], "uid": self.ref["uid"]} if "/jobs/" in path else {}
        form = {field: text.replace("{who}", who) for field, text in FORMS.get(operation, {}).items()}
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        sent = {"Sec-Fetch-Site": "same-origin"} | ({"Cookie": f"{NAME}={token}"} if token else {})
        answer = await self._client.request(
            method,
            url,
            params=job
            | {field: text.format(**self._known) for field, text in QUERIES.get(operation, {}).items()},
            data={"id": self._alert_id} | job | form if method == "POST" else None,
            headers=sent,
        )
        if answer.status_code == 303 and answer.headers["location"].startswith("/login"):
            return 303 if operation == "POST /logout" and who not in OUT else LOGIN
        return int(answer.status_code)


async def test_every_page_for_everybody(app, root, ann):
    assert routes() == set(TABLE), "list every route, and no other"
    job = await ann.submit("echo hello", name="probe")
    await ann.ended("probe")
    await enter(app, "zoe")
    people, ask = await everybody(app), Asker(app, job, await an_alert(app, "probe"))
    people["admin"] = root.headers
    wrong = []
    for operation in [*(one for one in TABLE if one not in LAST), *LAST]:
        for who in EVERYBODY:
            expected = TABLE[operation][who]
            if operation.startswith("GET /live/") and expected == 200:
                continue  # it has no end: tests of its page open it
            if (
                operation == "POST /jobs/{name}/delete" and who == "admin"
            ):  # its owner has deleted it just now
                await ann.gone("probe")
                ask.ref = (await ann.submit("echo hello", name="probe"))["ref"]
            status = await ask(operation, who, people[who])
            if status != expected:
                wrong.append(f"{operation} by {who}: {status}, not {expected}")
    assert not wrong, "\n".join(wrong)


async def test_a_page_of_another_site_sends_nothing(app, ann):
    token = ann.headers["Authorization"].removeprefix("Bearer ")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")
    for site in ("cross-site", "same-site", "junk"):
        for operation in routes():
            method, path = operation.split()
            if method == "POST":
                headers = {"Sec-Fetch-Site": site, "Cookie": f"{NAME}={token}"}
                answer = await client.post(path.replace("{", "").replace("}", ""), headers=headers, data={})
                assert answer.status_code == 403, operation
    await client.aclose()
