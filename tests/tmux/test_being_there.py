"""What a researcher does all day, on a real node, by keyboard alone at 80x24, from a shell of this machine.

Their own code, that fails and is mended; a shell in the job that runs; its port, fetched while the API server
is away for a moment (a wire before it refuses and resets, as the server itself is everybody's here); a sweep,
two at a time, compared.
"""

import asyncio
import os
import re
import threading
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.backend_client.kubernetes.support.live import Live, Manifest
from tests.contract.support.cluster import IMAGE, SLOT, ClusterHarness
from tests.tmux.conftest import PROGRAM, program
from tests.tmux.support.line import Line, line_to
from tests.tmux.support.terminal import Terminal

pytestmark = [pytest.mark.tmux, pytest.mark.node]

SHELL = ("bash", "--norc", "--noprofile", "-i")
SUBMIT = f"traindeck submit --image {IMAGE} --gpus 1"
BREAKS = "echo begins; cat no-such-file"
SERVES = "trap exit TERM; mkdir w; echo fine >w/it; echo serves; httpd -f -p 127.0.0.1:7002 -h w & wait"
TRAINS = "for n in 1 2 3 4 5 6 7 8 9; do echo step $n loss {seed}.0$n; done; sleep 1"


class Desk:
    """A shell in a terminal, and an administrator who looks at what ran."""

    def __init__(self, pane: Terminal, line: Line, live: Live, namespace: str) -> None:
        self.pane, self.line, self._live, self._namespace = pane, line, live, namespace

    def enter(self, command: str) -> None:
        self.pane.type(f"clear; {command}\n")

    def pods(self) -> list[Manifest]:
        return self._live.items("v1", "pods", self._namespace)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    admin = Path(os.environ[GIVEN])
    live = Live(admin)
    there = urlsplit(live.server)
    with line_to(there.hostname or "", there.port or 443) as line:
        harness = ClusterHarness(tmp_path, admin, line.port)
        options = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "TRAINDECK_KUBERNETES__GPU_RESOURCE": SLOT}
        paths = f"{Path(PROGRAM).parent}:{os.environ['PATH']}"
        with program(tmp_path, SHELL, PATH=paths, PS1="here> ", **options) as pane:
            pane.until("here>")
            yield Desk(pane, line, live, harness.namespace)
        asyncio.run(harness.aclose())


def fetch(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/it", timeout=60) as answer:
        return bytes(answer.read())


def write(desk: Desk, script: str) -> None:
    """Write the script of the job, in the shell as a person does."""
    desk.enter(f"cat > train.sh <<'.'\n{script}\n.")


def test_code_that_is_mended_a_shell_and_a_port_over_a_restart(desk: Desk):
    pane = desk.pane
    desk.enter("cd && mkdir proj && cd proj")
    write(desk, BREAKS)
    desk.enter(f"{SUBMIT} --name first --code . -- sh train.sh && traindeck")
    pane.until(r"> first +Failed", 40)
    pane.until("can't open 'no-such-file'")
    pane.keys("q")
    pane.until(r"here> *\s*$")
    write(desk, SERVES)
    desk.enter(f"{SUBMIT} --name second --code . -- sh train.sh && traindeck")
    pane.until(r" second +Running", 40)
    pane.keys("End")
    pane.until(r"> second +Running")
    pane.until("(?m)serves *$")
    pane.keys("s")
    pane.until("connecting to second")
    pane.type("stty size; pwd; cat train.sh\n")
    pane.until(r"24 80\s+/code\s+trap exit TERM")
    pane.type("exit\n")
    pane.until(r"> second +Running")
    pane.keys("p")
    pane.until("Which port of second")
    pane.type("7002")
    pane.keys("Enter")
    row = re.compile(r"second +7002 +(\d+)")
    port = int(row.findall(pane.until(row.pattern))[0])
    assert fetch(port) == b"fine\n"
    desk.line.down()
    fetched: list[bytes] = []
    fetching = threading.Thread(target=lambda: fetched.append(fetch(port)))
    fetching.start()
    pane.until("waits")
    desk.line.up()
    fetching.join()
    assert fetched == [b"fine\n"]
    pane.until(r"2 \(0 open\)")


def seconds_of(pod: Manifest) -> tuple[datetime, datetime]:
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    return datetime.fromisoformat(ended["startedAt"]), datetime.fromisoformat(ended["finishedAt"])


def test_a_sweep_two_at_a_time_is_compared(desk: Desk):
    pane = desk.pane
    desk.enter(f"{SUBMIT} --name try --each seed=1..6 --at-once 2 -- sh -c '{TRAINS}' && traindeck")
    pane.until(lambda screen: len(re.findall(r"try-\d +Succeeded", screen)) == 6, 90)
    spans = [seconds_of(pod) for pod in desk.pods()]
    assert len(spans) == 6
    for begun, _ in spans:
        assert sum(start <= begun < end for start, end in spans) <= 2
    pane.keys("*", "v")
    for seed in range(1, 7):
        pane.until(rf"try-{seed} +{seed}\.09 \(9\)")
