"""What tests of jobs share: a client that says what it wants, and waits for it."""

from contextlib import asynccontextmanager

import httpx

from backend.app import create_app
from backend.auth.cookie import NAME
from tests.backend.conftest import login
from tests.support.wait import async_until

DEADLINE = 60.0


class Person:
    """One logged-in user of a server."""

    def __init__(self, app, name, headers):
        self.app, self.name, self.headers = app, name, headers
        transport = httpx.ASGITransport(app=app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    async def ask(self, method, path, status=200, **more):
        """Send a request; return the answer's JSON, whose status must be this one."""
        answer = await self._client.request(method, f"/api{path}", **more)
        assert answer.status_code == status, answer.text
        self.last = answer
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else answer.text

    async def ask_status(self, method, path, **more):
        """Send a request; return the answer's status alone."""
        return (await self._client.request(method, f"/api{path}", **more)).status_code

    async def submit(self, script="sleep 60", status=201, key="", **fields):
        """Submit a job of this machine."""
        body = {"kind": "job", "command": ["sh", "-c", script], **fields}
        headers = {"Idempotency-Key": key} if key else {}
        return await self.ask("POST", "/jobs", status, json=body, headers=headers)

    async def names(self, **query):
        return [job["ref"]["name"] for job in (await self.ask("GET", "/jobs", params=query))["items"]]

    async def until(self, name, holds, path="/jobs/{}", **query):
        """Wait until a job `holds` (None, once it is not there), and return it."""

        async def look():
            answer = await self._client.get(f"/api{path.format(name)}", params=query)
            found = answer.json() if answer.status_code == 200 else None
            return (found,) if holds(found) else ()

        (found,) = await async_until(look, DEADLINE)
        return found

    async def ended(self, name):
        return await self.until(name, lambda job: job and job["finished"])

    async def gone(self, name):
        await self.until(name, lambda job: job is None)


async def enter(app, name, role="researcher"):
    return Person(app, name, await login(app, name, role))


@asynccontextmanager
async def serving(settings):
    """Run a server without a socket."""
    made = create_app(settings, announce=lambda words: None)
    async with made.router.lifespan_context(made):
        yield made


def as_cookie(token):
    """Return the headers of a browser that is logged in."""
    return {"Cookie": f"{NAME}={token}"}
