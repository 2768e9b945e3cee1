"""One control plane for the whole run, however many workers it has, and a namespace for each test."""

import contextlib
import fcntl
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from backend_client.kubernetes.api import kubeconfig
from backend_client.kubernetes.api.transport import Transport
from backend_client.kubernetes.resources.resource_types import NAMESPACES
from tests.backend_client.kubernetes.support import controlplane
from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.support.faults import Wire


class Cluster:
    """A cluster to test against."""

    def __init__(self, path: Path, *, controllers: bool) -> None:
        self.kubeconfig = path
        self.controllers = controllers

    def target(self, user: str = "") -> kubeconfig.Target:
        """To reach it as a user of its kubeconfig; "" is who may do all."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KUBECONFIG", str(self.kubeconfig))
            current = next(context.name for context in kubeconfig.list_contexts() if context.current)
            return kubeconfig.load(user or current)


def through(wire: Wire, target: kubeconfig.Target) -> kubeconfig.Target:
    """The same by way of a wire."""
    address = msgspec.structs.replace(target.address, host="127.0.0.1", port=wire.port)
    return msgspec.structs.replace(target, address=address)


@pytest.fixture(scope="session")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """A control plane of our own: keys, audit log and people too. Started by the first who asks."""
    if controlplane.binaries() is None:
        pytest.skip(f"needs a control plane: {controlplane.HOW}")
    worker = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if worker else base) / "control-plane"
    with _locked(folder.with_suffix(".lock")):
        if not (folder / "ready").exists():
            _start(folder, os.getppid() if worker else os.getpid())
    return Cluster(folder / "kubeconfig", controllers=(folder / "ready").read_text() == "True")


@pytest.fixture(scope="session")
def shared_cluster(request: pytest.FixtureRequest) -> Cluster:
    """The cluster of TRAINDECK_TEST_KUBECONFIG, else our own."""
    if given := os.environ.get(GIVEN):
        return Cluster(Path(given), controllers=True)
    own: Cluster = request.getfixturevalue("own_cluster")
    return own


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(folder: Path, tests: int) -> None:
    argv = [
        sys.executable,
        "-m",
        controlplane.__name__,
        str(folder),
        str(tests),
    ]
    process = subprocess.Popen(argv, start_new_session=True)
    controlplane.until(lambda: (folder / "ready").exists() or process.poll() is not None)
    if process.poll() is not None:
        pytest.fail(f"the control plane did not start; see {folder}/*.log")


@pytest.fixture
def cluster(request: pytest.FixtureRequest, shared_cluster: Cluster) -> Cluster:
    """The shared cluster, where it has what the test's marker needs."""
    if request.node.get_closest_marker("controllers"):
        need_controllers(shared_cluster)
    return shared_cluster


def need_controllers(cluster: Cluster) -> None:
    """Skip where nobody makes pods, counts quotas, or fills the roles `edit` and `view`."""
    if not cluster.controllers:
        pytest.skip(f"needs {' and '.join(controlplane.CONTROLLERS)} beside kube-apiserver")


@pytest.fixture
async def transport(cluster: Cluster) -> AsyncIterator[Transport]:
    """As one who may do all."""
    made = Transport(cluster.target())
    yield made
    await made.aclose()


@pytest.fixture
async def namespace(transport: Transport) -> AsyncIterator[str]:
    """A namespace of the test's own; its deletion is not waited for."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    await transport.request("POST", NAMESPACES.path(), body=msgspec.json.encode({"metadata": {"name": name}}))
    yield name
    await transport.request("DELETE", NAMESPACES.path(name=name))
