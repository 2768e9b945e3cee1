"""The implementations that the contract holds for, and how each is reached."""

import os
import random
from pathlib import Path

import pytest

from tests.backend_client.kubernetes.support.controlplane import GIVEN
from tests.contract.support.harness import LocalHarness
from tests.support.faults import Wire

CUTS = 3
"""How often a breaking wire breaks in one case: as often as one request is repeated."""


@pytest.fixture(scope="session")
def local_server(tmp_path_factory):
    """A server that takes jobs on this machine."""
    from tests.contract.support.server import RunningServer  # noqa: PLC0415  only where a case needs it

    server = RunningServer(tmp_path_factory.mktemp("server-local"), "--local")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def cluster_server(tmp_path_factory):
    """A server that has no cluster yet."""
    from tests.contract.support.server import RunningServer, cluster_settings  # noqa: PLC0415  as above

    folder = tmp_path_factory.mktemp("server-cluster")
    server = RunningServer(folder, **cluster_settings(tmp_path_factory.getbasetemp()))
    yield server
    server.stop()


def local(request, folder):
    return LocalHarness(folder / "local" / "gpu-7")


def kubernetes(request, folder):
    from tests.contract.support.cluster import ClusterHarness  # noqa: PLC0415  where there is a cluster

    return ClusterHarness(folder, Path(os.environ[GIVEN]))


def server_local(request, folder, port=0):
    from tests.contract.support.server import ServerHarness  # noqa: PLC0415  as above

    return ServerHarness(folder, request.getfixturevalue("local_server"), port)


def server_kubernetes(request, folder, port=0):
    from tests.contract.support.server import ServedCluster  # noqa: PLC0415  as above

    return ServedCluster(folder, request.getfixturevalue("cluster_server"), Path(os.environ[GIVEN]), port)


NEAR = {
    "local": local,
    "kubernetes": kubernetes,
    "server-local": server_local,
    "server-kubernetes": server_kubernetes,
}
FAR = {
    "server-local-far": ("local_server", server_local),
    "server-kubernetes-far": ("cluster_server", server_kubernetes),
}
"""The same by a wire that is slow and breaks."""
CORE = """the_same_key_is_the_same_job stop_is_final_and_can_be_repeated resume_goes_on
    delete_stops_first_and_goes_by_uid a_deletion_that_nobody_waits_for_goes_on_alone
    watch_gives_the_list_then_every_change progress_comes_out_of_a_log_that_is_followed
    following_gives_all_and_ends_with_the_job going_on_behind_any_cursor_loses_and_repeats_nothing
    going_on_while_the_job_writes""".split()
"""What `server-kubernetes-far` runs: the wire is that of `server-local-far`, which runs all."""
NODE = ("kubernetes", "server-kubernetes", "server-kubernetes-far")


def bad(wire: Wire) -> None:
    """Slow, thin and breaking, differently in each case."""
    chance = random.Random(os.environ.get("PYTEST_CURRENT_TEST", ""))
    wire.latency, wire.bandwidth, wire.piece = 0.002, 4_000_000, 4096
    wire.limits = [chance.randrange(1_000, 30_000) for _ in range(CUTS)]


def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "server-kubernetes-far" not in item.name or is_core(item)]


def is_core(item) -> bool:
    return item.originalname.removeprefix("test_") in CORE


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.node) if name in NODE else name for name in (*NEAR, *FAR)]
)
async def harness(request, tmp_path):
    if request.param in NEAR:
        made = NEAR[request.param](request, tmp_path)
        yield made
        await made.aclose()
        return
    server, make = FAR[request.param]
    async with Wire("127.0.0.1", request.getfixturevalue(server).port) as wire:
        made = make(request, tmp_path, wire.port)
        bad(wire)
        yield made
        await made.aclose()


@pytest.fixture
def backend(harness):
    return harness.backend
