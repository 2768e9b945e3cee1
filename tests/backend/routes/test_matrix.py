"""Who may ask what: every route of the OpenAPI document, by everybody, against a table written by hand.

A route that the table does not list fails the test: whoever adds one says here who may use it.
"""

from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import select, update

from backend.db.models import AlertRow, JobRow, Token, User
from tests.backend.conftest import logged_in
from tests.backend.support.people import enter

EVERYBODY = "nobody expired revoked disabled viewer owner other admin".split()
OUT = dict.fromkeys("nobody expired revoked disabled".split(), 401)


def row(viewer, owner, other, admin):
    """Statuses of those who are logged in; nobody else gets past 401."""
    return OUT | {"viewer": viewer, "owner": owner, "other": other, "admin": admin}


def all_of(status):
    return dict.fromkeys(EVERYBODY, status)


MINE = row(404, 200, 404, 200)
ADMIN = row(403, 403, 403, 200)
SELF = row(200, 200, 200, 200)
JOB = "/api/jobs/probe"
BODY = {"kind": "job", "command": ["true"]}
TABLE = {
    "GET /livez": all_of(200),
    "GET /readyz": all_of(200),
    "GET /api/server": all_of(200),
    "GET /metrics": ADMIN,
    "POST /api/auth/register": all_of(403),  # closed
    "POST /api/auth/login": all_of(401),  # with a wrong password
    "GET /api/auth/me": SELF,
    "GET /api/auth/tokens": SELF,
    "DELETE /api/auth/tokens/{token_id}": row(404, 404, 404, 404),  # of no token of one's own
    "POST /api/auth/password": row(403, 403, 403, 403),  # with a wrong old one
    "POST /api/auth/logout": row(204, 204, 204, 204),
    "GET /api/users": ADMIN,
    "POST /api/users": row(403, 403, 403, 201),
    "GET /api/users/{name}": ADMIN,
    "PATCH /api/users/{name}": ADMIN,
    "GET /api/audit": ADMIN,
    "GET /api/clusters": SELF,
    "POST /api/clusters": row(403, 403, 403, 422),
    "DELETE /api/clusters/{name}": row(403, 403, 403, 400),  # the machine itself
    "GET /api/capacity": SELF,
    "GET /api/choices": SELF,
    "GET /api/nodes": SELF,
    "GET /api/queues": SELF,
    "GET /api/alerts": SELF,
    "GET /api/alerts/wishes": SELF,
    "PUT /api/alerts/wishes": SELF,
    "POST /api/alerts/channels": row(400, 400, 400, 400),  # of mail, which this server does not send
    "DELETE /api/alerts/channels/{name}": row(404, 404, 404, 404),  # of none of one's own
    "POST /api/alerts/channels/{name}/test": row(404, 404, 404, 404),
    "POST /api/alerts/{alert_id}/acknowledge": row(403, 200, 404, 200),
    "POST /api/alerts/{alert_id}/snooze": row(403, 200, 404, 200),
    "GET /api/jobs": SELF,
    "POST /api/jobs": row(403, 201, 201, 201),
    "POST /api/plan": row(403, 200, 200, 200),
    "GET /api/code/{sha256}": row(403, 404, 404, 404),  # nothing of one's own
    "PUT /api/code/{sha256}": row(403, 422, 422, 422),  # of another hash
    "POST /api/access": SELF,
    "POST /api/look": row(204, 204, 204, 204),
    "GET /api/watch": SELF,
    "GET /api/history": SELF,
    "GET /api/usage": SELF,
    "GET /api/usages": SELF,
    "GET /api/jobs/{name}": MINE,
    "GET /api/jobs/{name}/exec": row(426, 426, 426, 426),  # test_bridges.py asks for the WebSockets
    "GET /api/jobs/{name}/ports/{port}": row(426, 426, 426, 426),
    "GET /api/jobs/{name}/logs": MINE,
    "GET /api/jobs/{name}/events": MINE,
    "GET /api/jobs/{name}/why": MINE,
    "GET /api/jobs/{name}/receipt": MINE,
    "GET /api/jobs/{name}/code": row(404, 404, 404, 404),  # it has none
    "GET /api/jobs/{name}/usage": MINE,
    "GET /api/jobs/{name}/usage/history": MINE,
    "POST /api/jobs/{name}/stop": MINE,
    "POST /api/jobs/{name}/extend": row(404, 400, 404, 400),  # one that has ended
    "POST /api/jobs/{name}/resume": row(404, 400, 404, 400),  # a machine resumes nothing
    "POST /api/jobs/{name}/hold": row(404, 400, 404, 400),  # a machine has no queues
    "POST /api/jobs/{name}/release": row(404, 400, 404, 400),
    "POST /api/jobs/{name}/queue": row(404, 400, 404, 400),
    "POST /api/jobs/{name}/priority": row(403, 403, 403, 400),  # one that no setting lists
    "DELETE /api/jobs/{name}": row(404, 204, 404, 204),
}
VIEWERS_OWN = {
    "GET /api/jobs/{name}": 200,
    "GET /api/jobs/{name}/logs": 200,
    "GET /api/jobs/{name}/events": 200,
    "GET /api/jobs/{name}/why": 200,
    "GET /api/jobs/{name}/receipt": 200,
    "GET /api/jobs/{name}/code": 404,
    "GET /api/jobs/{name}/usage": 200,
    "GET /api/jobs/{name}/usage/history": 200,
    "POST /api/jobs/{name}/stop": 403,
    "POST /api/jobs/{name}/extend": 403,
    "POST /api/jobs/{name}/resume": 403,
    "POST /api/jobs/{name}/hold": 403,
    "POST /api/jobs/{name}/release": 403,
    "POST /api/jobs/{name}/queue": 403,
    "POST /api/jobs/{name}/priority": 403,
    "DELETE /api/jobs/{name}": 403,
}
"""A viewer who has a job of their own, made before."""
BODIES = {
    "POST /api/jobs/{name}/extend": {"max_runtime": 3600},
    "POST /api/look": {"screen": "s", "uids": []},
    "POST /api/auth/register": {"user": "new", "password": "correct horse battery"},
    "POST /api/auth/login": {"user": "ghost", "password": "not the right one"},
    "POST /api/auth/password": {"old": "not the right one", "new": "another long password"},
    "POST /api/users": {"user": "new", "password": "correct horse battery"},
    "PATCH /api/users/{name}": {"max_jobs": 100},
    "POST /api/clusters": {"name": "x"},
    "POST /api/access": [],
    "PUT /api/alerts/wishes": {"rules": {"gpu-idle": "off"}},
    "POST /api/alerts/channels": {"name": "mine", "kind": "email", "address": "ann@example.org"},
    "POST /api/jobs/{name}/queue": {"queue": "elsewhere"},
    "POST /api/jobs/{name}/priority": {"priority": "urgent"},
}
NAMES = {"/api/users/{name}": "zoe", "/api/clusters/{name}": "local", "/api/auth/tokens/{token_id}": "999999"}
QUERIES = {"GET /api/choices": "?field=queue"}
LAST = ("DELETE /api/jobs/{name}", "POST /api/auth/logout")
"""They end what the others need."""


