"""A server that dies before or after every write of create, stop and delete leaves no orphan behind."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.app import create_app
from backend.settings import ServerSettings
from backend_client.local.backend import LocalBackend
from tests.backend.conftest import login
from tests.backend.support.clusters import register
from tests.contract.support.harness import remove_all

IMAGE = "traindeck.dev/busybox:1"
CREATE = ["POST", "/jobs"]
MOST = 60
STRIDE = 1 if os.environ.get("TRAINDECK_TEST_THOROUGH") else 4
"""Every fourth crash point before each commit; all of them for the figures (`make bench`)."""
TOO_MANY = 64
"""GPUs that no node has: nothing runs, so nothing takes its time to end."""


class Servers:
    """Forks of one process that has imported everything; see dying_server.py."""

    def __init__(self, settings, url, environment) -> None:
        command = [sys.executable, str(Path(__file__).parents[1] / "support" / "dying_server.py")]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
        )
        self.request = {
            "settings": settings,
            "folder": settings["folder"],
            "database": url,
            "environment": environment,
        }

    async def run(self, step=0, action=None, **more):
        """Return what one server reports at its end; None where it died."""
        request = {**self.request, "step": step, "action": action, **more}
        return await asyncio.to_thread(self._run, request)

    def _run(self, request):
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.communicate()


@pytest.fixture
def plain(tmp_path):
    """Settings as JSON has them."""
    return {"folder": str(tmp_path / "server"), "hosts": ["test"], "argon2_memory": 64, "argon2_time": 1}


@pytest.fixture
async def on_the_machine(plain, url, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    given = plain | {"local": True, "local_gpus": 1, "local_grace": 0.5}
    servers = Servers(given, url, {"XDG_STATE_HOME": str(tmp_path / "state")})
    yield servers
    servers.close()
    await remove_all(LocalBackend(gpus=1, grace=0.5))


async def token(servers, then=None):
    """Log ann in at a server that lives shortly; return the token."""

    settings = ServerSettings(**servers.request["settings"], database=SecretStr(servers.request["database"]))
    app = create_app(settings, announce=lambda words: None)
    async with app.router.lifespan_context(app):
        await login(app, "root", "admin")
        headers = await login(app, "ann")
        if then:
            await then(app)
    return headers["Authorization"].removeprefix("Bearer ")


async def die_everywhere(servers, body):
    """Die at all steps of create, stop and delete, one after another; return how many there were."""
    points = 0
    for number in range(1, MOST, STRIDE):
        name = f"job-{number}"
        asked = {"action": CREATE, "body": body | {"name": name}, "key": name}
        told = await servers.run(number, **asked)
        again = await servers.run(**asked)  # the client repeats what it got no answer to
        assert sound(again["before"]), (number, again)
        assert again["before"]["living"] in (0, 1)
        assert (again["status"], again["living"]) == (201, 1), (number, json.dumps(again))
        assert sound(again), (number, json.dumps(again))
        points += await die_at(servers, number, ["POST", f"/jobs/{name}/stop"], {"living": 1})
        points += await die_at(servers, number, ["DELETE", f"/jobs/{name}"], {"living": 0})
        if told:
            assert told["status"] == 201
            return points
        points += 1
    raise AssertionError("the steps have no end")


async def die_at(servers, number, action, then):
    """Die at one step of an action; return 1 if it had so many steps."""
    told = await servers.run(number, action=action)
    again = await servers.run(action=action)
    assert sound(again["before"]), (number, action, again)
    assert again["status"] in (200, 204, 404), (number, action, again)
    assert sound(again), (number, action, again)
    assert {key: again[key] for key in then} == then, (number, action, again)
    return told is None


def sound(told):
    """Tell whether no object is without a row, no row without its object, nothing half made."""
    return (told["orphans"], told["held"], told["making"], told["foreign"]) == ([], 0, 0, 0)


@pytest.mark.timeout(600)
async def test_no_orphan_on_this_machine(on_the_machine):
    on_the_machine.request["token"] = await token(on_the_machine)
    body = {"kind": "job", "command": ["sleep", "60"], "gpus": 1}
    points = await die_everywhere(on_the_machine, body)
    print(f"\n{points} crash points on this machine, 0 orphans")
    assert points >= 12 // STRIDE


@pytest.mark.api
@pytest.mark.controllers
@pytest.mark.timeout(900)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_no_orphan_in_a_cluster(plain, url, cluster, tmp_path):
    servers = Servers(plain, url, {"KUBECONFIG": "/nowhere"})
    try:
        servers.request["token"] = await token(servers, then=lambda app: register(app, cluster))
        body = {"kind": "job", "image": IMAGE, "command": ["sleep", "60"], "nodes": 2, "gpus": TOO_MANY}
        body |= {"secrets": {"TOKEN": "x"}, "ports": [8080]}
        points = await die_everywhere(servers, body)
        print(f"\n{points} crash points in a cluster, 0 orphans")
        assert points >= 20 // STRIDE
    finally:
        servers.close()
