"""The four routes of SERVER.md: its very lines, with curl, at a real server before a real node."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend_client.kubernetes.api.kubeconfig import Target
from backend_client.kubernetes.api.transport import Transport
from docs.generate import DOCS
from tests.backend_client.kubernetes.conftest import Cluster
from tests.backend_client.kubernetes.support.controlplane import free_port
from tests.deploy.conftest import cluster, home, own_cluster, server, shared_cluster, transport
from tests.deploy.support.pythonbase import python_base
from tests.support.wait import until

__all__ = ["cluster", "home", "own_cluster", "server", "shared_cluster", "transport"]
pytestmark = pytest.mark.node

LOAD = "TRAINDECK_TEST_LOAD_IMAGE"
PROGRAM = str(Path(sys.executable).with_name("traindeck"))
PASSWORD = "correct horse battery"


def blocks() -> tuple[str, list[str]]:
    """(how one logs in, the lines of each route), as the page has them."""
    section = (DOCS / "SERVER.md").read_text().partition("\n### The API\n")[2].partition("\n### ")[0]
    login, routes = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return login, routes.strip().split("\n\n")


class Lab:
    """A server, and a person with a shell and with the `traindeck` of another terminal."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url, self.folder = url, folder
        folder.mkdir()
        (folder / ".curlrc").write_text('write-out = "\\n%{http_code}"\n')
        homes = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("STATE", "CONFIG", "CACHE")}
        given = {"HOME": str(folder), "CURL_HOME": str(folder), "USER": "ann", "SERVER": url, **homes}
        self.env = {"PATH": os.environ["PATH"], **given}

    def curl(self, line: str) -> tuple[int, str]:
        """(HTTP status, body) of a line of the page, by a shell that logs in first."""
        script = f"{blocks()[0]}\n{line}"
        done = self._run(["bash", "-c", script], f"{PASSWORD}\n")
        body, _, status = done.stdout.rpartition("\n")
        assert status, done.stderr
        return int(status), body

    def td(self, *words: str, given: str = "") -> str:
        """The verbs of another terminal."""
        done = self._run([PROGRAM, *words], given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, argv: list[str], given: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(argv, env=self.env, input=given, check=False, capture_output=True, text=True)

    def until(self, line: str, good: Callable[[int, str], bool], seconds: float = 60) -> str:
        return until(lambda: good(*(answer := self.curl(line))) and answer, seconds)[1]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """`traindeck serve`, whose admin is ann."""
    if LOAD not in os.environ or not shutil.which("curl"):
        pytest.skip(f"needs curl, and {LOAD}: a command that makes an image of the test cluster's node")
    port = free_port()
    lab = Lab(tmp_path / "ann", f"http://127.0.0.1:{port}")
    settings = {"FOLDER": tmp_path / "server", "LISTEN": f"127.0.0.1:{port}", "ARGON2_MEMORY": 64}
    settings |= {"ADMIN_USER": "ann", "ADMIN_PASSWORD": PASSWORD}
    env = {"PATH": os.environ["PATH"]} | {f"TRAINDECK_SERVER_{key}": str(settings[key]) for key in settings}
    with subprocess.Popen(
        [PROGRAM, "serve"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr
        assert b"serves at" in process.stderr.readline()
        yield lab
        process.terminate()


@pytest.fixture
async def image(tmp_path: Path) -> None:
    """This machine's Python on the node, by the name that the page has."""
    name = json.loads(re.search(r"'({.*})'", blocks()[1][0], re.DOTALL)[1])["imageName"]
    python_base(name, tmp_path / "image")
    load = [*shlex.split(os.environ[LOAD]), str(tmp_path / "image"), name, "python"]
    await asyncio.to_thread(subprocess.run, load, check=True, timeout=60)


@pytest.fixture
async def added(lab: Lab, cluster: Cluster, server: Target) -> None:
    """The cluster, with the account of deploy/kubernetes."""
    login = await server.credentials.login()
    token = login.authorization.reveal().removeprefix("Bearer ")
    lab.td("login", lab.url, "--user", "ann", "--password-stdin", given=f"{PASSWORD}\n")
    lab.td("clusters", "add", "lab", "--kubeconfig", str(cluster.kubeconfig), "--token-stdin", given=token)


async def test_the_lines_of_the_readme(lab: Lab, image: None, added: None, transport: Transport):
    create, every, logs, delete = blocks()[1]
    status, body = lab.curl(create)
    made = json.loads(body)
    assert (status, made["ref"]["kind"], made["owner"]) == (201, "deployment", "ann")
    lab.until(every, lambda status, body: json.loads(body)["items"][0]["state"] == "Running")
    lab.until(logs, lambda status, body: status == 200 and "Serving HTTP" in body)
    assert lab.curl(delete) == (204, "")
    lab.until(every, lambda status, body: not json.loads(body)["items"] or '"Stopping"' in body)
    status, body = lab.curl(logs.replace("demo", "another"))
    assert (status, json.loads(body)["kind"]) == (404, "NotFound")
    await transport.request("DELETE", f"/api/v1/namespaces/{made['ref']['namespace']}")
