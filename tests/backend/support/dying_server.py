"""Servers that die: each line of stdin asks for one, in a fork, that does one thing and ends at some step.

A step is a commit of the database or a write to the cluster; odd ones end before it, even ones when it is
done and its answer is lost. Step 0 never dies: it is the server that starts again afterwards, and reconciles.
"""

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import httpx
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app import create_app
from backend.db.models import JobRow
from backend.jobs import history_recorder, reconcile
from backend.settings import ServerSettings
from backend_client.kubernetes.api.transport import Transport
from backend_client.local import launch
from backend_client.local.backend import LocalBackend

KILLED = 9


class Steps:
    """Counts, once `armed`, and dies."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.armed = False

    def count(self) -> None:
        if self.armed:
            self.left -= 1
            if self.left == 0:
                os._exit(KILLED)

    def around(self, owner, name: str, matters=lambda *args: True) -> None:
        work = getattr(owner, name)

        async def counted(*args, **kwargs):
            if not matters(*args):
                return await work(*args, **kwargs)
            self.count()
            answer = await work(*args, **kwargs)
            self.count()
            return answer

        setattr(owner, name, counted)

    def around_call(self, owner, name: str) -> None:
        work = getattr(owner, name)

        def counted(*args, **kwargs):
            self.count()
            answer = work(*args, **kwargs)
            self.count()
            return answer

        setattr(owner, name, counted)


def is_write(_transport, method, *_rest) -> bool:
    return method in ("POST", "PATCH", "DELETE", "PUT")


async def serve(request: dict) -> dict:
    """Run one server: report what it found after reconciling (`before`), act, report what is there."""
    steps = Steps(request["step"])
    steps.around(AsyncSession, "commit")
    steps.around(Transport, "request", is_write)
    for owner, name in ((launch, "_write_folder"), (launch, "_start_supervisor")):
        steps.around_call(owner, name)
    for name in ("request_stop", "remove"):
        steps.around_call(type(LocalBackend(Path(request["folder"]) / "unused")._store), name)
    history_recorder.GATHER_SECONDS = 0.02
    settings = ServerSettings(**request["settings"], database=SecretStr(request["database"]))
    app = create_app(settings, announce=lambda words: None)
    async with app.router.lifespan_context(app):
        service = app.state.runtime.jobs
        await asyncio.wait_for(service.reconciled.wait(), 60)
        before = {} if request["step"] else await quiet(service)
        steps.armed = bool(request["step"])
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {request['token']}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            status = await act(client, request) if request["action"] else 0
        return {"before": before, "status": status, **await quiet(service)}


async def act(client: httpx.AsyncClient, request: dict) -> int:
    method, path = request["action"]
    answer = await client.request(
        method, f"/api{path}", json=request.get("body"), headers={"Idempotency-Key": request.get("key", "")}
    )
    return answer.status_code


async def quiet(service) -> dict:
    """Report what is there, once nothing is under way and one more round finds nothing to do."""
    async with asyncio.timeout(90):
        await wait_for(service)
        await reconcile.reconcile_once(service, timedelta())
        await wait_for(service)
    return await there(service)


async def wait_for(service) -> None:
    while service.deletions or service.creates:
        await asyncio.wait([*service.deletions.values(), *service.creates.values()])
        await asyncio.sleep(0)


async def there(service) -> dict:
    """Rows, and objects that bear this server's id."""
    cluster = next(iter(service.clusters))
    made = await cluster.backend.list_created(service.server_id)
    async with service.database.read() as session:
        rows = [*await session.scalars(select(JobRow).order_by(JobRow.id))]
    living = {row.uid for row in rows if row.uid and not row.deleted}
    uids = {found.ref.uid for found in made.values()}
    return {
        "living": len(living),
        "objects": len(uids),
        "orphans": sorted(uids ^ living),
        "held": sum(found.held for found in made.values()),
        "making": sum(row.state == "Making" for row in rows),
        "foreign": sum(service.orphans.values()),
        "states": [row.state for row in rows if row.uid in living],
        "rows": [
            [row.id, row.state, row.reason, row.uid, str(row.deleting), str(row.deleted)] for row in rows
        ],
    }


def main() -> None:
    warm = False
    for line in sys.stdin:
        request = json.loads(line)
        os.environ |= request["environment"]
        if not warm:  # what a first life loads and compiles, its forks have
            asyncio.run(serve(request | {"step": 0, "action": None}))
            warm = True
        out, into = os.pipe()
        pid = os.fork()
        if not pid:
            told = asyncio.run(serve(request))
            os.write(into, json.dumps(told).encode())
            os._exit(0)
        os.close(into)
        answer = b""
        while part := os.read(out, 65536):
            answer += part
        os.close(out)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (0, KILLED), code
        print(json.dumps(json.loads(answer) if answer else None), flush=True)


if __name__ == "__main__":
    main()
