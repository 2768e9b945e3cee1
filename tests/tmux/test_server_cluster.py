"""A lab's server, whole, by keyboard alone at 80x24: two terminals, two people, a job on a real node."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend_client.kubernetes.support.controlplane import free_port
from tests.contract.support.cluster import SLOT, ClusterHarness
from tests.tmux.conftest import PROGRAM, program
from tests.tmux.support.terminal import Terminal
from tests.tmux.test_cluster import fill
from tests.tmux.test_server import enter

pytestmark = [pytest.mark.tmux, pytest.mark.node]
GIVEN = "TRAINDECK_TEST_KUBECONFIG"
PASSWORD = "correct horse battery"
TICKS = "sh -c 'trap exit TERM; while sleep 0.2; do i=$((i+1)); echo request $i; done'"
START = 60.0


class Lab:
    """`serve` in one terminal, the program in another, and a cluster that waits to be added."""

    def __init__(self, folder: Path, url: str, serve: Terminal, pane: Terminal, namespace: str) -> None:
        self.folder, self.url, self.serve, self.pane = folder, url, serve, pane
        self._namespace = namespace

    def add_cluster(self) -> None:
        """As an admin does in a shell."""
        kubeconfig = str(self.folder / "kubeconfig")
        self.pane.run(PROGRAM, "clusters", "add", "lab", "--kubeconfig", kubeconfig, "-n", self._namespace)

    def code(self) -> str:
        """What the server shows whoever started it."""
        return self.serve.until("one hour: [A-Z2-7]{24}", START).split("one hour: ")[1].split()[0]

    def stolen(self) -> list[str]:
        """The logins of the program, as somebody has them who has read its file."""
        kept = (self.folder / "config/traindeck/credentials.json").read_text()
        return [word for word in kept.split('"') if word.startswith("td_")]

    def whoami(self, token: str) -> str:
        """What the server says to a login, or why it says nothing."""
        line = f"{PROGRAM} --context {self.url} whoami 2>&1; echo ended with $?"
        return self.pane.run("env", f"TRAINDECK_TOKEN={token}", "sh", "-c", line)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    if GIVEN not in os.environ:
        pytest.skip(f"needs a cluster with a real node in {GIVEN}")
    harness = ClusterHarness(tmp_path, Path(os.environ[GIVEN]))
    at = f"127.0.0.1:{free_port()}"
    settings = {
        "LISTEN": at,
        "FOLDER": str(tmp_path / "server"),
        "REGISTRATION": "open",
        "KUBERNETES": f'{{"gpu_resource": "{SLOT}"}}',
    }
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "screen-256color"}
    env |= {f"TRAINDECK_SERVER_{name}": value for name, value in settings.items()}
    with (
        tempfile.TemporaryDirectory(prefix="deck-") as short,
        Terminal(Path(short) / "tmux", [PROGRAM, "serve"], env, (80, 24)) as serve,
        program(tmp_path, SSH_CONNECTION="1 2 3 4") as pane,
    ):
        pane.until("No jobs yet", START)
        yield Lab(tmp_path, at, serve, pane, harness.namespace)
    asyncio.run(harness.aclose())


def test_two_people_and_a_job_of_one_of_them(lab: Lab):
    pane, code = lab.pane, lab.code()
    pane.keys("a")
    pane.until("https://traindeck.example.org")
    enter(pane, lab.url)
    pane.until("it has no admin yet")
    enter(pane, "ann", PASSWORD, PASSWORD)
    pane.type(code)
    screen = pane.until("•••")
    assert PASSWORD not in screen
    assert code not in screen
    pane.keys("Enter")
    pane.until(rf"traindeck  {lab.url}")
    lab.add_cluster()

    fill(pane, "bert", stays=True, command=TICKS, gpus="1", more={})
    pane.until(r"> bert +Running", 60)
    first = pane.until(r"request \d+")
    pane.until(lambda screen: "request" in screen and screen != first)
    [hers] = lab.stolen()
    assert "ann (admin)" in lab.whoami(hers)

    pane.keys("a")
    pane.until("f3 makes an account")
    pane.keys("F3")
    pane.until("New account")
    pane.keys("BTab")
    pane.keys(*["BSpace"] * len("ann"))
    pane.until(r"user +│")
    enter(pane, "bob", PASSWORD, PASSWORD)
    pane.until(rf"traindeck  bob@{lab.url}")
    screen = pane.until("No jobs yet")
    assert "bert" not in screen
    pane.keys("n")
    pane.until("viewer")

    [his] = {*lab.stolen()} - {hers}
    assert "bob (viewer)" in lab.whoami(his)
    pane.keys("a")
    pane.until("f3 makes an account")
    pane.keys("F4")
    pane.until("You are not logged in")
    assert "ended with 5" in lab.whoami(his)
    assert "ann (admin)" in lab.whoami(hers)
    pane.keys("Escape")
    pane.until_gone("f2 log in")
    pane.keys("q")
    pane.until("ended with 0")
    lab.serve.keys("C-c")
    lab.serve.until("ended with 0")
