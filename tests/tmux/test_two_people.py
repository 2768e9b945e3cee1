"""Two people in one queue, by keyboard at 80x24: one waits, goes ahead, and the other is told who did."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from msgspec import Struct

from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.backend_client.kubernetes.support.kueue import RUNS, Line, line, need_kueue
from tests.backend_client.kubernetes.support.live import Live
from tests.contract.support.cluster import IMAGE
from tests.tmux.conftest import PROGRAM, program
from tests.tmux.support.terminal import Terminal

pytestmark = [pytest.mark.tmux, pytest.mark.node]


class Both(Struct):
    """The terminals of the two, each in the namespace of their line."""

    line: Line
    alice: Terminal
    bob: Terminal


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    admin = Path(os.environ[GIVEN])
    live = Live(admin)
    need_kueue(live)
    config = yaml.safe_load(admin.read_text())
    for cluster in config["clusters"]:
        authority = cluster["cluster"]["certificate-authority"]
        cluster["cluster"]["certificate-authority"] = str(admin.parent / authority)
    with line(live) as made:
        for context in config["contexts"]:
            context["context"]["namespace"] = made.namespace
        panes = []
        for person in ("alice", "bob"):
            folder = tmp_path / person
            folder.mkdir()
            (folder / "config.yaml").write_text(yaml.safe_dump(config | {"current-context": person}))
            panes.append(program(folder, KUBECONFIG=str(folder / "config.yaml")))
        with panes[0] as alice, panes[1] as bob:
            for pane in (alice, bob):
                pane.until("No jobs yet", 40)
            yield Both(made, alice, bob)


def submit(pane: Terminal, name: str) -> None:
    marks = [word for key, value in RUNS.items() for word in ("--annotation", f"{key}={value}")]
    flags = ["--name", name, "--image", IMAGE, "--gpus", "2", "--queue", "q", *marks]
    pane.run(PROGRAM, "submit", *flags, "--", "sleep", "1000")


def test_one_waits_goes_ahead_and_the_other_is_told(both: Both):
    alice, bob, queue = both.alice, both.bob, both.line.namespace
    submit(alice, "first")
    alice.until(r"> first +Running", 40)
    submit(bob, "second")
    bob.until(r"second +Queued +2 .* needs 2 more GPUs", 40)
    bob.keys("End")
    bob.until("> second")
    bob.keys("w")
    bob.until(rf"second .* why\n needs 2 more GPUs in {queue}; 1st in {queue}\n(.*\n)+ +1st in q")

    bob.keys("Escape")
    bob.until("> second")
    bob.keys("Q")
    bob.until(rf"{queue}/q +of {queue}; 1 waiting, 1 admitted\n(.*\n)+ \* 1 +second +bob +q +0 ")
    bob.keys("p")
    bob.until("The priority of second")
    bob.type(both.line.urgent)
    bob.keys("Enter")
    bob.until_gone("The priority of second")
    bob.keys("Escape")
    bob.until(r"second +Running", 40)

    alice.until(r"first +Queued", 40)
    alice.keys("Down", "Down")
    alice.until("> first")
    alice.keys("w")
    way = r"gave way to second with priority over it at \d\d:\d\d UTC, after"
    alice.until(rf"first .* why\n {way}(.*\n)+ +1st in q \(ClusterQueue {queue}\)")
