"""A server in the contract suite: the real program in a process of its own, and a new user for each case."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec
import yaml

from backend_client.models import JobSpec
from backend_client.models.secret import Secret
from backend_client.server.backend import ServerBackend
from backend_client.server.bodies import Clusters
from backend_client.server.capabilities import merge
from tests.contract.support.cluster import PRIORITY, SLOT, ClusterHarness
from tests.contract.support.dying import DyingClients
from tests.contract.support.harness import DEADLINE, SAMPLES, remove_all

ROOT = Path(__file__).parents[3]
PASSWORD = "correct horse battery"
QUICK = {
    "ARGON2_MEMORY": "64",
    "ARGON2_TIME": "1",
    "RATE": "1e6",
    "BURST": "1000000",
    "LOCAL_GPUS": "2",
    "LOCAL_GRACE": "2",
}


class RunningServer:
    """`traindeck serve`, with an admin."""

    def __init__(self, folder: Path, *flags: str, **settings: str) -> None:
        """`settings`: as in the environment, without their prefix."""
        self._flags = flags
        self._settings = settings
        self._folder = folder
        self._people = itertools.count()
        self.start("127.0.0.1:0")
        self._root = self.login("root")

    def start(self, listen: str) -> None:
        """Start it, with all that it had before."""
        folder = self._folder
        given = {"FOLDER": str(folder), "ADMIN_USER": "root", "ADMIN_PASSWORD": PASSWORD, **QUICK}
        given |= self._settings
        env = {f"TRAINDECK_SERVER_{name}": value for name, value in given.items()}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui", "serve", "--listen", listen, *self._flags],
            cwd=ROOT,
            env={**os.environ, **env, "XDG_STATE_HOME": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self._address()

    def _address(self) -> str:
        told = []
        for line in self.process.stderr:
            told.append(line)
            if found := re.search(r"http://[\d.]+:(\d+)", line):
                self.port = int(found[1])
                return found[0]
        raise AssertionError("".join(told))

    def login(self, user: str) -> str:
        """A token."""
        answer = httpx.post(
            f"{self.url}/api/auth/login", json={"user": user, "password": PASSWORD}, timeout=DEADLINE
        )
        return answer.raise_for_status().json()["token"]

    def person(self) -> str:
        """A token of somebody new."""
        name = f"person-{next(self._people)}"
        self.admin("POST", "users", {"user": name, "password": PASSWORD, "role": "researcher"})
        return self.login(name)

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """What only an admin may do."""
        headers = {"Authorization": f"Bearer {self._root}"}
        answer = httpx.request(method, f"{self.url}/api/{path}", json=body, headers=headers, timeout=DEADLINE)
        assert answer.is_success, answer.text

    def set(self, **settings: str) -> None:
        """Change settings; they hold from the next start on."""
        self._settings = {**self._settings, **settings}

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE)

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()
        self.process.communicate()


class ServerHarness:
    """A server's view for one of its people. `near` reaches it directly; `backend` through `port`, if any."""

    def __init__(self, folder: Path, server: RunningServer, port: int = 0) -> None:
        self._server = server
        self._folder = folder
        token = server.person()
        mine = {"Authorization": f"Bearer {token}"}
        asked = httpx.get(f"{server.url}/api/clusters", headers=mine, timeout=DEADLINE)
        rules = merge(msgspec.json.decode(asked.content, type=Clusters).items)
        url = f"http://127.0.0.1:{port or server.port}"
        self.near = ServerBackend("near", server.url, lambda: Secret(token), capabilities=rules)
        self.backend = ServerBackend("contract", url, lambda: Secret(token), capabilities=rules)
        (folder / "login").write_text(f"{server.url} {token}")
        self._clients = DyingClients("dying_server_client", str(folder / "login"))

    def spec(self, script: str, **fields: object) -> JobSpec:
        return JobSpec(command=("sh", "-c", script), **fields)  # type: ignore[arg-type]

    def kept(self, written: bytes) -> bytes:
        return written

    def refused(self) -> dict[str, str]:
        return SAMPLES

    async def crash_create(self, spec: JobSpec, key: str, step: int) -> bool:
        return await self._clients.create(spec, key, step)

    async def queue(self) -> tuple[str, str]:
        return "", ""

    def outputs(self) -> str:
        return str(self._folder / "results")

    async def aclose(self) -> None:
        self._clients.close()
        await remove_all(self.near)
        await self.near.aclose()
        await self.backend.aclose()


class ServedCluster(ServerHarness):
    """A server in front of a namespace on a real node, registered for this case alone."""

    def __init__(self, folder: Path, server: RunningServer, admin: Path, port: int = 0) -> None:
        inner = ClusterHarness(folder, admin)
        config = yaml.safe_load((folder / "kubeconfig").read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._inner = inner
        self._name = inner.namespace
        server.admin("POST", "clusters", registration(inner.namespace, cluster, user))
        super().__init__(folder, server, port)

    def spec(self, script: str, **fields: object) -> JobSpec:
        return self._inner.spec(script, **fields)

    def kept(self, written: bytes) -> bytes:
        return self._inner.kept(written)

    def refused(self) -> dict[str, str]:
        return self._inner.refused()

    async def queue(self) -> tuple[str, str]:
        return await self._inner.queue()

    def outputs(self) -> str:
        return self._inner.outputs()

    async def aclose(self) -> None:
        await super().aclose()
        self._server.admin("DELETE", f"clusters/{self._name}")
        await self._inner.aclose()


def registration(name: str, cluster: dict[str, str], user: dict[str, str]) -> dict[str, str]:
    """The body that registers a cluster of a kubeconfig, with one namespace for all."""
    authority = msgspec.json.decode(f'"{cluster["certificate-authority-data"]}"', type=bytes)
    server = {"server": cluster["server"], "ca": authority.decode(), "token": user["token"]}
    return {"name": name, "namespace": name, **server}


def cluster_settings(folder: Path) -> dict[str, str]:
    """Of a server in front of the test cluster: its slots for GPUs, the tests' folders for jobs."""
    return {
        "KUBERNETES": f'{{"gpu_resource": "{SLOT}"}}',
        "HOST_PATHS": f'["{folder}"]',
        "QUEUE_PRIORITIES": f'["{PRIORITY}"]',
        "EXEC": "on",
    }
