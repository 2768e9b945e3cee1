"""The main job on a real node, by keyboard alone at 80x24, as a user who may edit one namespace."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend_client.models.fields import FIELD_NAMES
from backend_client.text.form_fields import FIRST
from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.backend_client.kubernetes.support.live import Live
from tests.contract.support.cluster import IMAGE, SLOT, ClusterHarness
from tests.tmux.conftest import program
from tests.tmux.support.terminal import Terminal

pytestmark = [pytest.mark.tmux, pytest.mark.node]

MORE = [field for field in FIELD_NAMES if field not in FIRST]
PARTS = {"deployments": "apps/v1", "services": "v1", "ingresses": "networking.k8s.io/v1"}
SERVER = "sh -c 'i=0; while sleep 0.2; do i=$((i+1)); echo request $i; done'"
RANKS = (
    "sh -c 'echo I am rank $NODE_RANK; exec 2>/dev/null;"
    " if [ $NODE_RANK = 0 ]; then echo hello | nc -l -p $MASTER_PORT;"
    " else until nc $MASTER_ADDR $MASTER_PORT </dev/null; do sleep 0.3; done; fi; echo found it; sleep 99'"
)


class Place:
    """A namespace on a real node, the terminal in it, and an administrator who counts what is there."""

    def __init__(self, harness: ClusterHarness, pane: Terminal, live: Live) -> None:
        self.namespace, self.pane, self._live = harness.namespace, pane, live

    def parts(self, name: str) -> set[str]:
        """Which of a deployment's parts are there."""
        kept = {plural: self._live.items(api, plural, self.namespace) for plural, api in PARTS.items()}
        return {plural for plural, items in kept.items() if name in [i["metadata"]["name"] for i in items]}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    admin = Path(os.environ[GIVEN])
    harness = ClusterHarness(tmp_path, admin)
    options = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "TRAINDECK_KUBERNETES__GPU_RESOURCE": SLOT}
    with program(tmp_path, **options) as pane:
        pane.until("No jobs yet")
        yield Place(harness, pane, Live(admin))
    asyncio.run(harness.aclose())


def fill(pane: Terminal, name: str, *, stays: bool, command: str, gpus: str, more: dict[str, str]) -> None:
    """Fill the form: the first fields, then some of the rest."""
    pane.keys("n")
    pane.until("New job")
    pane.type(name)
    pane.keys("Tab", *(["Right"] if stays else []), "Tab")
    pane.type(IMAGE)
    pane.keys("Tab")
    pane.type(command)
    pane.keys("Tab")
    pane.type(gpus)
    pane.keys("F4")
    at = 0
    for field, text in more.items():
        pane.keys(*["Tab"] * (MORE.index(field) - at))
        pane.type(text)
        at = MORE.index(field)
    pane.keys("F2")


def test_a_deployment_with_a_port(place: Place):
    pane = place.pane
    fill(pane, "web", stays=True, command=SERVER, gpus="1", more={"ports": "8080"})
    pane.until(r"> web +Running", 40)
    pane.until(r"request \d+")
    assert place.parts("web") == set(PARTS)
    pane.keys("d")
    pane.until("Delete web")
    pane.keys("Right", "Enter")
    pane.until("No jobs yet", 60)
    assert place.parts("web") == set()


def test_two_ranks_that_find_each_other(place: Place):
    pane = place.pane
    fill(pane, "pair", stays=False, command=RANKS, gpus="1", more={"nodes": "2"})
    pane.until(r"> pair +Running", 40)
    screen = pane.until(lambda text: text.count("found it") == 2, 40)
    assert "I am rank 0" in screen
    assert "I am rank 1" in screen


def test_one_that_cannot_fit_says_why(place: Place):
    pane = place.pane
    fill(pane, "huge", stays=False, command="true", gpus="1024", more={})
    pane.until(r"> huge +Pending .*(can ever hold|fit|GPU|slot|Insufficient)", 40)
