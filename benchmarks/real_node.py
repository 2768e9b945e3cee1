"""A job on a real node, of TRAINDECK_TEST_KUBECONFIG: for traindeck and kubectl, turn by turn."""

import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from benchmarks.peers import Peers
from tests.backend_client.kubernetes.support import controlplane
from tests.backend_client.kubernetes.support.controlplane import GIVEN

IMAGE = "traindeck.dev/busybox:1"
_ON_IT = ("--image", IMAGE, "--node-selector", "type=real")

Row = tuple[str, str, str]


class RealNode(Struct, frozen=True):
    """A namespace for one measurement, on a node that runs what it is given."""

    peers: Peers
    namespace: str

    def traindeck(self, *words: str) -> list[str]:
        return self.peers.traindeck(self.namespace, *words)

    def kubectl(self, *words: str) -> list[str]:
        return self.peers.kubectl(self.namespace, *words)

    def environment(self) -> dict[str, str]:
        return self.peers.environment()

    def run(self, argv: Sequence[str]) -> None:
        """Run a program to its end. Raises CalledProcessError."""
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=self.environment())

    def submission(self, name: str, *flags: str, script: str) -> list[str]:
        """Return the command that submits a job."""
        return self.traindeck("submit", "--name", name, *_ON_IT, *flags, "--", "sh", "-c", script)

    def start(self, name: str, script: str) -> None:
        """Submit a job, and wait until it runs."""
        self.run(self.submission(name, script=script))
        self.run(self.traindeck("wait", name, "--for", "running"))


def on_real_node(what: str, measure: Callable[[RealNode], list[Row]]) -> list[Row]:
    """Return the rows of a measurement, or the one that says why it was left out."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        given = os.environ.get(GIVEN)
        peers = Peers(Path(given or os.devnull), Path(folder), controlplane.binaries() or Path())
        if not given:
            return [(what, f"left out: {GIVEN} names no cluster with a real node", "")]
        if not peers.find("kubectl"):
            return [(what, "left out: no kubectl here", "")]
        with _namespace(peers) as namespace:
            return measure(RealNode(peers, namespace))


@contextmanager
def _namespace(peers: Peers) -> Iterator[str]:
    name = f"bench-{uuid.uuid4().hex[:8]}"

    def run(*words: str) -> None:
        argv = [peers.find("kubectl"), words[0], "namespace", name, *words[1:]]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=peers.environment())

    run("create")
    try:
        yield name
    finally:
        run("delete", "--wait=false")
