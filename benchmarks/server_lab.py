"""What `benchmarks.server` measures over: a control plane, a server, 500 people and their 1,000 jobs.

The jobs are made through the server, as their owners make them; their pods are written as the Job controller
and a kubelet leave them (see cluster_fill.py).
"""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from backend.auth.tokens import issue
from backend.auth.users import add_user
from backend.db.engine import database_url, open_database
from backend.settings import ServerSettings
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import JOBS, PODS
from backend_client.server.roles import Role
from benchmarks.cluster_fill import SPEC, connected, job_status, phase_of, pod_of, pod_status, pooled, send
from tests.backend.support.clusters import wanted
from tests.backend_client.kubernetes.support import controlplane
from tests.backend_client.kubernetes.support.controlplane import ControlPlane, free_port
from tests.contract.support.server import RunningServer
from tests.support.wait import until

ROOT = Path(__file__).parent.parent
CHANGING = 100
"""Jobs that failed, and whose exit code changes while it is measured."""
CLUSTER = "lab"
READER, POLLER = "alice", "bob"
"""Who our server is to the cluster, and who the polling one: the audit log tells their requests apart."""


class Place(msgspec.Struct, frozen=True):
    """A pod whose status changes."""

    namespace: str
    pod: str


class Lab:
    """All that runs. `admins`, `people`: a token of each."""

    def __init__(self, plane: ControlPlane, server: RunningServer, home: Path) -> None:
        self.plane = plane
        self.server = server
        self.admins: list[str] = []
        self.people: list[str] = []
        self.changing: list[Place] = []
        self._home = home

    async def fill(self, people: int, jobs: int) -> None:
        """Give everybody as many jobs."""
        self.server.stop()
        await self._enrol(people)
        self.server.start("127.0.0.1:0")
        async with connected(self.plane.kubeconfig) as transport:
            for user in (READER, POLLER):
                await send(
                    transport, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", bound(user)
                )
            token = self.plane.tokens[READER]
            self.server.admin("POST", "clusters", wanted(self.plane, CLUSTER) | {"token": token})
            await self._submit(jobs)
            await self._run(transport)

    async def _enrol(self, people: int) -> None:
        database = await open_database(database_url("", self._home))
        settings = ServerSettings(folder=self._home)
        async with database.write() as session:
            for number in range(people):
                for role, tokens in ((Role.ADMIN, self.admins), (Role.RESEARCHER, self.people)):
                    user = await add_user(session, f"{role}-{number}", "", role)
                    token, _ = await issue(session, user.id, "bench", settings)
                    tokens.append(token.reveal())
        await database.aclose()

    async def _submit(self, jobs: int) -> None:
        spec = msgspec.to_builtins(SPEC) | {"kind": "job"}
        async with httpx.AsyncClient(base_url=self.server.url, timeout=60) as client:

            async def submit(number: int, token: str) -> None:
                answer = await client.post(
                    "/api/jobs",
                    json=spec | {"name": f"job-{number:05d}", "cluster": CLUSTER},
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert answer.status_code == 201, answer.text

            owners = itertools.cycle(self.people)
            await pooled(submit(number, next(owners)) for number in range(jobs))

    async def _run(self, transport: Transport) -> None:
        answer = await transport.request("GET", JOBS.path(), timeout=60)
        jobs = json.loads(answer.body)["items"]
        self.changing = [
            Place(job["metadata"]["namespace"], f"{job['metadata']['name']}-x") for job in jobs[:CHANGING]
        ]
        await pooled(run(transport, job, 0 if at < CHANGING else at + 11) for at, job in enumerate(jobs))

    @contextmanager
    def polling(self) -> Iterator[tuple[int, int]]:
        """Run the other server; yield its port and the id of its process."""
        port = free_port()
        argv = [sys.executable, "-m", "benchmarks.server_polling", POLLER, str(port)]
        environment = os.environ | {"KUBECONFIG": str(self.plane.kubeconfig)}
        with subprocess.Popen(argv, cwd=ROOT, env=environment) as process:
            try:
                until(lambda: answers(port), 60)
                yield port, process.pid
            finally:
                process.terminate()

    def asked(self, user: str) -> int:
        """Return the number of requests of a user to the API server so far."""
        return sum(event["stage"] == "RequestReceived" for event in self._audited(user))

    def watches(self, user: str) -> dict[str, int]:
        """Return the watches that a user holds, by kind."""
        steps = {"ResponseStarted": 1, "ResponseComplete": -1}
        open_now: Counter[str] = Counter()
        for event in self._audited(user):
            if event["verb"] == "watch":
                open_now[event["objectRef"]["resource"]] += steps.get(event["stage"], 0)
        return dict(open_now)

    def _audited(self, user: str) -> Iterator[dict[str, Any]]:
        with (self.plane.folder / "audit.log").open() as log:
            events = (json.loads(line) for line in log if line.endswith("\n"))
            yield from (event for event in events if event["user"]["username"] == user)


async def run(transport: Transport, job: dict[str, Any], number: int) -> None:
    """Create one job's pod, and the status of both."""
    namespace, phase = job["metadata"]["namespace"], phase_of(number)
    pod = pod_of(job, number)
    await send(transport, "POST", PODS.path(namespace), pod)
    path = PODS.path(namespace, pod["metadata"]["name"], "status")
    await send(transport, "PATCH", path, {"status": pod_status(phase)})
    path = JOBS.path(namespace, job["metadata"]["name"], "status")
    await send(transport, "PATCH", path, {"status": job_status(phase)})


def bound(user: str) -> dict[str, Any]:
    """Return the binding that lets a user do all."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }


def answers(port: int) -> bool:
    """Return True where a server on this port answers."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/jobs", timeout=60).is_success
    except httpx.TransportError:
        return False


@contextmanager
def lab(home: Path, people: int, jobs: int, **settings: str) -> Iterator[Lab]:
    """Run the whole lab, filled. `settings`: more of the server's, as in the environment."""
    with controlplane.running(home / "plane", controllers=False) as plane:
        server = RunningServer(home / "server", MAX_JOBS="100000", **settings)
        made = Lab(plane, server, home / "server")
        try:
            asyncio.run(made.fill(people, jobs))
            yield made
        finally:
            server.stop()
