"""A job that cannot fit, by keyboard alone at 80x24: why, the change that helps, and it runs."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.contract.support.cluster import IMAGE, ClusterHarness
from tests.contract.support.server import RunningServer
from tests.tmux.conftest import PROGRAM, program
from tests.tmux.support.terminal import Terminal

pytestmark = pytest.mark.tmux

STAYS = "test.traindeck.dev/outcome=run"
"""On a node that only pretends to run pods, this one runs on."""


def take_the_first_offer(pane: Terminal, name: str, gpus: int) -> None:
    """From the list, with the cursor on the job: why, the first offer, submit, and the old one goes."""
    pane.keys("w")
    pane.until(rf"{name}.* why\n(.*\n)*.*What would help\n.*1  .*\n +gpus {gpus} -> \d+", 40)
    pane.keys("1")
    pane.until(rf"name +{name}-2\n(.*\n)+ +changed; it was {gpus}")
    pane.keys("F2")
    pane.until(f"Delete {name}, which waits still", 40)
    pane.keys("y")
    pane.until(rf"> {name}-2 +Running", 60)
    pane.until_gone(rf" {name} +(Queued|Pending|Stopp)", 60)


def half_of_the_gpus_are_held(pane: Terminal) -> None:
    """With two GPUs: one job holds one, another waits for two, takes the one that is free, and runs."""
    pane.until("No jobs yet", 40)
    pane.run(PROGRAM, "submit", "--name", "holds", "--gpus", "1", "--", "sleep", "1000")
    pane.until(r"holds +Running")
    pane.run(PROGRAM, "submit", "--name", "wants", "--gpus", "2", "--", "sleep", "1000")
    pane.until(r"wants +Queued")
    pane.keys("End")
    pane.until("> wants")
    take_the_first_offer(pane, "wants", 2)
    pane.until("GPUs 0 of 2 free")


def test_fewer_gpus_on_this_machine(terminal: Terminal):
    half_of_the_gpus_are_held(terminal)


def test_fewer_gpus_at_a_server(tmp_path: Path):
    server = RunningServer(tmp_path / "server", "--local")
    try:
        with program(tmp_path, TRAINDECK_CONTEXT=server.url, TRAINDECK_TOKEN=server.person()) as pane:
            half_of_the_gpus_are_held(pane)
            pane.run(PROGRAM, "delete", "--yes", "holds", "wants-2")
    finally:
        server.stop()


@pytest.fixture
def in_a_cluster(tmp_path: Path) -> Iterator[Terminal]:
    """Over a namespace of its own in the given cluster, as somebody who may list its nodes."""
    admin = Path(os.environ[GIVEN])
    harness = ClusterHarness(tmp_path, admin)
    config = yaml.safe_load(admin.read_text())
    for cluster in config["clusters"]:
        if authority := cluster["cluster"].get("certificate-authority"):
            cluster["cluster"]["certificate-authority"] = str(admin.parent / authority)
    for context in config["contexts"]:
        context["context"]["namespace"] = harness.namespace
    (tmp_path / "admin.yaml").write_text(yaml.safe_dump(config))
    with program(tmp_path, KUBECONFIG=str(tmp_path / "admin.yaml")) as pane:
        pane.until("No jobs yet", 40)
        yield pane
    asyncio.run(harness.aclose())


@pytest.mark.node
def test_fewer_gpus_in_a_cluster(in_a_cluster: Terminal):
    pane = in_a_cluster
    flags = ["--name", "huge", "--image", IMAGE, "--gpus", "1024", "--annotation", STAYS]
    pane.run(PROGRAM, "submit", *flags, "--", "sleep", "1000")
    pane.until(r"> huge +Pending", 40)
    take_the_first_offer(pane, "huge", 1024)
