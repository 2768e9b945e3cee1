"""Servers that die: each does one thing and ends at some step (`dying`).

A step is a commit of the database or a write to the cluster. Step 0 never dies: it is the server that starts
again afterwards, and reconciles.
"""

import asyncio
import os
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
from tests.backend.support.dying import Steps, answer_in_forks


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


class Lives:
    """One server for each request; what a first life loads and compiles, the forks have."""

    warm = False

    def prepare(self, request: dict) -> None:
        os.environ |= request["environment"]
        if not self.warm:
            asyncio.run(serve(request | {"step": 0, "action": None}))
            self.warm = True


if __name__ == "__main__":
    answer_in_forks(serve, Lives().prepare)