async def everybody(app):
    """Log everybody in: name -> headers."""
    found = {"nobody": {}}
    now = datetime.now(UTC)
    changes = {
        "expired": update(Token).values(expires=now - timedelta(minutes=1)),
        "revoked": update(Token).values(revoked=now),
    }
    for name, user, role in (
        ("viewer", "eve", "viewer"),
        ("owner", "ann", "researcher"),
        ("other", "bob", "researcher"),
        ("admin", "root", "admin"),
        ("expired", "ann", "researcher"),
        ("revoked", "ann", "researcher"),
        ("disabled", "dan", "researcher"),
    ):
        token, who = await logged_in(app, user, role)
        found[name] = {"Authorization": f"Bearer {token}"}
        if name in changes:
            async with app.state.runtime.database.write() as session:
                await session.execute(changes[name].where(Token.id == who.token_id))
    async with app.state.runtime.database.write() as session:
        await session.execute(update(User).where(User.name == "dan").values(disabled=True))
    return found


async def an_alert(app, job):
    """Write an alert of a job; return its id."""
    async with app.state.runtime.database.write() as session:
        job_id = await session.scalar(select(JobRow.id).where(JobRow.name == job))
        row = AlertRow(
            rule="node", job_id=job_id, attempt=0, episode=9, sentence="it is", fired=datetime.now(UTC)
        )
        session.add(row)
        await session.flush()
    return str(row.id)


def operations(document):
    return {f"{method.upper()} {path}" for path, parts in document["paths"].items() for method in parts}


class Caller:
    """Asks one operation as it should be asked, and gives the status alone."""

    alert_id = "0"

    def __init__(self, app):
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")

    async def __call__(self, operation, headers, name="probe"):
        method, path = operation.split()
        wanted = NAMES.get(path, name)
        url = path.replace("{name}", wanted).replace("{token_id}", wanted).replace("{port}", "80")
        url = url.replace("{sha256}", "0" * 64) + QUERIES.get(operation, "")
        url = url.replace("{alert_id}", self.alert_id)
        body = BODIES.get(operation, BODY) if method in ("POST", "PATCH", "PUT") else None
        return (await self.client.request(method, url, headers=headers, json=body)).status_code


async def test_every_route_for_everybody(app, root, ann):
    listed = operations(app.openapi())
    assert listed == set(TABLE), "list every route, and no other"
    await ann.submit("echo hello", name="probe")
    await ann.ended("probe")
    await enter(app, "zoe")
    people, ask = await everybody(app), Caller(app)
    ask.alert_id = await an_alert(app, "probe")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    BODIES["POST /api/alerts/{alert_id}/snooze"] = {"until": tomorrow.isoformat()}
    people["admin"] = root.headers
    wrong, asked = [], 0
    for operation in [*(one for one in TABLE if one not in LAST), *LAST]:
        for name in EVERYBODY:
            BODIES["POST /api/auth/login"]["user"] = f"ghost-{name}"  # else the last ones are throttled
            if operation == "GET /api/watch" and TABLE[operation][name] == 200:
                continue  # it has no end: test_streams.py opens it
            if (
                operation == "DELETE /api/jobs/{name}" and name == "admin"
            ):  # its owner has deleted it just now
                await ann.gone("probe")
                await ann.submit("echo hello", name="probe")
            status = await ask(operation, people[name])
            asked += 1
            if status != TABLE[operation][name]:
                wrong.append(f"{operation} by {name}: {status}, not {TABLE[operation][name]}")
    print(f"\nroute x role: {len(TABLE)} routes, {asked} requests, {len(wrong)} wrong")
    assert not wrong, "\n".join(wrong)


async def test_a_viewers_own_job(app, ann):
    await ann.submit("echo hello", name="probe")
    await ann.ended("probe")
    async with app.state.runtime.database.write() as session:
        await session.execute(update(User).where(User.name == "ann").values(role="viewer"))
    ask = Caller(app)
    found = {operation: await ask(operation, ann.headers) for operation in VIEWERS_OWN}
    assert found == VIEWERS_OWN
